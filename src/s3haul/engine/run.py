"""One run: the task group that holds the producer, the workers and the refresher, and how it ends.

    outer group: credentials.run(), the journal's watchman
        inner group: produce(listing -> batches of small objects, channel), N x work(channel -> Outcome), a tick a second
    inner done -> outer tasks cancelled -> journal flushed and closed with the run's books

Exceptions that end a run leave here flattened: exactly one error, the most telling one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial

from s3haul.core.adaptive import AdaptiveLimit
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.engine.channel import Channel
from s3haul.engine.context import Context, RoleCredentials
from s3haul.engine.decision import Target
from s3haul.engine.disk_watch import watch_disk
from s3haul.engine.listing import finish, produce
from s3haul.engine.live_limits import follow_limits
from s3haul.engine.object import transfer
from s3haul.engine.signals import Interruption
from s3haul.engine.small_objects import SmallObjectFetcher, is_plain
from s3haul.engine.tasks import most_telling
from s3haul.engine.workers import DenialWatch, WorkerPool, conclude, limit_backlog
from s3haul.errors import InterruptedRunError
from s3haul.events import Emit, PartialsKept, Tick, Warned
from s3haul.journal import Journal, SourceIdentity
from s3haul.journal.location import journal_path
from s3haul.models import Outcome
from s3haul.options import SourceOptions, TransferOptions
from s3haul.store.limited import LimitedStore, fitting
from s3haul.store.limiter import ConcurrencyLimiter
from s3haul.store.protocol import ObjectStore
from s3haul.threads import shielded

FILE_THREADS = 8
QUEUE = 4096  # targets that wait for a worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to haul, whence, whereto. `destination` is open and locked; `run` neither opens nor closes it."""

    store: ObjectStore
    credentials: RoleCredentials | None
    destination: Destination
    source: SourceOptions
    identity: SourceIdentity
    options: TransferOptions
    file_name: str | None = None
    handle_signals: bool = True  # INT, TERM and HUP end the run in order; for the main thread only
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic


async def haul(job: Job, stats: Stats, emit: Emit) -> None:
    """Run the job to its end; `stats` must hear what `emit` is told.

    Raises `S3HaulError` when something ended the run early; the journal is in order in any case.
    """
    interruption = Interruption(emit)
    with interruption.handled() if job.handle_signals else nullcontext():
        failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        journal = _open_journal(job, failure)
        try:
            await shielded(asyncio.to_thread(_clear_temporary, job, journal))
            number = await shielded(asyncio.to_thread(journal.begin_run))
            with ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="s3haul-file") as threads:
                store = LimitedStore(job.store, job.options.limits, clock=job.clock, sleep=job.sleep)
                ctx = _context(job, store, journal, threads, emit)
                try:
                    await _work_through(ctx, job, store, failure, interruption)
                finally:
                    await shielded(asyncio.to_thread(journal.flush))
                    _tell_limitations(ctx)
                    await shielded(asyncio.to_thread(_report_partials, journal, emit))
            await shielded(asyncio.to_thread(_end_run, journal, number, stats))
        finally:
            await shielded(asyncio.to_thread(journal.close))


def _clear_temporary(job: Job, journal: Journal) -> None:
    """Only files that the journal knows can be gone on with."""
    job.destination.clear_temporary(kept={partial.temporary for partial in journal.partials()})


def _report_partials(journal: Journal, emit: Emit) -> None:
    """What the next run goes on with, if anything."""
    if partials := journal.partials():
        blocks = (block for partial in partials for block in journal.blocks(partial.temporary))
        emit(PartialsKept(len(partials), sum(block.size for block in blocks)))


def _end_run(journal: Journal, number: int, stats: Stats) -> None:
    journal.end_run(
        number,
        complete=stats.balanced,
        exit_code=stats.exit_code,
        listed=stats.selected,
        listed_bytes=stats.selected_bytes,
    )


def _open_journal(job: Job, failure: asyncio.Future[BaseException]) -> Journal:
    loop = asyncio.get_running_loop()

    def tell(error: BaseException) -> None:
        if not failure.done():
            failure.set_result(error)

    def on_error(error: BaseException) -> None:
        loop.call_soon_threadsafe(tell, error)

    def sync() -> None:
        job.destination.check_alive()
        job.destination.sync()

    return Journal.open(journal_path(job.destination.root), job.identity, sync=sync, on_error=on_error)


def _context(
    job: Job, store: ObjectStore, journal: Journal, threads: ThreadPoolExecutor, emit: Emit
) -> Context:
    options = fitting(job.options, job.options.bandwidth)
    return Context(
        store=store,
        credentials=job.credentials,
        destination=job.destination,
        journal=journal,
        source=job.source,
        options=options,
        limiter=ConcurrencyLimiter(
            AdaptiveLimit(ceiling=options.concurrency), clock=job.clock, sleep=job.sleep
        ),
        threads=threads,
        emit=emit,
        file_name=job.file_name,
        sleep=job.sleep,
        clock=job.clock,
    )


async def _work_through(
    ctx: Context,
    job: Job,
    store: LimitedStore,
    failure: asyncio.Future[BaseException],
    interruption: Interruption,
) -> None:
    try:
        async with asyncio.TaskGroup() as outer:
            helpers = [outer.create_task(_watch(failure))]
            helpers.append(outer.create_task(follow_limits(ctx, store, job.options)))
            helpers.append(outer.create_task(watch_disk(ctx, interruption.leave)))
            if job.credentials is not None:
                helpers.append(outer.create_task(job.credentials.run()))
            await _haul_objects(ctx, interruption)
            for helper in helpers:
                helper.cancel()
    except BaseExceptionGroup as group:
        raise most_telling(group) from group
    if interruption.number is not None:
        raise InterruptedRunError(interruption.number, "Interrupted.", hint="the same command again resumes")


async def _watch(failure: asyncio.Future[BaseException]) -> None:
    raise await failure


async def _haul_objects(ctx: Context, interruption: Interruption) -> None:
    channel: Channel[Target] = Channel(QUEUE)
    watch = DenialWatch(ctx.limiter.health)

    def record(outcomes: Sequence[Outcome]) -> None:
        finish(ctx, outcomes)
        for outcome in outcomes:
            ctx.kms_throttling.saw(outcome)
        watch.succeeded(outcomes[-1])

    small = SmallObjectFetcher(ctx, record, channel.push)

    async def see_through(target: Target) -> None:
        outcome = await transfer(ctx, target)
        ctx.kms_throttling.saw(outcome)
        await conclude(ctx, outcome, watch)
        small.ended(target.ref.key)

    async def queue(targets: Sequence[Target]) -> None:
        await limit_backlog(ctx)
        plain = [target for target in targets if small.available and is_plain(target)]
        await small.submit(plain)
        in_batches = {target.ref.key for target in plain}
        for target in targets:
            if target.ref.key not in in_batches:
                await channel.send(target)

    with closing(small):
        async with asyncio.TaskGroup() as inner:
            producer = inner.create_task(produce(ctx, queue))
            workers = WorkerPool(inner, ctx.limiter, channel, see_through, ctx.kms_throttling.taken)
            ctx.kms_throttling.on_entry = partial(_parked, small, workers)
            ticker = inner.create_task(_tick(ctx, small.wake))
            inner.create_task(_close_after(producer, small, channel, ticker))

            def drain() -> None:
                small.drain()
                channel.discard()
                producer.cancel()

            def cancel() -> None:
                small.close()
                workers.cancel()

            interruption.drain, interruption.cancel = drain, cancel
            if interruption.number is not None:  # the signal came first
                drain()
                cancel()


def _parked(small: SmallObjectFetcher, workers: WorkerPool, key: str) -> None:
    """An object waits for KMS; others take its place."""
    small.ended(key)
    workers.grow()
    small.wake()


async def _close_after(
    producer: asyncio.Task[None],
    small: SmallObjectFetcher,
    channel: Channel[Target],
    ticker: asyncio.Task[None],
) -> None:
    """Let the workers end once nothing can come any more: the listing has ended or was cut short, and so have the
    batches, which may hand objects back until then."""
    try:
        await asyncio.wait([producer])
        await small.join()
    finally:
        channel.close()
        ticker.cancel()


async def _tick(ctx: Context, wake: Callable[[], None]) -> None:
    while True:
        _tell_limitations(ctx)
        await asyncio.sleep(1.0)
        ctx.emit(Tick())
        wake()


def _tell_limitations(ctx: Context) -> None:
    """What the destination's disk turned out to refuse."""
    for sentence in ctx.destination.untold_limitations():
        ctx.emit(Warned(sentence, "S3H-DST-12"))
