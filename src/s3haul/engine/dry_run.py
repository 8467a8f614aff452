"""The dry run: what would be hauled, under which names, and what that would cost. Writes nothing.

It reads the listing as a run does, and of what an earlier run did only the journal, not the files.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from s3haul.core.filters import prefixes_to_list, selector
from s3haul.core.key_ranges import just_after
from s3haul.core.ranges import plan
from s3haul.core.space import SpaceEstimate
from s3haul.engine.context import Calls
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
    """What the run would ask of S3, KMS and the disk. Without Bucket Keys every GET and HEAD is one Decrypt.

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

    def add(self, sizes: Sequence[int], ranges: RangeOptions) -> None:
        """Objects of these sizes will be fetched: in ranges, if they are large."""
        self.needed_bytes += sum(sizes)
        large = [size for size in sizes if size > ranges.above]
        self.head_requests += len(large)
        self.get_requests += len(sizes) - len(large)
        for size in large:
            cut = plan(size, (), ranges, costs_kms=True)
            self.get_requests += len(cut.requests) if cut else 1


async def preview(ctx: Calls, estimate: Estimate, done: Done) -> AsyncGenerator[Fetched, None]:
    """The objects that would be fetched, page by page; adds up `estimate` on the way. To be closed
    (`contextlib.aclosing`)."""
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
            if ctx.options.filters:
                chosen = [each for each in placed if selected(each[0][0].key[len(base) :])]
                estimate.filtered += len(placed) - len(chosen)
                placed = chosen
            yield _fetched(ctx, estimate, placed)
    estimate.list_requests = listing.requests + shadows.requests


def _fetched(ctx: Calls, estimate: Estimate, placed: Sequence[tuple[Entry, bool]]) -> Fetched:
    """Which of these objects would be fetched."""
    force = ctx.options.force_glacier_transfer
    estimate.objects += len(placed)
    estimate.bytes += sum([entry[0].size for entry, _ in placed])
    readable = [each for each in placed if force or not each[0][0].archived]
    fetched = [(ref, shadowed) for (ref, present), shadowed in readable if not present]
    estimate.archived += len(placed) - len(readable)
    estimate.present += len(readable) - len(fetched)
    estimate.add([ref.size for ref, _ in fetched], ctx.options.ranges)
    return fetched
