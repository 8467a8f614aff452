"""One download, assembled: destination, access, engine. The command line comes through here as well.

Nothing is printed, and no signal is handled unless that is asked for.
"""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace

from s3haul.aws.session import OpenStore, checked_settings, open_store
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.engine.run import Job, haul
from s3haul.errors import DestinationError
from s3haul.events import Emit, Event, Warned
from s3haul.journal import SourceIdentity
from s3haul.options import AccessOptions, DestinationOptions, SourceOptions, TransferOptions

FILES_PER_REQUEST = 2  # a connection and a file
SPARE_FILES = 128  # kept directories, the journal, the libraries

_DEFAULT_ACCESS = AccessOptions()
_DEFAULT_TRANSFER = TransferOptions()


def _ignore(_told: object) -> None:
    """Nobody listens."""


async def download(
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    on_event: Emit = _ignore,
    on_open: Callable[[OpenStore], None] = _ignore,
    stats: Stats | None = None,
    handle_signals: bool = False,
) -> Stats:
    """Copy what is selected, and return the counts; `failed` and `skipped` in them tell what is not here.

    `on_event` is called on the event loop and must return at once; `on_open` learns how the bucket is reached.
    `stats` is counted into, so that it can be read during the run and after an error. With `handle_signals` INT,
    TERM and HUP end the run in order; that needs the main thread. Raises `S3HaulError` for what ends a run early.
    """
    stats = Stats() if stats is None else stats

    def emit(event: Event) -> None:
        stats.observe(event)
        on_event(event)

    checked_settings(access)  # a mistyped profile leaves nothing behind
    transfer = _within_open_files(transfer, emit)
    with closing(Destination.open(destination.root, force=destination.force)) as opened:
        opened.lock()  # before any request: a destination in use costs none
        async with open_store(access, source, transfer, on_event=emit) as bucket:
            on_open(bucket)
            job = Job(
                store=bucket.store,
                credentials=bucket.credentials,
                destination=opened,
                source=source,
                identity=SourceIdentity(source.bucket, source.base, bucket.effective.endpoint),
                options=bucket.transfer,
                timings=bucket.timings,
                file_name=destination.name,
                handle_signals=handle_signals,
            )
            await haul(job, stats, emit)
    return stats


async def download_events(
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    stats: Stats | None = None,
) -> AsyncIterator[Event]:
    """`download` as a stream of its events. Closing the iterator (`contextlib.aclosing`) cancels the run."""
    told: asyncio.Queue[Event | None] = asyncio.Queue()
    running = asyncio.create_task(
        download(source, destination, access=access, transfer=transfer, on_event=told.put_nowait, stats=stats)
    )
    running.add_done_callback(lambda _: told.put_nowait(None))
    try:
        while (event := await told.get()) is not None:
            yield event
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])


def _within_open_files(transfer: TransferOptions, emit: Emit) -> TransferOptions:
    """Raise the soft limit of open files as far as it goes; lower the concurrency if that is too little.

    A connection that finds no descriptor fails as if the server could not be reached.
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
            f"This process may open {soft} files only.",
            hint="raise ulimit -n to 256 or more",
            id="S3H-DST-08",
        )
    emit(Warned(f"Only {soft} files may be open: {fitting} requests at a time (see ulimit -n)", "S3H-DST-08"))
    return replace(transfer, concurrency=fitting)
