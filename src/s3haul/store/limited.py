"""What the user allows at most, of requests and of bytes a second: a store that keeps to it.

Bytes are counted as they come. The thread that receives them waits, so that the server is held back by TCP itself.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from s3haul.core.rate import Rate
from s3haul.models import ListPage, ObjectMeta, ObjectRef, PartLayout
from s3haul.options import TransferOptions
from s3haul.store.protocol import (
    Chunk,
    Consume,
    GetRequest,
    ObjectStore,
    OnData,
    SmallObjects,
    SmallObjectWork,
)

LONGEST_BREAK = 2.0  # seconds that a thread does nothing else; an interruption waits for no more
BYTES_A_REQUEST = 64 << 10  # a second, that a connection gets at least; else it may seem to stall
BYTES_A_TRANSFER = 512 << 10  # the same for large bodies, which come in chunks of 1 MiB


Sleep = Callable[[float], Awaitable[None]]


def limited(
    store: ObjectStore,
    options: TransferOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> ObjectStore:
    """`store` itself where nothing is limited."""
    if options.max_rps is None and options.bandwidth is None:
        return store
    return LimitedStore(store, options.max_rps, options.bandwidth, clock=clock, sleep=sleep)


def fitting(options: TransferOptions) -> TransferOptions:
    """With no more requests at a time than the bandwidth can feed."""
    if options.bandwidth is None:
        return options
    concurrency = min(options.concurrency, max(1, options.bandwidth // BYTES_A_REQUEST))
    memory = min(options.ranges.memory, max(1, options.bandwidth // BYTES_A_TRANSFER) << 20)
    return replace(options, concurrency=concurrency, ranges=replace(options.ranges, memory=memory))


class LimitedStore:
    """As `store.ObjectStore`, made on an event loop."""

    def __init__(
        self,
        store: ObjectStore,
        max_rps: float | None,
        bandwidth: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        block: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._requests = None if max_rps is None else Rate(max_rps)
        self._bytes = None if bandwidth is None else Rate(bandwidth)
        self._clock, self._sleep, self._block = clock, sleep, block
        self._lock = threading.Lock()

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        await self._turn()
        return await self._store.list_page(prefix, token=token, start_after=start_after)

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        await self._turn()
        return await self._store.load(request, lambda meta: self._held(consume(meta)))

    async def head(self, key: str, *, checksums: bool = False, part_number: int | None = None) -> ObjectMeta:
        await self._turn()
        return await self._store.head(key, checksums=checksums, part_number=part_number)

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        await self._turn()
        return await self._store.part_layout(key, version_id=version_id)

    def statistics(self) -> dict[str, int]:
        return self._store.statistics()

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        held = _HeldWork(work, self)
        held.thread = self._store.small_objects(held)
        return held.thread

    def change(self, max_rps: float | None, bandwidth: int | None) -> None:
        """Keep to other limits from now on. May be called in any thread."""
        with self._lock:
            self._requests = _changed(self._requests, max_rps)
            self._bytes = _changed(self._bytes, bandwidth)

    def turn(self) -> float:
        """Take a request's turn; else how many seconds are left until there is one."""
        with self._lock:
            if self._requests is None:
                return 0.0
            now = self._clock()
            if not (wait := self._requests.wait(now)):
                self._requests.spend(now)
            return wait

    def received(self, size: int) -> None:
        """Wait until so many bytes may have come. Called in a thread."""
        with self._lock:
            if self._bytes is None:
                return
            now = self._clock()
            self._bytes.spend(now, size)
            wait = self._bytes.wait(now)
        if wait:
            self._block(min(wait, LONGEST_BREAK))

    async def _turn(self) -> None:
        while wait := self.turn():
            await self._sleep(wait)

    def _held(self, take: OnData) -> OnData:
        def held(chunk: Chunk) -> None:
            take(chunk)
            self.received(len(chunk))

        return held


def _changed(rate: Rate | None, per_second: float | None) -> Rate | None:
    """The limit with another rate: what was spent before is still paid back."""
    if rate is None or per_second is None:
        return None if per_second is None else Rate(per_second)
    rate.change(per_second)
    return rate


class _HeldWork:
    """As `store.SmallObjectWork`."""

    def __init__(self, work: SmallObjectWork, limits: LimitedStore) -> None:
        self.thread: SmallObjects | None = None
        self._work, self._limits = work, limits
        self._loop = asyncio.get_running_loop()
        self._ready: ObjectRef | None = None
        self.unanswered = work.unanswered
        self.pause = work.pause
        self.failed = work.failed

    def next(self) -> ObjectRef | None:
        if self._ready is None:
            self._ready = self._work.next()
        if self._ready is None:
            return None
        if wait := self._limits.turn():
            self._loop.call_soon_threadsafe(self._loop.call_later, wait, self._wake)
            return None
        ref, self._ready = self._ready, None
        return ref

    def answered(self, ref: ObjectRef, headers: dict[str, str], body: Sequence[bytes]) -> None:
        self._work.answered(ref, headers, body)
        self._limits.received(sum(map(len, body)))

    def _wake(self) -> None:
        if self.thread is not None:
            self.thread.wake()
