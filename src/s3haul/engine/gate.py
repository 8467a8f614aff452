"""The one place that holds requests back: at most `Tuner.limit` at a time, and none during a pause.

The decisions are `core.tuner`'s; this only makes tasks wait for them.
"""

import asyncio
from collections import deque

from s3haul.core.tuner import Tuner


class Gate:
    """A semaphore whose size follows the tuner."""

    def __init__(self, tuner: Tuner) -> None:
        self._tuner = tuner
        self._busy = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Take one place for the length of one request; `leave` gives it back."""
        loop = asyncio.get_running_loop()
        while True:
            pause = self._tuner.paused_until - loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
            elif self._busy < int(self._tuner.limit):
                self._busy += 1
                return
            else:
                await self._queue(loop)

    def leave(self) -> None:
        """Give the place back."""
        self._busy -= 1
        if self._waiters:
            self._wake()

    def throttled(self, retry_after: float | None) -> None:
        """A request inside the gate was refused for its rate."""
        self._tuner.throttled(asyncio.get_running_loop().time(), retry_after)

    def succeeded(self) -> None:
        """A request inside the gate was served."""
        self._tuner.succeeded()
        if self._waiters:
            self._wake()

    async def _queue(self, loop: asyncio.AbstractEventLoop) -> None:
        waiter = loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()
            raise

    def _wake(self) -> None:
        free = int(self._tuner.limit) - self._busy
        while free > 0 and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1

    def statistics(self) -> dict[str, float]:
        """The debugging view."""
        return {"busy": self._busy, "limit": self._tuner.limit, "waiting": len(self._waiters)}
