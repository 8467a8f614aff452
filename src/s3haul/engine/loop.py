"""The event loop that a haul runs on, in the command and in its engine processes."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

import uvloop

GARBAGE_THRESHOLD = 50_000  # allocations


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """As asyncio.run, on uvloop: its transports cost a fraction of the standard library's.

    What the imports made lives for ever, and a haul makes next to no cycles: the collector need not look
    at either every few objects.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(_without_closed_connections)
        runner.run(main)


def _without_closed_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Bytes of TLS for a connection that we have just cut off are a fatal error to uvloop, and to nobody else."""
    error = context.get("exception")
    if not (isinstance(error, RuntimeError) and context.get("message") == "Fatal error on SSL protocol"):
        loop.default_exception_handler(context)
