"""Where a target goes: small plain objects to the thread for small objects, all others to the workers.

listing --> queue --> small_objects --> outcomes --> finish
              |             | what is not plain
              v             v
            channel <-------+
              `--> workers --> object.transfer --> finish

`DenialWatch` distinguishes a few refused objects from a role that has lost its permissions.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from typing import Generic, TypeVar

from s3haul.concurrency import in_thread, spawn
from s3haul.core.limits import Health
from s3haul.core.stats import Timings
from s3haul.diagnose.reasons import REFUSED, run_error
from s3haul.engine.context import Context
from s3haul.engine.interruption import Interruption, RunLimits
from s3haul.engine.listing import produce
from s3haul.engine.object import transfer
from s3haul.engine.object_sources import since_listed
from s3haul.engine.periodic import tick
from s3haul.engine.small_objects import SmallObjectFetcher
from s3haul.engine.target import Target, finish, is_plain
from s3haul.errors import Fault, FaultKind
from s3haul.models import Outcome, State
from s3haul.store.limiter import ConcurrencyLimiter
from s3haul.store.retrying import GaveUpError

QUEUE = 4096  # targets that wait for a worker
DENIALS_IN_A_ROW = 100
_STATUS = {"kms-key-unusable": 400}
MAX_BACKLOG = 20_000  # outcomes; with more, the workers wait for the disk instead of filling the memory
T = TypeVar("T")


class Dispatcher:
    """Created on the event loop, for one run."""

    def __init__(
        self,
        ctx: Context,
        limits: RunLimits,
        timings: Timings,
        pace: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._ctx, self._limits, self._timings, self._pace = ctx, limits, timings, pace
        self._channel: Channel[Target] = Channel(QUEUE)
        self._denials = DenialWatch(ctx.limiter.health)
        self._small = SmallObjectFetcher(ctx, self._record, self._channel.push)
        self._producer: asyncio.Task[None]
        self._workers: WorkerPool

    async def run(self, interruption: Interruption) -> None:
        """Copy everything that is listed. Raises what ends the run, perhaps as a group."""
        ctx = self._ctx
        with closing(self._small), interruption.calls(drain=self._drain, cancel=self._cancel):
            async with asyncio.TaskGroup() as group:
                self._producer = group.create_task(produce(ctx, self._queue))
                self._workers = WorkerPool(
                    group, ctx.limiter, self._channel, self._process, ctx.kms_throttling.count
                )
                ctx.kms_throttling.call_on_entry(self._waits_for_kms)
                ticker = group.create_task(tick(ctx, self._small.wake, self._limits, interruption))
                group.create_task(self._close_channel(ticker))
                if interruption.signal is not None:  # the signal arrived before the tasks
                    self._drain()
                    self._cancel()

    async def _queue(self, targets: Sequence[Target]) -> None:
        """Take the targets of one page of the listing; wait while too many are queued."""
        await limit_backlog(self._ctx)
        if self._pace is not None:
            await self._pace()
        targets = self._limits.fitting(targets)
        plain = [target for target in targets if is_plain(target)] if self._small.available else []
        await self._small.submit(plain)
        small = {target.ref.key for target in plain}
        for target in targets:
            if target.ref.key not in small:
                await self._channel.send(target)
        if self._limits.transfer_exhausted:
            self._producer.cancel()  # what it would list may not be begun

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        """Small objects are done."""
        finish(self._ctx, outcomes)
        for outcome in outcomes:
            self._ctx.kms_throttling.observe(outcome)
        self._denials.not_refused(outcomes[-1])

    async def _process(self, target: Target) -> None:
        """Bring one target to its Outcome, in a worker. Raises what ends the run."""
        ctx, began = self._ctx, self._ctx.clock()
        outcome = await transfer(ctx, target, self._limits.fits)
        if outcome is None:  # its bytes do not fit into --max-transfer
            self._producer.cancel()
            return
        if ctx.objects is not None:
            outcome = since_listed(ctx, target, outcome)
        self._timings.add_object(target.ref.key, target.ref.size, ctx.clock() - began)
        ctx.kms_throttling.observe(outcome)
        finish(ctx, (outcome,))
        await limit_backlog(ctx)
        await self._denials.observe(ctx, outcome)
        self._small.finished(target.ref.key)

    def _waits_for_kms(self, key: str) -> None:
        """Others may use the worker of this object, and its place among those that were handed back."""
        self._small.finished(key)
        self._workers.grow()
        self._small.wake()

    async def _close_channel(self, ticker: asyncio.Task[None]) -> None:
        """Close the channel once no target can arrive any more: after the listing and the small objects,
        which may be handed back until then."""
        try:
            await self._small.join(self._producer)
        finally:
            self._channel.close()
            ticker.cancel()

    def _drain(self) -> None:
        """Start nothing more."""
        self._small.drain()
        self._channel.discard()
        self._producer.cancel()

    def _cancel(self) -> None:
        """Abandon what is under way."""
        self._small.close()
        self._workers.cancel()


class DenialWatch:
    """Counts consecutive refusals over all workers, and remembers an object that the role could read."""

    def __init__(self, health: Health) -> None:
        self._in_a_row = 0
        self._health = health

    def not_refused(self, outcome: Outcome) -> None:
        """An object has another outcome than a refusal, perhaps a failure."""
        self._in_a_row = 0
        if outcome.state is State.DONE and outcome.ref.size:
            self._health.good = outcome.ref.key

    async def observe(self, ctx: Context, outcome: Outcome) -> None:
        """Raises `S3HaulError` if everything is refused now,
        including an object that could be read before."""
        if outcome.reason not in REFUSED:
            self.not_refused(outcome)
            return
        self._in_a_row += 1
        if self._in_a_row < DENIALS_IN_A_ROW:
            return
        self._in_a_row = 0
        fault: Fault | None = _fault_of(outcome)
        if self._health.good:
            fault = await _refusal(ctx, self._health.good)
        if fault is not None:
            raise run_error(fault, ctx.store.reading)


async def _refusal(ctx: Context, key: str) -> Fault | None:
    """Why an object that could be read before is refused now; None if it can be read, or is gone."""
    try:
        await ctx.store.read_byte(key)
    except GaveUpError as gave_up:
        return gave_up.fault if gave_up.action.reason in REFUSED else None
    return None


def _fault_of(outcome: Outcome) -> Fault:
    """The fault behind an outcome, as far as the outcome shows."""
    code, _, message = (outcome.detail or "").partition(": ")
    return Fault(FaultKind.HTTP, message, code=code, status=_STATUS.get(outcome.reason or "", 403))


class ChannelClosedError(Exception):
    """Receive: closed and empty. Send: closed."""


class Channel(Generic[T]):
    """A closable bounded queue between one producer and many workers. `close` lets receivers drain what is
    left; `discard` throws that away first.

    `asyncio.Queue` cannot be closed before Python 3.13, and workers must learn that the listing has ended
    without one sentinel per worker. Each waiting task has a future of its own and is woken alone, so hundreds
    of waiting workers cost nothing.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._senders: deque[asyncio.Future[None]] = deque()
        self._receivers: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def send(self, item: T) -> None:
        """Wait for room, then hand over. Raises `ChannelClosedError` when nobody will receive."""
        while not self._closed and len(self._items) >= self._capacity:
            await _wait(self._senders)
        if self._closed:
            raise ChannelClosedError
        self._items.append(item)
        _wake(self._receivers)

    def push(self, item: T) -> None:
        """Hand over at once, also beyond the capacity: for callers that bound what they push."""
        self._items.append(item)
        _wake(self._receivers)

    async def receive(self) -> T:
        """The next item. Raises `ChannelClosedError` after the last one."""
        while not self._items:
            if self._closed:
                raise ChannelClosedError
            await _wait(self._receivers)
        item = self._items.popleft()
        _wake(self._senders)
        return item

    def close(self) -> None:
        """No more sends; everybody who waits is woken. Closing twice is fine."""
        self._closed = True
        for waiters in (self._senders, self._receivers):
            while waiters:
                _wake(waiters)

    def discard(self) -> None:
        """Close and drop what nobody received yet."""
        self._items.clear()
        self.close()


async def _wait(waiters: deque[asyncio.Future[None]]) -> None:
    waiter = asyncio.get_running_loop().create_future()
    waiters.append(waiter)
    try:
        await waiter
    except asyncio.CancelledError:
        if waiter.done() and not waiter.cancelled():
            _wake(waiters)  # pass the wake-up on
        elif waiter in waiters:
            waiters.remove(waiter)
        raise


def _wake(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return


class WorkerPool:
    """Tasks of `group`, as many as requests may be under way, until the channel is closed and empty.

    `process` brings one target to its Outcome. `waiting_for_kms` returns how many workers wait
    for KMS: they are replaced.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        limiter: ConcurrencyLimiter,
        channel: Channel[Target],
        process: Callable[[Target], Awaitable[None]],
        waiting_for_kms: Callable[[], int] = lambda: 0,
    ) -> None:
        self._group = group
        self._limiter = limiter
        self._channel = channel
        self._process = process
        self._waiting_for_kms = waiting_for_kms
        self._workers: list[asyncio.Task[None]] = []
        self.grow()

    def cancel(self) -> None:
        for worker in self._workers:
            worker.cancel()

    def grow(self) -> None:
        """Start workers if more requests may be under way."""
        while len(self._workers) - self._waiting_for_kms() < self._limiter.limit:
            if (worker := spawn(self._group, self._work())) is None:
                return  # an object begins to wait for KMS while the run ends
            self._workers.append(worker)

    async def _work(self) -> None:
        while True:
            try:
                target = await self._channel.receive()
            except ChannelClosedError:
                return
            await self._process(target)
            self.grow()


async def limit_backlog(ctx: Context) -> None:
    """Wait for the journal if outcomes arrive faster than the disk stores them."""
    if ctx.journal.backlog > MAX_BACKLOG:
        await in_thread(ctx.threads, ctx.journal.flush)
