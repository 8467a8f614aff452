"""One run: which tasks it consists of, and how it ends.

    outer task group: the renewal of credentials, a task that waits for a failure of the journal, the
                      recorder, and two that look once a second for changed limits and for a disk that hangs
        inner task group (`dispatch`): the listing, the workers, a tick a second
    inner group done -> with --reconcile, the bucket is listed again -> outer tasks cancelled
                     -> journal flushed, the end of the run recorded in it, journal closed

An exception group never leaves this module: it raises one error, the most informative one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from s3haul.concurrency import finish_future, main_error, shielded
from s3haul.core.stats import Stats, Timings
from s3haul.disk import Destination
from s3haul.engine.context import Context, ObjectSource, read_context
from s3haul.engine.dispatch import Dispatcher
from s3haul.engine.interruption import Interruption, RunLimits
from s3haul.engine.periodic import Recorder, follow_limits, warn_of_limitations, watch_disk
from s3haul.engine.reconcile import reconcile
from s3haul.errors import InterruptedRunError
from s3haul.events import Emit, PartialsKept
from s3haul.journal import Journal, SourceIdentity
from s3haul.journal.database import journal_path
from s3haul.options import SourceOptions, TransferOptions
from s3haul.store.limiter import LargeTransferLimiter
from s3haul.store.protocol import ObjectStore, RenewableCredentials

FILE_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to copy, from where, to where. `destination` is open and locked;
    the run neither opens nor closes it.

    `journal` is the path of the journal if it is not in the destination. `shadowed` are keys that are
    directories of other keys which `store` does not list.
    """

    store: ObjectStore
    credentials: RenewableCredentials | None
    destination: Destination
    source: SourceOptions
    identity: SourceIdentity
    options: TransferOptions
    timings: Timings = field(default_factory=Timings)
    objects: ObjectSource | None = None  # None: the listing
    file_name: str | None = None
    journal: Path | None = None
    shadowed: frozenset[str] = frozenset()
    handle_signals: bool = True  # INT, TERM and HUP end the run in order; for the main thread only
    pace: Callable[[], Awaitable[None]] | None = None  # awaited before the objects of a page are begun
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic


async def run_job(job: Job, stats: Stats, emit: Emit) -> None:
    """Run the job to its end; `emit` must pass every event to `stats`.

    Raises `S3HaulError` if something ended the run early; the journal is complete in any case.
    """
    interruption = Interruption(emit)
    with interruption.handled() if job.handle_signals else nullcontext():
        failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        journal = _open_journal(job, failure)
        try:
            await shielded(asyncio.to_thread(_clear_temporary, job, journal))
            number = await shielded(asyncio.to_thread(journal.begin_run))
            with ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="s3haul-file") as threads:
                ctx = _context(job, journal, threads, emit)
                recorder = Recorder(ctx, number, stats, job.timings)
                try:
                    await _work_through(ctx, job, failure, interruption, recorder)
                finally:
                    recorder.end()
                    await shielded(asyncio.to_thread(journal.flush))
                    warn_of_limitations(ctx)
                    await shielded(asyncio.to_thread(_report_partials, journal, emit))
            await shielded(asyncio.to_thread(_end_run, journal, number, stats))
        finally:
            await _close(journal)


async def _close(journal: Journal) -> None:
    """In a thread, or on the event loop if the system gives no thread: the last commit needs the destination,
    which is closed next."""
    try:
        await shielded(asyncio.to_thread(journal.close))
    except RuntimeError:
        journal.close()


def _clear_temporary(job: Job, journal: Journal) -> None:
    """Remove temporary files, except those that the journal can resume."""
    job.destination.clear_temporary(kept={partial.temporary for partial in journal.committed.partials()})


def _report_partials(journal: Journal, emit: Emit) -> None:
    """Report what the next run can resume."""
    if partials := journal.committed.partials():
        blocks = (block for partial in partials for block in journal.committed.blocks(partial.temporary))
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

    def on_error(error: BaseException) -> None:
        loop.call_soon_threadsafe(finish_future, failure, error, None)

    def sync() -> None:
        job.destination.check_alive()
        job.destination.sync()

    path = job.journal or journal_path(job.destination.root)
    return Journal.open(path, job.identity, sync=sync, on_error=on_error)


def _context(job: Job, journal: Journal, threads: ThreadPoolExecutor, emit: Emit) -> Context:
    reading = read_context(
        job.store,
        job.source,
        job.options,
        emit,
        credentials=job.credentials,
        objects=job.objects,
        sleep=job.sleep,
        clock=job.clock,
    )
    return Context(
        **vars(reading),
        large_limiter=LargeTransferLimiter(reading.limiter, reading.options.ranges.memory),
        destination=job.destination,
        journal=journal,
        threads=threads,
        file_name=job.file_name,
        shadowed=job.shadowed,
    )


async def _work_through(
    ctx: Context,
    job: Job,
    failure: asyncio.Future[BaseException],
    interruption: Interruption,
    recorder: Recorder,
) -> None:
    try:
        async with asyncio.TaskGroup() as outer:
            helpers = [outer.create_task(_raise_failure(failure)), outer.create_task(recorder.watch())]
            helpers.append(outer.create_task(follow_limits(ctx, job.options)))
            helpers.append(outer.create_task(watch_disk(ctx, interruption.leave)))
            if job.credentials is not None:
                helpers.append(outer.create_task(job.credentials.run()))
            limits = RunLimits(ctx.options, ctx.clock())
            await Dispatcher(ctx, limits, job.timings, job.pace).run(interruption)
            exceeded = limits.error()
            if ctx.options.reconcile and exceeded is None and interruption.signal is None:
                await _reconcile(ctx, interruption)
            for helper in helpers:
                helper.cancel()
    except BaseExceptionGroup as group:
        raise main_error(group) from group
    if interruption.signal is not None:
        raise InterruptedRunError(interruption.signal, "Interrupted.", hint="the same command again resumes")
    if exceeded is not None:
        raise exceeded


async def _reconcile(ctx: Context, interruption: Interruption) -> None:
    """A signal ends it at once."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reconcile(ctx))
        with interruption.calls(drain=task.cancel, cancel=task.cancel):
            await asyncio.wait([task])


async def _raise_failure(failure: asyncio.Future[BaseException]) -> None:
    raise await failure
