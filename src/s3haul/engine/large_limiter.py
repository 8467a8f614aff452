"""Limits how many large bodies are read at a time, fairly between objects.

A large request is a range, or a whole object above the small size. It takes a place here first, then one of the
`ConcurrencyLimiter`, which limits all requests; so a few huge objects cannot use up all requests. While small objects
wait too, large requests get at most half of all places. A free place goes to the object that has the fewest.

There are few places at first. More are added while somebody waits and the processors have idle time: a busy processor
does not read faster with more bodies at once. The memory for buffers is the upper bound.
"""

import asyncio
from collections import Counter
from pathlib import Path

from s3haul.store.limiter import ConcurrencyLimiter

BYTES_PER_TRANSFER = 1 << 20  # of buffers for one body: a chunk of the SDK; the curl transport needs far less
FIRST = 16
LOOK_AFTER = 0.2  # seconds
BUSY = 0.8  # of the processors' time
PROCESSORS = Path("/proc/stat")


class LargeTransferLimiter:
    """`memory` is in bytes. An owner stands for one object; it waits in at most one `acquire` at a time."""

    def __init__(self, limiter: ConcurrencyLimiter, memory: int) -> None:
        self._limiter = limiter
        self._most = max(1, memory // BYTES_PER_TRANSFER)
        self._worth = FIRST
        self._ticks: tuple[int, int] | None = None  # at the last look
        self._taken = 0
        self._of: Counter[object] = Counter()
        self._waiting: dict[object, asyncio.Future[None]] = {}

    def allow(self, memory: int) -> None:
        """So many bytes from now on."""
        self._most = max(1, memory // BYTES_PER_TRANSFER)
        self._give()

    async def acquire(self, owner: object) -> None:
        """Wait for a place and take it; `release` gives it back."""
        if not self._waiting and self._taken < self._allowed():
            self._take(owner)
            return
        loop = asyncio.get_running_loop()
        waiter = self._waiting[owner] = loop.create_future()
        self._look_later(loop)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release(owner)
            else:
                self._waiting.pop(owner, None)
            raise

    def release(self, owner: object) -> None:
        """Give a place back."""
        self._taken -= 1
        self._of[owner] -= 1
        if not self._of[owner]:
            del self._of[owner]
        self._give()

    def grow(self, busy: float) -> None:
        """The processors were busy for this share of the time (0 to 1), while somebody waited."""
        if busy < BUSY and self._worth < self._most:
            self._worth *= 2
            self._give()

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._ticks is None and self._worth < self._most:
            self._ticks = _ticks()
            loop.call_later(LOOK_AFTER, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._ticks is not None
        (busy, every), (busy_now, every_now) = self._ticks, _ticks()
        self._ticks = None
        if self._waiting:
            self.grow((busy_now - busy) / max(1, every_now - every))
        if self._waiting:
            self._look_later(loop)

    def _give(self) -> None:
        while self._waiting and self._taken < self._allowed():
            poorest = min(self._waiting, key=self._of.__getitem__)
            waiter = self._waiting.pop(poorest)
            if not waiter.done():
                self._take(poorest)
                waiter.set_result(None)

    def _take(self, owner: object) -> None:
        self._taken += 1
        self._of[owner] += 1

    def _allowed(self) -> int:
        limit = self._limiter.limit
        small = self._limiter.busy + self._limiter.waiting - self._taken
        return max(1, min(self._most, self._worth, limit - max(0, min(small, limit // 2))))


def _ticks() -> tuple[int, int]:
    """Clock ticks in which the processors of the machine were busy, and all ticks (proc(5), /proc/stat).

    On systems without /proc/stat the processors count as idle.
    """
    try:
        with PROCESSORS.open() as lines:
            ticks = [int(word) for word in next(lines).split()[1:9]]
    except OSError:
        return 0, 0
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
