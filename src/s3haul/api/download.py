"""`download`: combines access, the source of the objects, destination and engine to one run.
The command line uses it, too.

Nothing is printed, and signals are handled only on request.
"""

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

from s3haul.aws.session import OpenStore, checked_settings, open_store
from s3haul.concurrency import shielded
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.engine.context import ObjectSource, read_context
from s3haul.engine.object_sources import ListedObjects, StoredReport
from s3haul.engine.run import Job, run_job
from s3haul.engine.version_source import VersionStore
from s3haul.errors import DestinationError, UsageError
from s3haul.events import CredentialsRenewed, Emit, Event, Retrying, Warned, ignore
from s3haul.journal import SourceIdentity
from s3haul.options import (
    AccessOptions,
    DestinationOptions,
    ListForm,
    ObjectList,
    SourceOptions,
    TransferOptions,
)
from s3haul.policies.buckets import check_bucket, check_source
from s3haul.sources.inventory import MANIFEST, Inventory, LocalReport
from s3haul.sources.lists import ListFile
from s3haul.store.protocol import ObjectStore, OnTiming

FILES_PER_REQUEST = 2  # a connection and a file
OTHER_FILES = 128  # cached directories, the journal, libraries
MOST_EVENTS = 10_000  # that wait for the reader of the stream; objects under way may add some thousands

_DEFAULT_ACCESS = AccessOptions()
_DEFAULT_TRANSFER = TransferOptions()


async def download(
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    on_event: Emit = ignore,
    on_open: Callable[[OpenStore], None] = ignore,
    on_timing: OnTiming | None = None,
    pace: Callable[[], Awaitable[None]] | None = None,
    stats: Stats | None = None,
    handle_signals: bool = False,
) -> Stats:
    """Copy the selected objects, and return the counts;
    `failed` and `skipped` have the objects that are not here.

    `on_event` is called on the event loop and must not block; `pace`, if given, is awaited before the objects
    of each page of the listing are begun, so that a slow listener can hold the run back. `on_open` gets the
    opened store, `on_timing` the duration of each request (in threads; only with the curl transport). Neither
    may raise. If `stats` is given, the counts are added to it, so they can be read during the run and after
    an error. With `handle_signals`, SIGINT, SIGTERM and SIGHUP end the run after it has saved its state; that
    needs the main thread. Raises `S3HaulError` for an error that ends the run early.
    """
    check_source(source)
    stats = Stats() if stats is None else stats

    def emit(event: Event) -> None:
        stats.observe(event)
        on_event(event)

    # In threads, like everything that reads files: a caller may have other things on this event loop.
    await shielded(asyncio.to_thread(checked_settings, access))  # a wrong profile name creates no directory
    transfer = within_open_files(transfer, emit)
    with ExitStack() as stack:
        # On the stack before the thread ends: a cancelled call keeps no lock.
        opened = await shielded(asyncio.to_thread(_open_destination, destination, stack))
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
                pace=pace,
            )
            await run_job(job, stats, emit)
    return stats


def job_on(bucket: OpenStore, source: SourceOptions, destination: Destination) -> Job:
    """The job that copies everything of an open bucket to an open destination. It handles no signals."""
    return Job(
        store=bucket.store,
        credentials=bucket.credentials,
        destination=destination,
        source=source,
        identity=identity_of(source, bucket.endpoint),
        options=bucket.transfer,
        timings=bucket.timings,
        handle_signals=False,
    )


def identity_of(source: SourceOptions, endpoint: str) -> SourceIdentity:
    """The source as the journal records it."""
    key = None if source.recursive else source.prefix
    return SourceIdentity(source.bucket, source.base, endpoint, key)


async def download_events(
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    stats: Stats | None = None,
) -> AsyncIterator[Event]:
    """`download` as a stream of its events. Closing the iterator (`contextlib.aclosing`) cancels the run.
    While more than `MOST_EVENTS` wait to be read, no more objects are begun."""
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    room = asyncio.Event()
    room.set()

    def put(event: Event | None) -> None:
        events.put_nowait(event)
        if events.qsize() > MOST_EVENTS:
            room.clear()

    async def pace() -> None:
        await room.wait()

    running = asyncio.create_task(
        download(source, destination, access=access, transfer=transfer, on_event=put, pace=pace, stats=stats)
    )
    running.add_done_callback(lambda _: put(None))
    try:
        while (event := await events.get()) is not None:
            if events.qsize() <= MOST_EVENTS:
                room.set()
            yield event
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # whoever closes the iterator early does not ask for it


def _open_destination(options: DestinationOptions, stack: ExitStack) -> Destination:
    """The open destination, locked before any request is sent. `stack` closes it."""
    opened = stack.enter_context(closing(Destination.open(options.root, force=options.force)))
    opened.lock()
    return opened


def raise_open_files(concurrency: int) -> None:
    """Raise the soft limit of open files as far as a run needs and the hard limit allows. It holds for the
    whole process, so only programs of our own call this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_PER_REQUEST * concurrency + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def within_open_files(transfer: TransferOptions, emit: Emit) -> TransferOptions:
    """The options, with a lower concurrency if this process may not open enough files.

    Without a free descriptor, a connection would fail as if the server could not be reached.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    fitting = (soft - OTHER_FILES) // FILES_PER_REQUEST
    if soft == resource.RLIM_INFINITY or fitting >= transfer.concurrency:
        return transfer
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


_SCHEME = "s3://"
_REPORTED = (Warned, Retrying, CredentialsRenewed)


@asynccontextmanager
async def object_source(
    access: AccessOptions, source: SourceOptions, transfer: TransferOptions, emit: Emit
) -> AsyncIterator[ObjectSource | None]:
    """Open the list of objects that the source names, until the run ends; None is the listing of the bucket.
    Raises `S3HaulError`."""
    objects = source.objects
    if objects is None:
        yield None
    elif objects.form is not ListForm.INVENTORY:
        yield ListedObjects(ListFile(objects, source.bucket, source.prefix))
    elif objects.location.startswith(_SCHEME):
        async with _stored_report(objects, access, source, transfer, emit) as report:
            yield ListedObjects(Inventory(report, source.bucket, source.prefix))
    else:
        path = Path(objects.location)
        with suppress(OSError):  # reading it will report the error
            path = path / MANIFEST if await asyncio.to_thread(path.is_dir) else path
        yield ListedObjects(Inventory(LocalReport(path), source.bucket, source.prefix))


def store_for(store: ObjectStore, source: SourceOptions) -> ObjectStore:
    """The store for the objects of `object_source`."""
    return VersionStore(store) if source.all_versions else store


@asynccontextmanager
async def _stored_report(
    objects: ObjectList, access: AccessOptions, source: SourceOptions, transfer: TransferOptions, emit: Emit
) -> AsyncIterator[StoredReport]:
    """A report in S3, read through its own store: conditions such as --sse apply to the
    objects, not to the report."""
    bucket, _, key = objects.location.removeprefix(_SCHEME).partition("/")
    check_bucket(bucket)
    if not key.endswith(MANIFEST):
        raise UsageError(
            f"--inventory takes the {MANIFEST} of one report.",
            hint=f"s3://BUCKET/PREFIX/SOURCE-BUCKET/NAME/2026-01-31T01-00Z/{MANIFEST}",
        )
    place = SourceOptions(bucket=bucket, prefix=key, recursive=False, request_payer=source.request_payer)
    plain = replace(transfer, sse=None, sse_kms_key_id=None, require_checksum=False)

    def report(event: Event) -> None:
        if isinstance(event, _REPORTED):
            emit(event)

    async with open_store(access, place, plain, on_event=report) as opened:
        yield StoredReport(
            read_context(opened.store, place, opened.transfer, report, credentials=opened.credentials)
        )
