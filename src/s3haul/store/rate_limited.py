"""A store that keeps to the rates that the user allows: requests, KMS calls and bytes a second.

Bytes are counted when they arrive. The thread that receives them sleeps until the rate allows them, so TCP
flow control slows the server down.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from s3haul.core.limits import DecryptRate, Rate
from s3haul.core.ranges import costs_kms_call
from s3haul.models import ListPage, ObjectMeta, ObjectRef, PartLayout, VersionPage
from s3haul.options import LimitOptions, TransferOptions
from s3haul.store.protocol import (
    Chunk,
    Consume,
    GetRequest,
    HeadRequest,
    ObjectStore,
    OnData,
    SmallObjects,
    SmallObjectWork,
    WrappedStore,
)

LONGEST_BREAK = 1.0  # seconds of sleep at a time: an interruption and changed limits wait for it
BYTES_A_REQUEST = 64 << 10  # a second, the least that a connection gets; with less it would count as stalled
BYTES_A_TRANSFER = 512 << 10  # the same for large bodies, which come in chunks of 1 MiB

Sleep = Callable[[float], Awaitable[None]]


def fitting(options: TransferOptions, bandwidth: float | None) -> TransferOptions:
    """Options with no more requests at a time than the bandwidth can serve without stalls."""
    if bandwidth is None:
        return options
    concurrency = min(options.concurrency, max(1, int(bandwidth) // BYTES_A_REQUEST))
    memory = min(options.ranges.memory, max(1, int(bandwidth) // BYTES_A_TRANSFER) << 20)
    return replace(options, concurrency=concurrency, ranges=replace(options.ranges, memory=memory))


class RateLimitedStore(WrappedStore):
    """As `ObjectStore`. Create it on an event loop. `limit` changes `limits` at any time, from any thread."""

    def __init__(
        self,
        store: ObjectStore,
        limits: LimitOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        block: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(store)
        self._clock, self._sleep, self._block = clock, sleep, block
        self._lock = threading.Lock()
        self.limit(limits)

    def limit(self, limits: LimitOptions) -> None:
        """Keep to these limits from now on. What waits already notices within `LONGEST_BREAK`."""
        with self._lock:
            self.limits = limits
            self._requests = None if limits.max_rps is None else Rate(limits.max_rps)
            self._decrypts = None if limits.max_kms_rps is None else DecryptRate(limits.max_kms_rps)
            self._bytes = None if limits.bandwidth is None else Rate(limits.bandwidth)

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        await self._turn()
        return await self._store.list_page(prefix, token=token, start_after=start_after)

    async def list_versions(
        self, prefix: str, *, marker: tuple[str, str | None] | None = None
    ) -> VersionPage:
        await self._turn()
        return await self._store.list_versions(prefix, marker=marker)

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        await self._turn(decrypts=True)
        task = asyncio.current_task()
        assert task is not None, "it is awaited in a task"
        cancelled = task.cancelling
        meta = await self._store.load(request, lambda meta: self._counting(consume(meta), cancelled))
        self.responded(meta)
        return meta

    async def head(self, request: HeadRequest) -> ObjectMeta:
        await self._turn(decrypts=request.checksums)
        meta = await self._store.head(request)
        if request.checksums:
            self.responded(meta)
        return meta

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        await self._turn()
        return await self._store.part_layout(key, version_id=version_id)

    @property
    def unlimited(self) -> bool:
        """Whether responses need not be counted."""
        return self._bytes is None and self._decrypts is None

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        limited = _RateLimitedWork(work, self)
        limited.thread = self._store.small_objects(limited)
        return limited.thread

    def turn(self, *, decrypts: bool) -> float:
        """Count a request and return 0; or return the seconds until one is allowed. `decrypts`:
        it may cost a KMS call."""
        if self._requests is None and self._decrypts is None:
            return 0.0
        with self._lock:
            requests, kms, now = self._requests, self._decrypts if decrypts else None, self._clock()
            wait = max(requests.wait(now) if requests else 0.0, kms.wait(now) if kms else 0.0)
            if not wait:
                if requests:
                    requests.spend(now)
                if kms:
                    kms.requested(now)
            return wait

    def responded(self, meta: ObjectMeta) -> None:
        """A response says whether its request cost a KMS call."""
        if self._decrypts is not None:
            with self._lock:
                if self._decrypts is not None:  # `limit` may have changed it
                    self._decrypts.responded(self._clock(), costs_kms=costs_kms_call(meta))

    def received(self, size: int, abandoned: Callable[[], object]) -> None:
        """Count bytes, and sleep until the rate allows them, they are abandoned,
        or the limits change. Called in a thread."""
        rate = self._bytes
        if rate is None:
            return
        with self._lock:
            now = self._clock()
            rate.spend(now, size)
            due = now + rate.wait(now)
        while (wait := due - self._clock()) > 0 and rate is self._bytes and not abandoned():
            self._block(min(wait, LONGEST_BREAK))

    async def _turn(self, *, decrypts: bool = False) -> None:
        while wait := self.turn(decrypts=decrypts):
            await self._sleep(min(wait, LONGEST_BREAK))

    def _counting(self, take: OnData, abandoned: Callable[[], object]) -> OnData:
        def counting(chunk: Chunk) -> None:
            take(chunk)
            self.received(len(chunk), abandoned)

        return counting


class _RateLimitedWork:
    """As `SmallObjectWork`, within the limits."""

    def __init__(self, work: SmallObjectWork, limits: RateLimitedStore) -> None:
        self.thread: SmallObjects | None = None
        self._work, self._limits = work, limits
        self._loop = asyncio.get_running_loop()
        self._ready: ObjectRef | None = None
        self.not_received = work.not_received
        self.before_wait = work.before_wait
        self.failed = work.failed

    def next(self) -> ObjectRef | None:
        if self._ready is None:
            self._ready = self._work.next()
        if self._ready is None:
            return None
        if wait := self._limits.turn(decrypts=True):
            wait = min(wait, LONGEST_BREAK)
            self._loop.call_soon_threadsafe(self._loop.call_later, wait, self._wake)
            return None
        ref, self._ready = self._ready, None
        return ref

    def received(self, ref: ObjectRef, meta: ObjectMeta, body: Sequence[bytes]) -> None:
        self._work.received(ref, meta, body)
        if not self._limits.unlimited:
            self._limits.responded(meta)
            self._limits.received(sum(map(len, body)), self._abandoned)

    def _abandoned(self) -> bool:
        return self.thread is not None and self.thread.closing

    def _wake(self) -> None:
        if self.thread is not None:
            self.thread.wake()
