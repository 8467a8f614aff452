"""The one place that holds requests back: at most `Tuner.limit` at a time, none during a pause, and one now and then
during an outage.

The decisions are those of `core.tuner` and `core.health`; this only makes tasks wait for them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from s3haul.core.health import Health

CROWDED = 0.75  # of the limit; the rest is between two requests


class Tuning(Protocol):
    """Who decides: `core.tuner.Tuner`, whose methods these are."""

    @property
    def limit(self) -> float: ...

    @property
    def paused_until(self) -> float: ...

    def throttled(self, now: float, retry_after: float | None = None) -> None: ...

    def served(self, now: float, count: int, *, crowded: bool) -> None: ...

    def interrupted(self, now: float) -> None: ...


class Gate:
    """A semaphore whose size follows the tuner."""

    def __init__(
        self,
        tuner: Tuning,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.health = Health()
        self._tuner = tuner
        self._clock = clock
        self._sleep = sleep
        self._busy = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Take one place for the length of one request; `leave` gives it back."""
        loop = asyncio.get_running_loop()
        while True:
            now = self._clock()
            if (pause := self.paused_until - now) > 0:
                await self._sleep(pause)
            elif self.health.outage:
                self.health.asked(now)
                self._busy += 1
                return
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
        self._tuner.throttled(self._clock(), retry_after)

    def failed(self) -> None:
        """A request for an object met passing trouble."""
        now = self._clock()
        if self.health.failed(now):
            self._tuner.interrupted(now)
            self._wake_all()

    def listed(self) -> None:
        """A request for a page was served, which tells nothing of objects."""
        self._served(1, crowded=self.crowded)

    def succeeded(self) -> None:
        """A request for an object was served."""
        self.served(1, crowded=self.crowded)

    def served(self, count: int, *, crowded: bool) -> None:
        """So many objects were served, here or by others whose limit is this one."""
        self.health.succeeded(count)
        self._served(count, crowded=crowded)

    def _served(self, count: int, *, crowded: bool) -> None:
        self.health.accepted += count
        self._tuner.served(self._clock(), count, crowded=crowded)
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
        return 1 if self.health.outage else int(self._tuner.limit)

    @property
    def paused_until(self) -> float:
        """When the next request may be made, by the gate's clock."""
        if self.health.outage:
            return max(self._tuner.paused_until, self.health.next_request)
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

    def _wake_all(self) -> None:
        """To wait for their turn in the outage."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def statistics(self) -> dict[str, float]:
        """The debugging view."""
        return {"busy": self._busy, "limit": self._tuner.limit, "waiting": len(self._waiters)}
