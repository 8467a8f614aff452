"""The bucket as it was at a moment, or with all versions: `context.ObjectSource` from the listing of all versions.

Each object is fetched by its version, so that nothing that happens meanwhile changes it. Needs
s3:ListBucketVersions and s3:GetObjectVersion.

Where a run takes all versions, what the engine calls a key is key + NUL + version, so that each version is an object of
its own, and `VersionStore` translates. No version has a NUL in it, and NUL sorts before everything else: versions of one
key lie together, at the place of that key.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from operator import attrgetter

from s3haul.core.listing_validator import PointInTime, VersionCheck
from s3haul.engine.batch import Batch, SerialBatches
from s3haul.engine.context import ReadContext
from s3haul.models import NUL, ObjectMeta, ObjectRef, PartLayout, VersionEntry, VersionPage
from s3haul.store.protocol import Consume, GetRequest, SmallObjects, SmallObjectWork, WrappedStore


class BucketAt:
    """Every object that was there at `moment`, epoch seconds."""

    whole = True
    past = False

    def __init__(self, moment: float) -> None:
        self._moment = moment

    async def batches(self, ctx: ReadContext) -> AsyncGenerator[Batch, None]:
        """As `ParallelListing.batches`; a key whose versions go on in the next page goes into the next batch."""
        check, then, after = VersionCheck(), PointInTime(self._moment), ""
        batches = SerialBatches(ctx.source.prefix)
        async for page in version_pages(ctx):
            refs = list(_settled(then.push, check.accept(page)))
            last = check.last_key
            if not page.truncated:
                refs += [ref for ref in (then.flush(),) if ref is not None]
            elif refs:
                last = refs[-1].key
            else:
                last = after
            yield batches.next(refs, last or "", final=not page.truncated, unusable=page.unusable)
            after = last


class AllVersions:
    """Every version of every key, each under a name of its own. Of one key all are held at a time."""

    whole = True
    past = False

    async def batches(self, ctx: ReadContext) -> AsyncGenerator[Batch, None]:
        """As `ParallelListing.batches`; a key whose versions go on in the next page goes into the next batch."""
        check, after, held = VersionCheck(), "", list[ObjectRef]()
        batches = SerialBatches(ctx.source.prefix)
        async for page in version_pages(ctx):
            held += [named_apart(each.ref) for each in check.accept(page) if not each.deleted]
            refs = [ref for ref in held if ref.plain_key != check.last_key or not page.truncated]
            held = held[len(refs) :]
            refs.sort(key=attrgetter("key"))
            last = refs[-1].key if refs else after
            yield batches.next(refs, last or "", final=not page.truncated, unusable=page.unusable)
            after = last


def _settled(
    push: Callable[[VersionEntry], ObjectRef | None], entries: Iterable[VersionEntry]
) -> Iterator[ObjectRef]:
    for entry in entries:
        ref = push(entry)
        if ref is not None:
            yield ref


async def version_pages(ctx: ReadContext) -> AsyncIterator[VersionPage]:
    """All versions below the source's prefix, page by page, as they come. Raises what ends the run."""
    marker: tuple[str, str | None] | None = None
    while True:
        page = await ctx.store.list_versions(ctx.source.prefix, marker=marker)
        yield page
        if not page.truncated:
            return
        assert page.next_key is not None, "a page without a marker was refused"
        marker = (page.next_key, page.next_version)


def named_apart(ref: ObjectRef) -> ObjectRef:
    """One version under a name of its own."""
    return ref._replace(key=f"{ref.key}{NUL}{ref.version_id}")


class VersionStore(WrappedStore):
    """As `store.ObjectStore`, for keys that name a version."""

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        key, version = _apart(request.key)
        return await self._store.load(request._replace(key=key, version_id=version), consume)

    async def head(
        self,
        key: str,
        *,
        checksums: bool = False,
        part_number: int | None = None,
        version_id: str | None = None,  # noqa: ARG002 - the key names it
    ) -> ObjectMeta:
        key, version = _apart(key)
        return await self._store.head(key, checksums=checksums, part_number=part_number, version_id=version)

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:  # noqa: ARG002
        key, version = _apart(key)
        return await self._store.part_layout(key, version_id=version)

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:  # noqa: ARG002 - it asks by plain keys
        return None


def _apart(name: str) -> tuple[str, str]:
    key, _, version = name.rpartition(NUL)
    return key, version
