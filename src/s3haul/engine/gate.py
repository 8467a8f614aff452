"""The one place that holds requests back: at most `Tuner.limit` at a time, and none during a pause.

The decisions are `core.tuner`'s; this only makes tasks wait for them.
"""

import asyncio
from collections import deque
from typing import Protocol

CROWDED = 0.75  # of the limit; the rest is between two requests


class Tuning(Protocol):
    """Who decides: `core.tuner.Tuner`, whose methods these are."""

    @property
    def limit(self) -> float: ...

    @property
    def paused_until(self) -> float: ...

    def throttled(self, now: float, retry_after: float | None = None) -> None: ...

    def served(self, now: float, count: int, *, crowded: bool) -> None: ...


class Gate:
    """A semaphore whose size follows the tuner."""

    def __init__(self, tuner: Tuning) -> None:
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
        self.served(1, crowded=self.crowded)

    def served(self, count: int, *, crowded: bool) -> None:
        """So many requests were served, here or by others whose limit is this one."""
        self._tuner.served(asyncio.get_running_loop().time(), count, crowded=crowded)
        if self._waiters:
            self._wake()

    @property
    def crowded(self) -> bool:
        """Whether the limit is what keeps more requests from being made."""
        return self._busy >= CROWDED * self._tuner.limit

    @property
    def busy(self) -> int:
        """How many are inside."""
        return self._busy

    @property
    def limit(self) -> int:
        """How many may be inside now."""
        return int(self._tuner.limit)

    @property
    def paused_until(self) -> float:
        """When the pause ends or ended, by the loop's clock."""
        return self._tuner.paused_until

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
