"""The dry run: what would be hauled, under which names, and what that would cost. Writes nothing.

It reads the listing as a run does, and says nothing of what is on disk already.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from s3haul.core.filters import selector
from s3haul.core.keypath import ShadowFilter, safe_path
from s3haul.engine.admission import ARCHIVED
from s3haul.engine.context import Calls
from s3haul.engine.listing import batches, look_up, natural_path
from s3haul.models import ObjectRef, SafePath


@dataclass(slots=True)
class Estimate:
    """What the run would ask of S3 and KMS. Without Bucket Keys every GET is one Decrypt."""

    objects: int = 0
    bytes: int = 0
    filtered: int = 0
    archived: int = 0
    list_requests: int = 0

    @property
    def get_requests(self) -> int:
        return self.objects - self.archived


async def preview(ctx: Calls, estimate: Estimate) -> AsyncIterator[tuple[ObjectRef, SafePath]]:
    """Every object that a run would fetch, with its path; adds up `estimate` on the way."""
    if not ctx.source.recursive:
        ref = await look_up(ctx)
        estimate.objects, estimate.bytes = 1, ref.size
        yield ref, safe_path(ref.key, base=ctx.source.base)
        return
    shadows: ShadowFilter[ObjectRef] = ShadowFilter(key=lambda ref: ref.key)
    base, selected = ctx.source.base, selector(ctx.options.filters)
    async for batch in batches(ctx):
        estimate.list_requests += 1
        placed = [each for ref in batch.refs for each in shadows.push(ref)]
        if batch.final:
            placed += shadows.flush()
        for ref, shadowed in placed:
            if not selected(ref.key[len(base) :]):
                estimate.filtered += 1
                continue
            estimate.objects += 1
            estimate.bytes += ref.size
            if ref.storage_class in ARCHIVED and not ref.restored:
                estimate.archived += 1
            else:
                yield ref, natural_path(ref, base, shadowed=shadowed)
