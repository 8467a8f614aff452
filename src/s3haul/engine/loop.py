"""The event loop that a run of the command has to itself."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any

GARBAGE_THRESHOLD = 50_000  # allocations
SWITCH_INTERVAL = 5e-4  # seconds


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """As `asyncio.run`, with settings of the interpreter for a process that only copies.

    Garbage collection is rare: imported modules live for ever, and a run makes almost no reference cycles. A transfer
    thread that returns from a system call gets the interpreter after `SWITCH_INTERVAL`; with the default of 5 ms, small
    objects would be copied a tenth more slowly.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner() as runner:
        runner.run(main)
