"""`download`: combines destination, access and engine to one run. The command line uses it, too.

Nothing is printed, and signals are handled only on request.
"""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace

from s3haul.api.objects import object_source, store_for
from s3haul.aws.session import OpenStore, checked_settings, open_store
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.engine.run import Job, haul
from s3haul.errors import DestinationError
from s3haul.events import Emit, Event, Warned
from s3haul.journal import SourceIdentity
from s3haul.options import AccessOptions, DestinationOptions, SourceOptions, TransferOptions
from s3haul.policies.buckets import check_bucket
from s3haul.store.protocol import OnTiming

FILES_PER_REQUEST = 2  # a connection and a file
SPARE_FILES = 128  # cached directories, the journal, libraries

_DEFAULT_ACCESS = AccessOptions()
_DEFAULT_TRANSFER = TransferOptions()


def _ignore(_event: object) -> None:
    """The default callback."""


async def download(
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    on_event: Emit = _ignore,
    on_open: Callable[[OpenStore], None] = _ignore,
    on_timing: OnTiming | None = None,
    stats: Stats | None = None,
    handle_signals: bool = False,
) -> Stats:
    """Copy the selected objects, and return the counts; `failed` and `skipped` list the objects that are not here.

    `on_event` is called on the event loop and must not block. `on_open` gets the opened store, `on_timing` how long
    each request took (in threads; with the curl transport only). If `stats` is given, the
    counts are added to it, so they can be read during the run and after an error. With `handle_signals`, SIGINT,
    SIGTERM and SIGHUP end the run after it has saved its state; that needs the main thread. Raises `S3HaulError` for an
    error that ends the run early.
    """
    check_bucket(source.bucket)
    stats = Stats() if stats is None else stats

    def emit(event: Event) -> None:
        stats.observe(event)
        on_event(event)

    checked_settings(access)  # a mistyped profile leaves nothing behind
    transfer = within_open_files(transfer, emit)
    with closing(Destination.open(destination.root, force=destination.force)) as opened:
        opened.lock()  # before any request: a destination in use costs none
        async with (
            open_store(access, source, transfer, on_event=emit, on_timing=on_timing) as bucket,
            object_source(access, source, transfer, emit) as objects,
        ):
            on_open(bucket)
            job = replace(
                job_on(bucket, source, opened),
                store=store_for(bucket.store, source),
                objects=objects,
                file_name=destination.name,
                handle_signals=handle_signals,
            )
            await haul(job, stats, emit)
    return stats


def job_on(bucket: OpenStore, source: SourceOptions, destination: Destination) -> Job:
    """The job that copies everything of an open bucket to an open destination. It handles no signals."""
    return Job(
        store=bucket.store,
        credentials=bucket.credentials,
        destination=destination,
        source=source,
        identity=SourceIdentity(source.bucket, source.base, bucket.effective.endpoint),
        options=bucket.transfer,
        timings=bucket.timings,
        handle_signals=False,
    )


async def download_events(
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    stats: Stats | None = None,
) -> AsyncIterator[Event]:
    """`download` as a stream of its events. Closing the iterator (`contextlib.aclosing`) cancels the run."""
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    running = asyncio.create_task(
        download(
            source, destination, access=access, transfer=transfer, on_event=events.put_nowait, stats=stats
        )
    )
    running.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield event
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])


def within_open_files(transfer: TransferOptions, emit: Emit) -> TransferOptions:
    """Raise the soft limit of open files as far as it goes; lower the concurrency if that is too little.

    Without a free descriptor, a connection would fail as if the server could not be reached.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_PER_REQUEST * transfer.concurrency + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return transfer
    fitting = (soft - SPARE_FILES) // FILES_PER_REQUEST
    if fitting < 1:
        raise DestinationError(
            f"This process may open only {soft} files.",
            hint="raise ulimit -n to 256 or more",
            id="S3H-DST-08",
        )
    emit(
        Warned(
            f"Only {soft} files may be open: using {fitting} parallel requests (see ulimit -n)", "S3H-DST-08"
        )
    )
    return replace(transfer, concurrency=fitting)
