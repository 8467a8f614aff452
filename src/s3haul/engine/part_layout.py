"""Where the parts of a COMPOSITE object begin: from GetObjectAttributes, else from a HEAD of every part.

The second way needs no permission beyond s3:GetObject. Both answers are checked: sizes that do not add up, or
a number of parts that contradicts the checksum, count as unknown.
"""

from s3haul.concurrency import together
from s3haul.core.checksums import MAX_PARTS, Composite, Unverifiable
from s3haul.core.retry import Move
from s3haul.core.verification import Parts, composite_verifier
from s3haul.engine.context import ReadContext
from s3haul.models import ObjectMeta, ObjectRef
from s3haul.store.protocol import HeadRequest
from s3haul.store.retrying import GaveUpError

PARALLEL = 32  # requests; the limiter may allow fewer


async def stored_parts(ctx: ReadContext, ref: ObjectRef, stored: Composite) -> Parts | None:
    """The parts that `stored` was computed over, or None if the server does not say."""
    if stored.parts == 1:
        return Parts((ref.size,))
    layout = await ctx.store.part_layout(ref.key, version_id=ref.version_id)
    if layout is not None:
        digests = tuple(part.digest for part in layout.parts) if layout.algorithm == stored.algorithm else ()
        parts = Parts(tuple(part.size for part in layout.parts), digests)
        if _fits(parts, stored, ref.size):
            return parts
    try:
        return await _head_every_part(ctx, ref, stored)
    except GaveUpError as gave_up:
        if gave_up.action.move is Move.HEAD_AGAIN:
            raise
        return None


async def _head_every_part(ctx: ReadContext, ref: ObjectRef, stored: Composite) -> Parts | None:
    first = await _head_part(ctx, ref, 1)
    count = first.parts_count or stored.parts or 0
    if first.status != 206 or not 1 < count <= MAX_PARTS:
        return None
    metas = [first]
    while len(metas) < count:
        numbers = range(len(metas) + 1, min(len(metas) + PARALLEL, count) + 1)
        metas += await together([_head_part(ctx, ref, number) for number in numbers])
    parts = Parts(
        tuple(meta.length or 0 for meta in metas),
        tuple(_digest(meta, stored) for meta in metas),
    )
    return parts if _fits(parts, stored, ref.size) else None


async def _head_part(ctx: ReadContext, ref: ObjectRef, number: int) -> ObjectMeta:
    return await ctx.store.head(
        HeadRequest(ref.key, checksums=True, part_number=number, version_id=ref.version_id)
    )


def _digest(meta: ObjectMeta, stored: Composite) -> str:
    """The checksum of a part. Some servers send that of the whole object with every part: it is ignored."""
    values = (one.value for one in meta.checksums if one.algorithm == stored.algorithm)
    return next((value for value in values if value != stored.checksum.value), "")


def _fits(parts: Parts, stored: Composite, size: int) -> bool:
    return not isinstance(composite_verifier(stored, size, parts.sizes, parts.digests), Unverifiable)
