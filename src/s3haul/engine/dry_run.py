"""The dry run: what would be copied, under which names, and how many requests that takes. Writes nothing.

It reads the listing as a run does. Of earlier runs it reads the journal only, not the files.
"""

import re
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter, itemgetter
from typing import NamedTuple

from s3haul.core.checksums import MAX_PARTS
from s3haul.core.estimates import SpaceEstimate
from s3haul.core.filters import object_selector, prefixes_to_list, selects_everything
from s3haul.core.keypath import MARK, perhaps_encoded
from s3haul.core.ranges import is_ranged, plan_ranges
from s3haul.engine.context import ReadContext
from s3haul.engine.listing import list_limit, look_up, may_take
from s3haul.engine.parallel_listing import ParallelListing
from s3haul.engine.shadowing import Shadows
from s3haul.engine.target import natural_path
from s3haul.engine.version_source import lister_of
from s3haul.journal import Reader
from s3haul.models import ARCHIVED, ObjectRef, State
from s3haul.options import RangeOptions

Known = Collection[tuple[str, str, int]]  # key, ETag and size of what is done
SizesByClass = dict[str, list[int]]
Fetched = Sequence[tuple[ObjectRef, bool]]  # whether its key is shadowed
LARGEST = 10  # objects that are shown
_ENCODED = "/" + MARK  # the beginning of an encoded name
_PARTS = re.compile(r'-(\d{1,5})"?$', re.ASCII)  # at the end of the ETag of a multipart object
_KEY, _SIZE, _CLASS, _TYPE = map(attrgetter, ("key", "size", "storage_class", "checksum_type"))
_SIZE_AND_KEY = attrgetter("size", "key")


@dataclass(slots=True)
class Estimate:
    """What the run would request of S3 and KMS, and need of the disk. Without Bucket Keys every GET and HEAD
    of it is one Decrypt, and `get_requests` are sent; with them, or without SSE-KMS, ranges of large objects
    are smaller, and `most_get_requests` are sent. A listing does not say which objects are which.

    `unchanged` is what the journal calls done, `taken` what would fail because its path has the file of
    another object; both are part of `objects` and will not be fetched. `vanished` are objects that a list
    names and that are not there; they are not part of it. `classes` are objects and bytes by storage class.
    `encoded`, `largest`, `reads` (GET, HEAD and GetObjectAttributes) and `sizes` are of what would be
    fetched, the last two by storage class. `lookups` are the HEAD requests of a list. `attributes_requests`
    are for the parts of composite checksums; `part_heads`, part of `head_requests`, are sent only where the
    role may not do that.
    """

    objects: int = 0
    bytes: int = 0
    filtered: int = 0
    unusable: int = 0  # entries that name no object which could be requested; not part of `objects`
    archived: int = 0
    archived_bytes: int = 0
    unchanged: int = 0
    taken: int = 0
    vanished: int = 0
    encoded: int = 0
    list_requests: int = 0
    get_requests: int = 0
    most_get_requests: int = 0
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
        room.need(self.needed_bytes, self.objects - self.archived - self.unchanged - self.taken)
        return room

    @property
    def kms_calls(self) -> int:
        """At most; a HEAD that only looks an object up needs none,
        nor does a GetObjectAttributes that is refused."""
        return self.get_requests + self.head_requests - self.lookups

    def looked_up(self, requests: int) -> None:
        """So many HEAD requests found what a list does not say."""
        if requests:
            self.lookups += requests
            self.head_requests += requests
            self.reads["STANDARD"] = self.reads.get("STANDARD", 0) + requests

    def count(self, sizes: SizesByClass) -> None:
        """Objects of these sizes are selected."""
        for storage_class, some in sizes.items():
            objects, total = self.classes.get(storage_class, (0, 0))
            size = sum(some)
            self.classes[storage_class] = (objects + len(some), total + size)
            self.objects += len(some)
            self.bytes += size

    def fetch(self, fetched: Fetched, sizes: SizesByClass, base: str, ranges: RangeOptions) -> None:
        """These objects, of these sizes, will be fetched: in ranges, if they are large."""
        refs = [ref for ref, _ in fetched]
        if not _are_simple(refs, sizes, ranges):
            sizes = _sizes_by_class([ref for ref in refs if _is_simple(ref, ranges)])
            for ref in refs:
                if not _is_simple(ref, ranges) and not natural_path(ref, base, shadowed=False).directory:
                    need = _requests_for(ref, ranges, costs_kms=True)
                    self._add_requests(ref.storage_class, ref.size, need)
                    self.most_get_requests += _requests_for(ref, ranges, costs_kms=False).gets - need.gets
        for storage_class, some in sizes.items():
            self._add_requests(storage_class, sum(some), _Requests(len(some)))
        self._note_largest(refs)
        odd = [fetched[place] for place in perhaps_encoded(list(map(_KEY, refs)), base=base)]
        if True in map(itemgetter(1), fetched):
            odd = [each for each in odd if not each[1]] + [each for each in fetched if each[1]]
        paths = (natural_path(ref, base, shadowed=shadowed) for ref, shadowed in odd)
        self.encoded += sum(_ENCODED in f"/{path}" for path in paths)

    def _note_largest(self, refs: Sequence[ObjectRef]) -> None:
        """Of objects of one size the first ones, so that few pages change anything."""
        if len(self.largest) == LARGEST:
            size, key = self.largest[-1]
            biggest = max(map(_SIZE, refs), default=-1)
            if biggest < size or (biggest == size and refs[0].key > key):
                return
        found = chain(self.largest, map(_SIZE_AND_KEY, refs))
        self.largest = sorted(found, key=lambda each: (-each[0], each[1]))[:LARGEST]

    def _add_requests(self, storage_class: str, size: int, need: "_Requests") -> None:
        self.needed_bytes += size
        self.get_requests += need.gets
        self.most_get_requests += need.gets
        self.head_requests += need.heads + need.part_heads
        self.attributes_requests += need.attributes
        self.part_heads += need.part_heads
        self.reads[storage_class] = self.reads.get(storage_class, 0) + sum(need)
        self.sizes[storage_class] = self.sizes.get(storage_class, 0) + size


async def preview(
    ctx: ReadContext, estimate: Estimate, journal: Reader | None
) -> AsyncGenerator[Fetched, None]:
    """The objects that would be fetched, page by page; adds up `estimate`. `journal` is that of earlier runs.
    Close the iterator (`contextlib.aclosing`)."""
    if not ctx.source.recursive:
        ref = await look_up(ctx)
        estimate.looked_up(1)
        yield _fetched(ctx, estimate, [(ref, False)], journal)
        return
    lister = lister_of(ctx)
    shadows: Shadows[ObjectRef] = Shadows(lister, key=_KEY)
    selected = None if selects_everything(ctx.options) else object_selector(ctx.options, ctx.source.base)
    prefixes = prefixes_to_list(ctx.options.filters, ctx.source.prefix)
    listing = ParallelListing(ctx, lister, prefixes, list_limit(ctx))
    async with aclosing(ctx.objects.pages(ctx) if ctx.objects else listing.pages()) as pages:
        async for page in pages:
            estimate.looked_up(page.lookups)
            estimate.unusable += len(page.unusable)
            estimate.vanished += sum(outcome.state is State.VANISHED for outcome in page.outcomes)
            placed = shadows.push(page.range, page.refs, last=page.last) + await shadows.looked_up()
            chosen = placed if selected is None else [each for each in placed if selected(each[0])]
            estimate.filtered += len(placed) - len(chosen)
            yield _fetched(ctx, estimate, chosen, journal)
    estimate.list_requests += lister.requests


def _fetched(ctx: ReadContext, estimate: Estimate, placed: Fetched, journal: Reader | None) -> Fetched:
    """Which of these objects would be fetched."""
    refs = [ref for ref, _ in placed]
    sizes, known = _sizes_by_class(refs), journal.done_of([ref.key for ref in refs]) if journal else ()
    estimate.count(sizes)
    if known or not (ctx.options.force_glacier_transfer or ARCHIVED.isdisjoint(sizes)):
        placed = [each for each in placed if not _stays(ctx, estimate, each[0], known)]
    if journal and ctx.source.recursive and journal.shares_paths(ctx.source.base):
        found = len(placed)
        placed = _without_taken(ctx, placed, journal)
        estimate.taken += found - len(placed)
    if len(placed) < len(refs):
        sizes = _sizes_by_class([ref for ref, _ in placed])
    estimate.fetch(placed, sizes, ctx.source.base, ctx.options.ranges)
    return placed


def _without_taken(ctx: ReadContext, placed: Fetched, journal: Reader) -> Fetched:
    paths = [natural_path(ref, ctx.source.base, shadowed=shadowed) for ref, shadowed in placed]
    owners = journal.owners_of([str(path) for path in paths if not path.directory])
    return [
        each
        for each, path in zip(placed, paths, strict=True)
        if path.directory or may_take(ctx.source, owners.get(str(path), each[0].key))
    ]


def _stays(ctx: ReadContext, estimate: Estimate, ref: ObjectRef, known: Known) -> bool:
    """Whether the object would not be fetched; adds it up as archived, or as unchanged."""
    archived = ref.archived and not ctx.options.force_glacier_transfer
    unchanged = not archived and (ref.key, ref.etag, ref.size) in known
    if archived:
        estimate.archived += 1
        estimate.archived_bytes += ref.size
    estimate.unchanged += unchanged
    return archived or unchanged


def _sizes_by_class(refs: Sequence[ObjectRef]) -> SizesByClass:
    sizes: SizesByClass = {}
    for storage_class in set(map(_CLASS, refs)):
        sizes[storage_class] = [ref.size for ref in refs if ref.storage_class == storage_class]
    return sizes


def _are_simple(refs: Sequence[ObjectRef], sizes: SizesByClass, ranges: RangeOptions) -> bool:
    """Whether one GET brings each of these objects, as on most pages."""
    smallest, biggest = min(map(min, sizes.values()), default=0), max(map(max, sizes.values()), default=0)
    return smallest > 0 and not is_ranged(biggest, ranges) and "COMPOSITE" not in map(_TYPE, refs)


def _is_simple(ref: ObjectRef, ranges: RangeOptions) -> bool:
    return ref.size > 0 and not is_ranged(ref.size, ranges) and ref.checksum_type != "COMPOSITE"


class _Requests(NamedTuple):
    """What one object takes, if nothing fails. `part_heads` are sent only where
    GetObjectAttributes is refused."""

    gets: int
    heads: int = 0
    attributes: int = 0
    part_heads: int = 0


def _requests_for(ref: ObjectRef, ranges: RangeOptions, *, costs_kms: bool) -> _Requests:
    """As `object.transfer` sends them, if each costs a KMS call or none does. The sizes of the parts, which
    can move the ends of ranges, are not known here; nor that a checksum is composite, if a list does not say
    so (keys, CSV, inventory)."""
    match = _PARTS.search(ref.etag) if ref.checksum_type == "COMPOSITE" else None
    parts = min(int(match[1]), MAX_PARTS) if match else 1
    attributes, part_heads = (1, parts) if parts > 1 else (0, 0)
    if is_ranged(ref.size, ranges):
        plan = plan_ranges(ref.size, (), ranges, costs_kms=costs_kms)
        return _Requests(len(plan.requests) if plan else 1, 1, attributes, part_heads)
    # The headers of the first GET show the checksum; the second one follows once the parts are known.
    return _Requests(1 + attributes, 0, attributes, part_heads)
