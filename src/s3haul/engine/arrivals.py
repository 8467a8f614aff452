"""Counts the bytes that a thread receives, and tells the event loop of them a MiB at a time.

A call into the loop for every piece would wake it thousands of times a second, to no purpose but smoother bars.
"""

import asyncio
from collections.abc import Callable

STEP = 1 << 20  # bytes


class Arrivals:
    """`heard` is called on the loop with the bytes since the last call. Made on that loop, for one body."""

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._untold = 0

    def add(self, size: int) -> None:
        """So many bytes more. Called by one thread, or by the loop."""
        self._untold += size
        if self._untold >= STEP:
            untold, self._untold = self._untold, 0
            self._loop.call_soon_threadsafe(self._heard, untold)

    def end(self) -> None:
        """No more will come; called on the loop."""
        untold, self._untold = self._untold, 0
        self._heard(untold)
