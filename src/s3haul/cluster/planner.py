"""Makes the plan in RUN from a listing, which is read once: nothing later lists again.

`make_plan` takes pages from any source: objects, and entries that name none, in the order of their keys. `plan_listing`
gives it the engine's listing of a bucket.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from s3haul.aws.session import OpenStore, open_store
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.plan import Cutter, Shard, ShardSize, encode_record
from s3haul.cluster.records import RunDescription, without_secrets
from s3haul.concurrency import in_thread
from s3haul.core.filters import selector
from s3haul.core.text import key_octets
from s3haul.disk import Destination
from s3haul.engine.context import read_context
from s3haul.engine.listing import look_up
from s3haul.engine.parallel_listing import CurrentLister, ParallelListing
from s3haul.errors import UsageError
from s3haul.events import Emit
from s3haul.models import ObjectRef, UnusableEntry
from s3haul.options import AccessOptions, DestinationOptions, Existing, SourceOptions, TransferOptions


class Page(NamedTuple):
    """Some entries of a listing, all after those of the pages before it."""

    refs: list[ObjectRef]
    unusable: tuple[UnusableEntry, ...] = ()


class Planned(NamedTuple):
    """The progress of the planner."""

    shards: int
    objects: int
    bytes: int
    filtered: int


class Request(NamedTuple):
    """What to plan. `destination` is its path on every node; `endpoint` is stored in the description."""

    source: SourceOptions
    destination: Path
    force: bool
    access: AccessOptions
    transfer: TransferOptions
    size: ShardSize
    endpoint: str
    node_local: bool = False


def _ignore(_: object) -> None:
    """The default if nobody wants events or the progress."""


async def plan_listing(
    directory: RunDirectory,
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions,
    transfer: TransferOptions,
    size: ShardSize,
    node_local: bool = False,
    on_event: Emit = _ignore,
    progress: Callable[[Planned], None] = _ignore,
) -> RunDescription:
    """List the source, and write its plan. `node_local`: every node has a destination of its own. Raises
    `S3HaulError`."""
    refuse_what_cannot_be_shared(access, transfer)
    if not node_local:
        with Destination.open(destination.root, force=destination.force):
            pass  # it can be used, at least on this machine
    async with open_store(access, source, transfer, on_event=on_event) as bucket:
        request = Request(
            source,
            destination.root,
            destination.force,
            access,
            transfer,
            size,
            bucket.endpoint,
            node_local,
        )
        return await make_plan(directory, request, _listed(bucket, source, on_event), progress=progress)


def refuse_what_cannot_be_shared(access: AccessOptions, transfer: TransferOptions) -> None:
    """Raises `UsageError` for options that only a single process supports."""
    without_secrets(access)
    if transfer.existing is Existing.SKIP:
        raise UsageError(
            "A run of many processes does not support --existing skip.",
            hint="a shard that is tried again finds files of its failed attempt; use s3haul cp --existing skip",
        )


async def _listed(bucket: OpenStore, source: SourceOptions, on_event: Emit) -> AsyncIterator[Page]:
    ctx = read_context(bucket.store, source, bucket.transfer, on_event, credentials=bucket.credentials)
    if not source.recursive:
        yield Page([await look_up(ctx)])
        return
    # A plan needs the order of the keys.
    listing = ParallelListing(ctx, CurrentLister(ctx), (source.prefix,), limit=1)
    async with aclosing(listing.pages()) as pages:
        async for page in pages:
            yield Page(list(page.refs), tuple(page.unusable))


async def make_plan(
    directory: RunDirectory,
    request: Request,
    pages: AsyncIterator[Page],
    *,
    progress: Callable[[Planned], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> RunDescription:
    """Write the plan of all objects in `pages` that the filters select. Raises what `pages` raise."""
    access = without_secrets(request.access)
    planner = _Planner(directory, request)
    async for page in pages:
        await in_thread(None, planner.take, page)
        progress(planner.planned)
    await in_thread(None, planner.store, planner.cutter.end())
    planned = planner.planned
    index_sha256, late_sha256 = directory.write_index(b"".join(planner.records), planner.cutter.late)
    run = RunDescription(
        run_id=hashlib.sha256(f"{index_sha256}{clock()}{directory.root}".encode()).hexdigest()[:12],
        created=clock(),
        source=request.source,
        destination=str(request.destination.absolute()),
        force=request.force,
        node_local=request.node_local,
        access=access,
        external_id_apart=request.access.external_id is not None
        or (request.access.role is not None and request.access.role.external_id is not None),
        transfer=request.transfer,
        endpoint=request.endpoint,
        shards=planned.shards,
        objects=planned.objects,
        bytes=planned.bytes,
        filtered=planned.filtered,
        index_sha256=index_sha256,
        late_sha256=late_sha256,
    )
    directory.write_description(run)
    return run


class _Planner:
    """Cuts, writes and counts shards. At most one shard is in memory."""

    def __init__(self, directory: RunDirectory, request: Request) -> None:
        self.cutter = Cutter(request.size)
        self.records: list[bytes] = []
        self.planned = Planned(0, 0, 0, 0)
        self._directory = directory
        self._selected = selector(request.transfer.filters)
        self._base = len(request.source.base)

    def take(self, page: Page) -> None:
        """Add one page. Runs in a thread."""
        for entry in in_order(page):
            if not self._selected(entry.key[self._base :]):
                self.planned = self.planned._replace(filtered=self.planned.filtered + 1)
                if isinstance(entry, ObjectRef):
                    self.store(self.cutter.add(entry, selected=False))
            elif isinstance(entry, ObjectRef):
                self.store(self.cutter.add(entry))
            else:
                self.store(self.cutter.add_unusable(entry))

    def store(self, shards: Iterable[Shard]) -> None:
        """Write full shards."""
        for shard in shards:
            record = self._directory.write_shard(shard)
            self.records.append(encode_record(record))
            so_far = self.planned
            self.planned = so_far._replace(
                shards=so_far.shards + 1,
                objects=so_far.objects + record.objects,
                bytes=so_far.bytes + record.bytes,
            )


def in_order(page: Page) -> list[ObjectRef | UnusableEntry]:
    """All entries of a page in the order of S3, which is that of the bytes, also for keys that are not UTF-8."""
    if not page.unusable:
        return list(page.refs)
    return sorted((*page.refs, *page.unusable), key=lambda entry: key_octets(entry.key))
