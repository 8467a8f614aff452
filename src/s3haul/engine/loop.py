"""The event loop that a run of the command has to itself."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

GARBAGE_THRESHOLD = 50_000  # allocations


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """As asyncio.run, with a collector that is not in the way.

    What the imports made lives for ever, and a haul makes next to no cycles: the collector need not look
    at either every few objects.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    with asyncio.Runner() as runner:
        runner.run(main)
