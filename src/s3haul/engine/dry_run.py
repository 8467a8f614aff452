"""The dry run: what would be hauled, under which names, and what that would cost. Writes nothing.

It reads the listing as a run does, and of what an earlier run did only the journal, not the files.
"""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass

from s3haul.core.filters import selector
from s3haul.core.keypath import ShadowFilter, safe_path
from s3haul.core.ranges import plan
from s3haul.core.space import SpaceEstimate
from s3haul.engine.context import Calls
from s3haul.engine.listing import batches, look_up, natural_path
from s3haul.models import ObjectRef, SafePath
from s3haul.options import RangeOptions

# Key, ETag and size of what is done, behind one key and up to another.
Done = Callable[[str, str], Collection[tuple[str, str, int]]]
Entry = tuple[ObjectRef, bool]  # whether it is done


@dataclass(slots=True)
class Estimate:
    """What the run would ask of S3, KMS and the disk. Without Bucket Keys every GET and HEAD is one Decrypt.

    `present` is what the journal calls done; it is part of `objects` and will not be fetched.
    """

    objects: int = 0
    bytes: int = 0
    filtered: int = 0
    unusable: int = 0  # entries that name no object which could be asked for; not part of `objects`
    archived: int = 0
    present: int = 0
    list_requests: int = 0
    get_requests: int = 0
    head_requests: int = 0
    needed_bytes: int = 0
    free_bytes: int = 0
    free_files: int = 0

    @property
    def room(self) -> SpaceEstimate:
        """The destination, and what has to fit into it."""
        room = SpaceEstimate(self.free_bytes, self.free_files)
        room.need(self.needed_bytes, self.objects - self.archived - self.present)
        return room

    def fetch(self, size: int, ranges: RangeOptions) -> None:
        """One object will be fetched: in ranges, if it is large."""
        cut = plan(size, (), ranges, costs_kms=True)
        self.needed_bytes += size
        self.get_requests += len(cut.requests) if cut else 1
        self.head_requests += size > ranges.above


async def preview(ctx: Calls, estimate: Estimate, done: Done) -> AsyncIterator[tuple[ObjectRef, SafePath]]:
    """Every object that would be fetched, with its path; adds up `estimate` on the way."""
    if not ctx.source.recursive:
        ref = await look_up(ctx)
        estimate.objects, estimate.bytes = 1, ref.size
        if _count(ctx, estimate, ref, present=(ref.key, ref.etag, ref.size) in done("", ref.key)):
            yield ref, safe_path(ref.key, base=ctx.source.base)
        return
    shadows: ShadowFilter[Entry] = ShadowFilter(key=lambda entry: entry[0].key)
    base, selected = ctx.source.base, selector(ctx.options.filters)
    async for batch in batches(ctx):
        estimate.list_requests += 1
        estimate.unusable += len(batch.unusable)
        known = done(batch.after, batch.refs[-1].key) if batch.refs else ()
        entries = ((ref, (ref.key, ref.etag, ref.size) in known) for ref in batch.refs)
        placed = [each for entry in entries for each in shadows.push(entry)]
        if batch.final:
            placed += shadows.flush()
        for (ref, present), shadowed in placed:
            if not selected(ref.key[len(base) :]):
                estimate.filtered += 1
                continue
            estimate.objects += 1
            estimate.bytes += ref.size
            if _count(ctx, estimate, ref, present=present):
                yield ref, natural_path(ref, base, shadowed=shadowed)


def _count(ctx: Calls, estimate: Estimate, ref: ObjectRef, *, present: bool) -> bool:
    """Whether the object would be fetched."""
    if ref.archived and not ctx.options.force_glacier_transfer:
        estimate.archived += 1
    elif present:
        estimate.present += 1
    else:
        estimate.fetch(ref.size, ctx.options.ranges)
        return True
    return False
