"""The event loop that a run of the command has to itself."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any

GARBAGE_THRESHOLD = 50_000  # allocations
SWITCH_INTERVAL = 5e-4  # seconds


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """As asyncio.run, with a collector that is not in the way.

    What the imports made lives for ever, and a haul makes next to no cycles: the collector need not look
    at either every few objects. A transfer thread that comes back from a system call gets the interpreter after
    `SWITCH_INTERVAL`; the 5 ms that are usual cost a tenth of the rate of small objects.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner() as runner:
        runner.run(main)
