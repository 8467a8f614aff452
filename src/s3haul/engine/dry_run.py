"""The dry run: what would be copied, under which names, and how many requests that takes. Writes nothing.

It reads the listing as a run does. Of earlier runs it reads the journal only, not the files.
"""

import re
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import chain
from typing import NamedTuple

from s3haul.core.checksums import MAX_PARTS
from s3haul.core.filters import choice, prefixes_to_list
from s3haul.core.keypath import MARK
from s3haul.core.ranges import plan_ranges
from s3haul.core.space import SpaceEstimate
from s3haul.engine.context import ReadContext
from s3haul.engine.decision import natural_path
from s3haul.engine.listing import list_limit, look_up
from s3haul.engine.parallel_listing import ParallelListing
from s3haul.engine.shadowing import Shadows
from s3haul.journal import Reader
from s3haul.models import ObjectRef, SafePath, State
from s3haul.options import RangeOptions

Known = Collection[tuple[str, str, int]]  # key, ETag and size of what is done
Done = Callable[[Sequence[ObjectRef]], Known]
Entry = tuple[ObjectRef, bool]  # whether it is done
Fetched = list[tuple[ObjectRef, SafePath]]
LARGEST = 10  # objects that are shown
_ENCODED = "/" + MARK  # the beginning of an encoded name
_PARTS = re.compile(r'-(\d{1,5})"?$', re.ASCII)  # at the end of the ETag of a multipart object


@dataclass(slots=True)
class Estimate:
    """What the run would ask of S3, KMS and the disk. Without Bucket Keys every GET and HEAD of it is one Decrypt; with
    them, a large object takes up to four times the GETs.

    `present` is what the journal calls done; it is part of `objects` and will not be fetched. `vanished` are objects
    that a list names and that are not there; they are not part of it. `classes` are objects and bytes by storage class.
    `encoded`, `largest`, `reads` (GET, HEAD and GetObjectAttributes) and
    `sizes` are of what would be fetched, the last two by storage class. `lookups` are the HEAD requests of a list.
    `attributes_requests` ask for the parts of composite checksums; `part_heads`, part of `head_requests`, are sent only
    where the role may not do that.
    """

    objects: int = 0
    bytes: int = 0
    filtered: int = 0
    unusable: int = 0  # entries that name no object which could be asked for; not part of `objects`
    archived: int = 0
    archived_bytes: int = 0
    present: int = 0
    vanished: int = 0
    encoded: int = 0
    list_requests: int = 0
    get_requests: int = 0
    head_requests: int = 0
    attributes_requests: int = 0
    lookups: int = 0
    part_heads: int = 0
    needed_bytes: int = 0
    free_bytes: int = 0
    free_files: int = 0
    classes: dict[str, tuple[int, int]] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    largest: list[tuple[int, str]] = field(default_factory=list)  # size and key, the largest first

    @property
    def room(self) -> SpaceEstimate:
        """The destination, and what has to fit into it."""
        room = SpaceEstimate(self.free_bytes, self.free_files)
        room.need(self.needed_bytes, self.objects - self.archived - self.present)
        return room

    @property
    def kms_calls(self) -> int:
        """At most; a HEAD that only looks an object up needs none, nor does a GetObjectAttributes that is refused."""
        return self.get_requests + self.head_requests - self.lookups

    def looked_up(self, requests: int) -> None:
        """So many HEAD requests told what a list did not."""
        if requests:
            self.lookups += requests
            self.head_requests += requests
            self.reads["STANDARD"] = self.reads.get("STANDARD", 0) + requests

    def count(self, refs: Sequence[ObjectRef]) -> None:
        """These objects are selected."""
        self.objects += len(refs)
        for storage_class, sizes in _sizes_by_class(refs).items():
            objects, total = self.classes.get(storage_class, (0, 0))
            self.classes[storage_class] = (objects + len(sizes), total + sum(sizes))
            self.bytes += sum(sizes)

    def fetch(self, fetched: Fetched, ranges: RangeOptions) -> None:
        """These objects will be fetched: in ranges, if they are large."""
        for ref, path in fetched:
            if path.directory:
                continue
            need = _requests_for(ref, ranges)
            self.needed_bytes += ref.size
            self.get_requests += need.gets
            self.head_requests += need.heads + need.part_heads
            self.attributes_requests += need.attributes
            self.part_heads += need.part_heads
            self.reads[ref.storage_class] = self.reads.get(ref.storage_class, 0) + sum(need)
            self.sizes[ref.storage_class] = self.sizes.get(ref.storage_class, 0) + ref.size
        self.encoded += sum(_ENCODED in "/" + "/".join(path.parts) for _, path in fetched)
        self.largest = nlargest(LARGEST, chain(self.largest, ((ref.size, ref.key) for ref, _ in fetched)))


async def preview(ctx: ReadContext, estimate: Estimate, done: Done) -> AsyncGenerator[Fetched, None]:
    """The objects that would be fetched, with their paths, batch by batch; adds up `estimate`. Close the iterator
    (`contextlib.aclosing`)."""
    if not ctx.source.recursive:
        ref = await look_up(ctx)
        estimate.looked_up(1)
        yield _fetched(ctx, estimate, [((ref, _is_in(ref, done([ref]))), False)])
        return
    shadows: Shadows[Entry] = Shadows(ctx, key=lambda entry: entry[0].key)
    selected = choice(ctx.options, ctx.source.base)
    prefixes = prefixes_to_list(ctx.options.filters, ctx.source.prefix)
    listing = ParallelListing(ctx, prefixes, list_limit(ctx))
    async with aclosing(ctx.objects.batches(ctx) if ctx.objects else listing.batches()) as batches:
        async for batch in batches:
            estimate.list_requests += ctx.objects is not None and ctx.objects.whole
            estimate.looked_up(batch.lookups)
            estimate.unusable += len(batch.unusable)
            estimate.vanished += sum(outcome.state is State.VANISHED for outcome in batch.outcomes)
            known = done(batch.refs) if batch.refs else ()
            entries = [(ref, bool(known) and _is_in(ref, known)) for ref in batch.refs]
            placed = shadows.push(batch.range, entries, ended=batch.ended) + await shadows.asked()
            chosen = [each for each in placed if selected(each[0][0])]
            estimate.filtered += len(placed) - len(chosen)
            yield _fetched(ctx, estimate, chosen)
    estimate.list_requests += listing.requests + shadows.requests


def _is_in(ref: ObjectRef, known: Known) -> bool:
    return (ref.key, ref.etag, ref.size) in known


def _fetched(ctx: ReadContext, estimate: Estimate, placed: Sequence[tuple[Entry, bool]]) -> Fetched:
    """Which of these objects would be fetched, and their paths."""
    fetched: Fetched = []
    base, options = ctx.source.base, ctx.options
    estimate.count([ref for (ref, _), _ in placed])
    for (ref, present), shadowed in placed:
        if ref.archived and not options.force_glacier_transfer:
            estimate.archived += 1
            estimate.archived_bytes += ref.size
        elif present:
            estimate.present += 1
        else:
            fetched.append((ref, natural_path(ref, base, shadowed=shadowed)))
    estimate.fetch(fetched, options.ranges)
    return fetched


def _sizes_by_class(refs: Sequence[ObjectRef]) -> dict[str, list[int]]:
    sizes: dict[str, list[int]] = {}
    for ref in refs:
        sizes.setdefault(ref.storage_class, []).append(ref.size)
    return sizes


class _Requests(NamedTuple):
    """What one object takes, if nothing fails. `part_heads` are sent only where GetObjectAttributes is refused."""

    gets: int
    heads: int = 0
    attributes: int = 0
    part_heads: int = 0


def _requests_for(ref: ObjectRef, ranges: RangeOptions) -> _Requests:
    """As `object.transfer` sends them. The sizes of the parts, which can move the ends of ranges, are not known here; nor
    that a checksum is composite, if the object comes from a list."""
    match = _PARTS.search(ref.etag) if ref.checksum_type == "COMPOSITE" else None
    parts = min(int(match[1]), MAX_PARTS) if match else 1
    attributes, part_heads = (1, parts) if parts > 1 else (0, 0)
    if ref.size > ranges.above:
        plan = plan_ranges(ref.size, (), ranges, costs_kms=True)
        return _Requests(len(plan.requests) if plan else 1, 1, attributes, part_heads)
    # The headers of the first GET show the checksum; the second one follows once the parts are known.
    return _Requests(1 + attributes, 0, attributes, part_heads)


def done_of(reader: Reader, refs: Sequence[ObjectRef]) -> Known:
    """Which of these objects a journal calls done: `Done`, once it is given the journal."""
    return reader.done_of([ref.key for ref in refs])
