"""Makes the plan in RUN from a listing, which is read once: nothing later lists again.

`plan_listing` takes the engine's listing of a bucket; `make_plan` takes pages of entries from any source:
objects, and entries that name none, in the order of their keys.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from s3haul.api.download import identity_of
from s3haul.aws.session import OpenStore, open_store
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.plan import Cutter, Shard, ShardSize, encode_record
from s3haul.cluster.records import RunDescription, without_secrets
from s3haul.concurrency import in_thread
from s3haul.core.filters import key_selector, object_selector
from s3haul.core.key_ranges import prefix_end
from s3haul.core.text import key_octets
from s3haul.disk import Destination
from s3haul.engine.context import read_context
from s3haul.engine.listing import look_up
from s3haul.engine.parallel_listing import CurrentLister, ParallelListing
from s3haul.errors import UsageError
from s3haul.events import Emit, ignore
from s3haul.journal import Reader
from s3haul.journal.database import is_there, journal_path, refuse_other_bucket
from s3haul.journal.errors import other_source
from s3haul.models import ObjectRef, UnusableEntry
from s3haul.options import AccessOptions, DestinationOptions, Existing, SourceOptions, TransferOptions

Entry = ObjectRef | UnusableEntry


async def plan_listing(
    directory: RunDirectory,
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions,
    transfer: TransferOptions,
    size: ShardSize,
    node_local: bool = False,
    on_event: Emit = ignore,
    progress: Callable[[int], None] = ignore,
) -> RunDescription:
    """List the source, and write its plan. `node_local`: every node has a destination of its own. `progress`
    gets the number of objects. Raises `S3HaulError`."""
    refuse_what_cannot_be_shared(access, transfer)
    if not node_local:
        with Destination.open(destination.root, force=destination.force):
            pass  # it can be used, at least on this machine
        _refuse_shared(destination.root, source)
    async with open_store(access, source, transfer, on_event=on_event) as bucket:
        endpoint = bucket.endpoint
        run = new_run(
            source, destination, access=access, transfer=transfer, endpoint=endpoint, node_local=node_local
        )
        return await make_plan(directory, run, size, _listed(bucket, source, on_event), progress=progress)


def _refuse_shared(root: Path, source: SourceOptions) -> None:
    """Raise `JournalError` if objects of other prefixes are in the destination: workers do not know which
    files are theirs, and would replace them."""
    path = journal_path(root)
    if not is_there(path):
        return
    with Reader(path) as reader:
        if reader.is_empty:
            return
        refuse_other_bucket(reader.source.bucket, source.bucket, path)
        reader.refuse_nested(identity_of(source, ""))
        end = prefix_end(source.base)
        others = reader.keys_between("", source.base, 1)
        if end is not None:
            others += reader.keys_between(end, None, 1)
        if others:
            raise other_source(f"{path} also has objects of another prefix, such as {others[0]!a}", path)


def refuse_what_cannot_be_shared(access: AccessOptions, transfer: TransferOptions) -> None:
    """Raises `UsageError` for options that only a single process supports."""
    without_secrets(access)
    if transfer.existing is Existing.SKIP:
        raise UsageError(
            "A run of many processes does not support --existing skip.",
            hint="a shard that is tried again finds files of its failed attempt; use s3haul cp --existing skip",
        )


def new_run(
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions,
    transfer: TransferOptions,
    endpoint: str,
    node_local: bool = False,
) -> RunDescription:
    """The description of a run before it is planned, without secrets.
    The path of the destination is the same on every node."""
    return RunDescription(
        created=time.time(),
        source=source,
        destination=str(destination.root.absolute()),
        force=destination.force,
        node_local=node_local,
        access=without_secrets(access),
        external_id_apart=access.external_id is not None
        or (access.role is not None and access.role.external_id is not None),
        transfer=transfer,
        endpoint=endpoint,
    )


async def _listed(bucket: OpenStore, source: SourceOptions, on_event: Emit) -> AsyncIterator[Sequence[Entry]]:
    ctx = read_context(bucket.store, source, bucket.transfer, on_event, credentials=bucket.credentials)
    if not source.recursive:
        yield [await look_up(ctx)]
        return
    # A plan needs the order of the keys.
    listing = ParallelListing(ctx, CurrentLister(ctx), (source.prefix,), limit=1)
    async with aclosing(listing.pages()) as pages:
        async for page in pages:
            yield in_order(page.refs, page.unusable)


def in_order(refs: Sequence[ObjectRef], unusable: Sequence[UnusableEntry]) -> Sequence[Entry]:
    """All entries of a page in the order of S3, which is that of the bytes,
    also for keys that are not UTF-8."""
    if not unusable:
        return refs
    return sorted((*refs, *unusable), key=lambda entry: key_octets(entry.key))


async def make_plan(
    directory: RunDirectory,
    run: RunDescription,
    size: ShardSize,
    pages: AsyncIterator[Sequence[Entry]],
    *,
    progress: Callable[[int], None] = ignore,
) -> RunDescription:
    """Write the plan of all objects in `pages` that the filters select. Returns the complete description of
    the run. Raises what `pages` raise."""
    planner = _Planner(directory, run, size)
    async for page in pages:
        await in_thread(None, planner.take, page)
        progress(planner.objects)
    await in_thread(None, planner.store, planner.cutter.end())
    index_sha256, late_sha256 = directory.write_index(b"".join(planner.records), planner.cutter.late)
    run = replace(
        run,
        run_id=hashlib.sha256(f"{index_sha256}{run.created}{directory.root}".encode()).hexdigest()[:12],
        shards=len(planner.records),
        objects=planner.objects,
        bytes=planner.bytes,
        filtered=planner.filtered,
        index_sha256=index_sha256,
        late_sha256=late_sha256,
    )
    directory.write_description(run)
    return run


class _Planner:
    """Cuts, writes and counts shards. At most one shard is in memory."""

    def __init__(self, directory: RunDirectory, run: RunDescription, size: ShardSize) -> None:
        self.cutter = Cutter(size)
        self.records: list[bytes] = []
        self.objects = self.bytes = self.filtered = 0
        self._directory = directory
        self._selects = object_selector(run.transfer, run.source.base)
        self._selects_key = key_selector(run.transfer, run.source.base)

    def take(self, page: Iterable[Entry]) -> None:
        """Add one page. Runs in a thread."""
        for entry in page:
            if isinstance(entry, ObjectRef):
                selected = self._selects(entry)
                self.store(self.cutter.add(entry, selected=selected))
            elif selected := self._selects_key(entry.key):
                self.store(self.cutter.add_unusable(entry))
            self.filtered += not selected

    def store(self, shards: Iterable[Shard]) -> None:
        """Write full shards."""
        for shard in shards:
            record = self._directory.write_shard(shard)
            self.records.append(encode_record(record))
            self.objects += record.objects
            self.bytes += record.bytes
