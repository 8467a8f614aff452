"""The dry run: what would be copied, under which names, and how many requests that takes. Writes nothing.

It reads the listing as a run does. Of earlier runs it reads the journal only, not the files.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from s3haul.core.filters import prefixes_to_list, selector
from s3haul.core.key_ranges import just_after
from s3haul.core.ranges import plan_ranges
from s3haul.core.space import SpaceEstimate
from s3haul.engine.context import ReadContext
from s3haul.engine.listing import list_limit, look_up
from s3haul.engine.parallel_listing import ParallelListing
from s3haul.engine.shadowing import Shadows
from s3haul.models import ObjectRef
from s3haul.options import RangeOptions

# Key, ETag and size of what is done, from one key on and before another.
Done = Callable[[str, str | None], Collection[tuple[str, str, int]]]
Entry = tuple[ObjectRef, bool]  # whether it is done
Fetched = list[tuple[ObjectRef, bool]]  # whether the key is a directory of others


@dataclass(slots=True)
class Estimate:
    """What the run would need of S3, KMS and the disk. Without Bucket Keys every GET and HEAD costs one KMS Decrypt.

    `present` is what the journal calls done; it is part of `objects` and will not be fetched.
    """

    objects: int = 0
    bytes: int = 0
    filtered: int = 0
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

    def add(self, ref: ObjectRef, ranges: RangeOptions) -> None:
        """One object will be fetched: in ranges, if it is large."""
        self.needed_bytes += ref.size
        if ref.size <= ranges.above:
            self.get_requests += 1
            return
        cut = plan_ranges(ref.size, (), ranges, costs_kms=True)
        self.get_requests += len(cut.requests) if cut else 1
        self.head_requests += 1


async def preview(ctx: ReadContext, estimate: Estimate, done: Done) -> AsyncGenerator[Fetched, None]:
    """The objects that would be fetched, page by page; adds up `estimate`. Close the iterator (`contextlib.aclosing`)."""
    if not ctx.source.recursive:
        ref = await look_up(ctx)
        present = (ref.key, ref.etag, ref.size) in done(ref.key, just_after(ref.key))
        yield _fetched(ctx, estimate, [((ref, present), False)])
        return
    shadows: Shadows[Entry] = Shadows(ctx, key=lambda entry: entry[0].key)
    base, selected = ctx.source.base, selector(ctx.options.filters)
    prefixes = prefixes_to_list(ctx.options.filters, ctx.source.prefix)
    listing = ParallelListing(ctx, prefixes, list_limit(ctx))
    async with aclosing(listing.batches()) as batches:
        async for batch in batches:
            refs = batch.refs
            known = done(refs[0].key, just_after(refs[-1].key)) if refs else ()
            if known:
                entries = [(ref, (ref.key, ref.etag, ref.size) in known) for ref in refs]
            else:
                entries = [(ref, False) for ref in refs]
            placed = shadows.push(batch.range, entries, ended=batch.ended) + await shadows.asked()
            chosen = [each for each in placed if selected(each[0][0].key[len(base) :])]
            estimate.filtered += len(placed) - len(chosen)
            yield _fetched(ctx, estimate, chosen)
    estimate.list_requests = listing.requests + shadows.requests


def _fetched(ctx: ReadContext, estimate: Estimate, placed: Sequence[tuple[Entry, bool]]) -> Fetched:
    """Which of these objects would be fetched."""
    fetched: Fetched = []
    ranges, force = ctx.options.ranges, ctx.options.force_glacier_transfer
    estimate.objects += len(placed)
    for (ref, present), shadowed in placed:
        estimate.bytes += ref.size
        if ref.archived and not force:
            estimate.archived += 1
        elif present:
            estimate.present += 1
        else:
            estimate.add(ref, ranges)
            fetched.append((ref, shadowed))
    return fetched
