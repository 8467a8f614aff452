"""The dry run: what would be hauled, under which names, and what that would cost. Writes nothing.

It reads the listing as a run does, and of what an earlier run did only the journal, not the files.
"""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from heapq import heappush, heappushpop

from s3haul.core.conditions import choice
from s3haul.core.keypath import MARK, ShadowFilter, safe_path
from s3haul.core.ranges import plan
from s3haul.core.space import SpaceEstimate
from s3haul.engine.context import Calls
from s3haul.engine.listing import Batch, batches, is_whole, look_up, natural_path
from s3haul.journal import Reader
from s3haul.models import ObjectRef, SafePath, State
from s3haul.options import RangeOptions

Known = Collection[tuple[str, str, int]]  # key, ETag and size of what is done
Done = Callable[[Batch], Known]
Entry = tuple[ObjectRef, Known]
LARGEST = 10  # objects that are told


@dataclass(slots=True)
class Estimate:
    """What the run would ask of S3, KMS and the disk. Without Bucket Keys every GET and HEAD of it is one Decrypt.

    `present` is what the journal calls done; it is part of `objects` and will not be fetched. `vanished` are objects
    that a list names and that are not there; they are not part of it. `classes` are objects and bytes by storage class.
    `encoded`, `largest`, `reads` (GET and HEAD) and
    `sizes` are of what would be fetched, the last two by storage class. `lookups` are the HEAD requests of a list.
    """

    objects: int = 0
    bytes: int = 0
    filtered: int = 0
    archived: int = 0
    archived_bytes: int = 0
    present: int = 0
    vanished: int = 0
    encoded: int = 0
    list_requests: int = 0
    get_requests: int = 0
    head_requests: int = 0
    lookups: int = 0
    needed_bytes: int = 0
    free_bytes: int = 0
    free_files: int = 0
    classes: dict[str, tuple[int, int]] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    largest: list[tuple[int, str]] = field(default_factory=list)  # a heap of size and key

    @property
    def room(self) -> SpaceEstimate:
        """The destination, and what has to fit into it."""
        room = SpaceEstimate(self.free_bytes, self.free_files)
        room.need(self.needed_bytes, self.objects - self.archived - self.present)
        return room

    @property
    def kms_calls(self) -> int:
        """At most; a HEAD that only looks an object up needs none."""
        return self.get_requests + self.head_requests - self.lookups

    @property
    def largest_first(self) -> list[tuple[int, str]]:
        return sorted(self.largest, reverse=True)

    def looked_up(self, requests: int) -> None:
        """So many HEAD requests told what a list did not."""
        if requests:
            self.lookups += requests
            self.head_requests += requests
            self.reads["STANDARD"] = self.reads.get("STANDARD", 0) + requests

    def fetch(self, ref: ObjectRef, path: SafePath, ranges: RangeOptions) -> None:
        """One object will be fetched: in ranges, if it is large."""
        cut = plan(ref.size, (), ranges, costs_kms=True)
        gets, heads = len(cut.requests) if cut else 1, int(ref.size > ranges.above)
        self.needed_bytes += ref.size
        self.get_requests += gets
        self.head_requests += heads
        self.encoded += any(part.startswith(MARK) for part in path.parts)
        self.reads[ref.storage_class] = self.reads.get(ref.storage_class, 0) + gets + heads
        self.sizes[ref.storage_class] = self.sizes.get(ref.storage_class, 0) + ref.size
        (heappush if len(self.largest) < LARGEST else heappushpop)(self.largest, (ref.size, ref.key))


async def preview(ctx: Calls, estimate: Estimate, done: Done) -> AsyncIterator[tuple[ObjectRef, SafePath]]:
    """Every object that would be fetched, with its path; adds up `estimate` on the way."""
    if not ctx.source.recursive:
        ref = await look_up(ctx)
        path = safe_path(ref.key, base=ctx.source.base)
        estimate.looked_up(1)
        if _count(ctx, estimate, ref, path, done(Batch([ref], "", ref.key, final=True))):
            yield ref, path
        return
    shadows: ShadowFilter[Entry] = ShadowFilter(key=lambda entry: entry[0].key)
    base, selected = ctx.source.base, choice(ctx.options, ctx.source.base)
    async for batch in ctx.objects.batches(ctx) if ctx.objects else batches(ctx):
        estimate.list_requests += is_whole(ctx)
        estimate.looked_up(batch.asked)
        estimate.vanished += sum(outcome.state is State.VANISHED for outcome in batch.ended)
        known = done(batch) if batch.refs else ()
        placed = [each for ref in batch.refs for each in shadows.push((ref, known))]
        if batch.final:
            placed += shadows.flush()
        for (ref, there), shadowed in placed:
            if not selected(ref):
                estimate.filtered += 1
                continue
            path = natural_path(ref, base, shadowed=shadowed)
            if _count(ctx, estimate, ref, path, there):
                yield ref, path


def _count(ctx: Calls, estimate: Estimate, ref: ObjectRef, path: SafePath, done: Known) -> bool:
    """Whether the object would be fetched."""
    estimate.objects += 1
    estimate.bytes += ref.size
    objects, size = estimate.classes.get(ref.storage_class, (0, 0))
    estimate.classes[ref.storage_class] = (objects + 1, size + ref.size)
    if ref.archived and not ctx.options.force_glacier_transfer:
        estimate.archived += 1
        estimate.archived_bytes += ref.size
    elif (ref.key, ref.etag, ref.size) in done:
        estimate.present += 1
    else:
        estimate.fetch(ref, path, ctx.options.ranges)
        return True
    return False


def done_of(reader: Reader, batch: Batch) -> Known:
    """What a journal calls done, of a batch: `Done`, once it is given the journal."""
    return reader.done_of([ref.key for ref in batch.refs])
