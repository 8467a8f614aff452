"""The event loop that a haul runs on, in the command and in its engine processes."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

import uvloop

GARBAGE_THRESHOLD = 50_000  # allocations


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """As asyncio.run, on uvloop, which spends less between two callbacks.

    What the imports made lives for ever, and a haul makes next to no cycles: the collector need not look
    at either every few objects.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
