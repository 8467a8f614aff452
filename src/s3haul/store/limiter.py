"""Limits the number of concurrent requests: at most `AdaptiveLimit.limit`, none in a pause,
two a second in an outage.

The decisions are made in `core.limits`; this module only makes tasks wait for them. Objects that KMS
throttles get a limiter of their own, so that objects that need no KMS call go on at full speed. Large bodies
take a place of `LargeTransferLimiter` first, so that a few huge objects cannot use up all requests.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sized
from pathlib import Path

from s3haul.concurrency import finish_future
from s3haul.core.limits import AdaptiveLimit, Health
from s3haul.models import Outcome, State

SATURATED = 0.75  # of the limit; the rest of the places are between two requests
MOST_THROTTLED = 2000  # objects; with more, the whole run slows down
ENOUGH_PLAIN = 0.05  # of the objects that were read lately
LATELY = 1000  # objects
BYTES_PER_TRANSFER = 1 << 20  # of buffers for one body: a chunk of the SDK; the curl transport needs far less
FIRST_PLACES = 16  # for large bodies
MEASURE_AFTER = 0.2  # seconds
BUSY = 0.8  # of the processors' time
PROCESSORS = Path("/proc/stat")


class ConcurrencyLimiter:
    """A semaphore with an adaptive limit, first come, first served."""

    def __init__(
        self,
        adaptive_limit: AdaptiveLimit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.health = Health()
        self._adaptive_limit = adaptive_limit
        self._clock = clock
        self._sleep = sleep
        self._busy = 0
        self._load = 0  # requests under way when the last one began
        self._others: Sized = ()
        self.waiting = 0  # tasks that wait for a place
        self._first = asyncio.Lock()  # held by the first of them; the others wait for it, in their order
        self._freed: asyncio.Future[None] | None = None  # what the first one waits for

    def count_others(self, others: Sized) -> None:
        """`others` are requests under way that do not acquire a place here, and count all the same."""
        self._others = others

    async def acquire(self) -> None:
        """Wait for a place for one request; `release` gives it back."""
        self.waiting += 1
        try:
            async with self._first:
                while (pause := self.paused_until - self._clock()) > 0 or not self._has_room:
                    if pause > 0:
                        await self._sleep(pause)
                    else:
                        self._freed = asyncio.get_running_loop().create_future()
                        await self._freed
                if self.health.outage:
                    self.health.requested(self._clock())
                self._busy += 1
                self._load = self._busy + len(self._others)
        finally:
            self.waiting -= 1

    @property
    def _has_room(self) -> bool:
        if self.health.outage:
            return self._busy < self._adaptive_limit.ceiling
        return self._busy + len(self._others) < max(1, int(self._adaptive_limit.limit))

    def release(self) -> None:
        """Give the place back."""
        self._busy -= 1
        self.wake()

    def allow(self, requests: int) -> None:
        """So many requests at a time, at most, from now on."""
        self._adaptive_limit.allow(requests)
        self.wake()

    def throttled(self, retry_after: float | None, *, sent: float = float("inf")) -> None:
        """A request that was sent at time `sent` was throttled."""
        self._adaptive_limit.throttled(self._clock(), retry_after, sent=sent)

    def failed(self, *, throttled: bool = False) -> None:
        """A request for an object met a transient failure, perhaps only throttling."""
        now = self._clock()
        if self.health.failed(now, throttled=throttled):
            self._adaptive_limit.interrupted(now)
            self.wake()

    def listed(self) -> None:
        """A request for a page succeeded, which says nothing about objects."""
        self._served(1, saturated=self.saturated)

    def succeeded(self) -> None:
        """A request for an object succeeded."""
        self.served(1, saturated=self.saturated)

    def served(self, count: int, *, saturated: bool) -> None:
        """So many requests for objects succeeded, here or in the thread for small objects."""
        self.health.succeeded(count)
        self._served(count, saturated=saturated)

    def _served(self, count: int, *, saturated: bool) -> None:
        self.health.accepted += count
        self._adaptive_limit.served(self._clock(), count, saturated=saturated)
        self.wake()

    @property
    def saturated(self) -> bool:
        """Whether requests wait because of the limit: the last one that began took one of the last places."""
        return self._load >= SATURATED * self._adaptive_limit.limit

    @property
    def busy(self) -> int:
        """How many requests are under way."""
        return self._busy

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return 1 if self.health.outage else int(self._adaptive_limit.limit)

    def room(self, now: float) -> int:
        """How many of the requests that do not acquire a place may be under way now; 0 in a pause.

        At least 1, so that they go on if others hold all places.
        """
        if now < self.paused_until:
            return 0
        return max(1, self.limit - self._busy - self.waiting)

    @property
    def paused_until(self) -> float:
        """When the next request may be made, by the limiter's clock."""
        if self.health.outage:
            return max(self._adaptive_limit.paused_until, self.health.next_request)
        return self._adaptive_limit.paused_until

    def wake(self) -> None:
        """There may be room: a request has ended, perhaps one of the others, or the limit has changed."""
        if self._freed is not None and self._has_room:
            finish_future(self._freed, None, None)


class KmsThrottling:
    """`limiter` is for the requests of throttled objects; they pass the limiter of all requests as well."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.limiter = limiter
        self._count = 0
        self._on_entry: Callable[[str], None] = lambda _key: None
        self._plain = self._encrypted = 0.0

    def call_on_entry(self, callback: Callable[[str], None]) -> None:
        """Call this with the key of each object that enters."""
        self._on_entry = callback

    def observe(self, outcome: Outcome) -> None:
        """Count objects with and without KMS that were read lately."""
        if outcome.state is not State.DONE:
            return
        if outcome.sse.startswith("aws:kms"):
            self._encrypted += 1
        else:
            self._plain += 1
        if self._plain + self._encrypted > LATELY:
            self._plain, self._encrypted = self._plain / 2, self._encrypted / 2

    @property
    def helps(self) -> bool:
        """Whether there are objects without KMS that could go on meanwhile."""
        return self._count < MOST_THROTTLED and self._plain > ENOUGH_PLAIN * (self._plain + self._encrypted)

    def enter(self, key: str) -> bool:
        """Move an object to the second limiter if that helps; `leave` ends it."""
        if not self.helps:
            return False
        self._count += 1
        self._on_entry(key)
        return True

    def count(self) -> int:
        """How many objects use the second limiter."""
        return self._count

    def leave(self) -> None:
        self._count -= 1


class LargeTransferLimiter:
    """Limits how many large bodies are read at a time, fairly between objects.

    A large request is a range, or a whole object above the small size. It takes a place here, then one of
    `limiter`. While small objects wait too, large requests get at most half of all places. A free place goes
    to the object that has the fewest. There are few places at first. More are added while somebody waits and
    the processors have idle time: a busy processor does not read faster with more bodies at once. The memory
    for buffers, in bytes, is the upper bound.

    An owner stands for one object; it waits in at most one `acquire` at a time.
    """

    def __init__(self, limiter: ConcurrencyLimiter, memory: int) -> None:
        self._limiter = limiter
        self._most = max(1, memory // BYTES_PER_TRANSFER)
        self._places = FIRST_PLACES
        self._ticks: tuple[int, int] | None = None  # at the last measurement
        self._occupied = 0
        self._places_of: Counter[object] = Counter()
        self._waiting: dict[object, asyncio.Future[None]] = {}

    def allow(self, memory: int) -> None:
        """So many bytes from now on."""
        self._most = max(1, memory // BYTES_PER_TRANSFER)
        self._give()

    async def acquire(self, owner: object) -> None:
        """Wait for a place and take it; `release` gives it back."""
        if not self._waiting and self._occupied < self._allowed():
            self._take(owner)
            return
        loop = asyncio.get_running_loop()
        waiter = self._waiting[owner] = loop.create_future()
        self._measure_later(loop)
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
        self._occupied -= 1
        self._places_of[owner] -= 1
        if not self._places_of[owner]:
            del self._places_of[owner]
        self._give()

    def grow(self, busy: float) -> None:
        """The processors were busy for this share of the time (0 to 1), while somebody waited."""
        if busy < BUSY and self._places < self._most:
            self._places *= 2
            self._give()

    def _measure_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._ticks is None and self._places < self._most:
            self._ticks = _ticks()
            loop.call_later(MEASURE_AFTER, self._measure, loop)

    def _measure(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._ticks is not None
        (busy, every), (busy_now, every_now) = self._ticks, _ticks()
        self._ticks = None
        if self._waiting:
            self.grow((busy_now - busy) / max(1, every_now - every))
        if self._waiting:
            self._measure_later(loop)

    def _give(self) -> None:
        while self._waiting and self._occupied < self._allowed():
            poorest = min(self._waiting, key=self._places_of.__getitem__)
            waiter = self._waiting.pop(poorest)
            if not waiter.done():
                self._take(poorest)
                waiter.set_result(None)

    def _take(self, owner: object) -> None:
        self._occupied += 1
        self._places_of[owner] += 1

    def _allowed(self) -> int:
        limit = self._limiter.limit
        small = self._limiter.busy + self._limiter.waiting - self._occupied
        return max(1, min(self._most, self._places, limit - max(0, min(small, limit // 2))))


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
