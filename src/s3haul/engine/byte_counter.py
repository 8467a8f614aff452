"""Counts the bytes that a thread receives, and reports them to the event loop ten times a second.

Waking the loop for every chunk, thousands of times a second, would only make progress bars smoother.
"""

import asyncio
import time
from collections.abc import Callable

EVERY = 0.1  # seconds


class ByteCounter:
    """`heard` is called on the event loop with the bytes since the last call. Create one for each body, on that loop."""

    def __init__(self, heard: Callable[[int], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._clock = clock
        self._untold = 0
        self._tell_at = clock() + EVERY

    def add(self, size: int) -> None:
        """Count bytes. Called by one thread at a time."""
        self._untold += size
        now = self._clock()
        if now >= self._tell_at:
            self._tell_at = now + EVERY
            untold, self._untold = self._untold, 0
            self._loop.call_soon_threadsafe(self._heard, untold)

    def end(self) -> None:
        """Report the rest. Called on the loop, when no thread counts any more."""
        untold, self._untold = self._untold, 0
        self._heard(untold)
