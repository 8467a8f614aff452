"""Making the plan: a listing in, RUN out. The listing is read once; nothing that follows lists again.

Whatever gives the objects is an asynchronous iterator of pages: lists of objects, and of entries that name none, in the
order of their keys. Today that is the engine's listing.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from s3haul.cluster.cutting import Cutter, Shard, ShardSize
from s3haul.cluster.description import RunDescription, without_secrets
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.plan_files import encode_record
from s3haul.core.filters import selector
from s3haul.core.text import key_octets
from s3haul.models import ObjectRef, UnusableEntry
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.threads import in_thread


class Page(NamedTuple):
    """Some entries of a listing, all after those of the pages before it."""

    refs: list[ObjectRef]
    unusable: tuple[UnusableEntry, ...] = ()


class Planned(NamedTuple):
    """How far the planner is."""

    shards: int
    objects: int
    bytes: int
    filtered: int


class Request(NamedTuple):
    """What is to be planned. `destination` is where every worker sees it; `endpoint` is for the record."""

    source: SourceOptions
    destination: Path
    force: bool
    access: AccessOptions
    transfer: TransferOptions
    size: ShardSize
    endpoint: str
    node_local: bool = False


async def make_plan(
    directory: RunDirectory,
    request: Request,
    pages: AsyncIterator[Page],
    *,
    progress: Callable[[Planned], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> RunDescription:
    """Write the plan of everything that `pages` name and the filters select. Raises what `pages` raise."""
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
    """Keeps the counts; at most one shard is in memory."""

    def __init__(self, directory: RunDirectory, request: Request) -> None:
        self.cutter = Cutter(request.size)
        self.records: list[bytes] = []
        self.planned = Planned(0, 0, 0, 0)
        self._directory = directory
        self._selected = selector(request.transfer.filters)
        self._base = len(request.source.base)

    def take(self, page: Page) -> None:
        """One page. Runs in a thread."""
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
        """Write shards that are full."""
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
    """All entries of a page in the order of S3, which is that of the bytes, also of those that are no UTF-8."""
    if not page.unusable:
        return list(page.refs)
    return sorted((*page.refs, *page.unusable), key=lambda entry: key_octets(entry.key))
