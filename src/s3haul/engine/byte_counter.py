"""Counts the bytes that a thread receives, and tells the event loop of them ten times a second.

A call into the loop for every chunk would wake it thousands of times a second, to no purpose but smoother bars.
"""

import asyncio
import time
from collections.abc import Callable

EVERY = 0.1  # seconds


class ByteCounter:
    """`heard` is called on the loop with the bytes since the last call. Made on that loop, for one body."""

    def __init__(self, heard: Callable[[int], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._clock = clock
        self._untold = 0
        self._tell_at = clock() + EVERY

    def add(self, size: int) -> None:
        """So many bytes more. Called by one thread, or by the loop."""
        self._untold += size
        now = self._clock()
        if now >= self._tell_at:
            self._tell_at = now + EVERY
            untold, self._untold = self._untold, 0
            self._loop.call_soon_threadsafe(self._heard, untold)

    def end(self) -> None:
        """No more will come; called on the loop."""
        untold, self._untold = self._untold, 0
        self._heard(untold)
