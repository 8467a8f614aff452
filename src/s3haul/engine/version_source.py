"""The bucket as it was at a moment, or with all versions:
`parallel_listing.Lister` from the listing of all versions.

Each object is fetched by its version, so that nothing that happens meanwhile changes it. Needs
s3:ListBucketVersions and s3:GetObjectVersion.

A page has all versions of each of its keys. So it begins after a key, as ListObjectsV2 does with StartAfter:
KeyMarker without VersionIdMarker is the place behind all versions of that key (what ceph/s3-tests demands;
older versions of Ceph begin with the key itself, which is left out here). The versions of the last key of a
page are requested again.

Where a run takes all versions, what the engine calls a key is key + NUL + version, so that each version is an
object of its own, and `VersionStore` translates. No version has a NUL in it, and NUL sorts before everything
else: versions of one key lie together, at the place of that key.
"""

from collections.abc import Sequence
from typing import Any

from s3haul.core.key_ranges import Interval
from s3haul.core.listing_validator import (
    MAX_PAGES_WITHOUT_NEWS,
    Marker,
    check_version_frame,
    incomplete,
    version_at,
    versions_by_key,
)
from s3haul.core.text import key_octets
from s3haul.engine.context import ReadContext
from s3haul.engine.parallel_listing import CurrentLister, Lister
from s3haul.models import (
    NUL,
    KeyPage,
    KeyVersions,
    ObjectMeta,
    ObjectRef,
    PartLayout,
    UnusableEntry,
    VersionEntry,
)
from s3haul.store.protocol import (
    Consume,
    GetRequest,
    HeadRequest,
    SmallObjects,
    SmallObjectWork,
    WrappedStore,
)


def lister_of(ctx: ReadContext) -> Lister[Any]:
    """What the source names, if not a list."""
    if ctx.source.at is not None:
        return ListerAt(ctx, ctx.source.at)
    return AllVersionsLister(ctx) if ctx.source.all_versions else CurrentLister(ctx)


class _VersionLister:
    """As `Lister`, but for `refs` and `interval`."""

    def __init__(self, ctx: ReadContext) -> None:
        self.requests = 0
        self._store = ctx.store

    async def list_page(
        self, prefix: str, *, token: str | None = None, start_after: str = ""
    ) -> KeyPage[KeyVersions]:
        """The next keys with all their versions; of a key with many, from several pages."""
        after = token or start_after
        marker: Marker | None = (after, None) if after else None
        entries, unusable, without_news = list[VersionEntry](), list[UnusableEntry](), 0
        while True:
            self.requests += 1
            page = await self._store.list_versions(prefix, marker=marker)
            check_version_frame(page, marker)
            fresh = [entry for entry in page.entries if entry.ref.key != after]
            entries += fresh
            unusable += page.unusable
            without_news = 0 if fresh or page.unusable else without_news + 1
            if not page.truncated or (entries and entries[0].ref.key != entries[-1].ref.key):
                break
            if without_news > MAX_PAGES_WITHOUT_NEWS:
                raise incomplete(
                    f"{without_news} pages of versions in a row brought nothing new", after=after
                )
            assert page.next_key is not None, "a page without a marker was refused"
            marker = (page.next_key, page.next_version)
        keys = versions_by_key(entries, more=page.truncated)
        last = keys[-1].key if page.truncated else None
        if last is not None:
            unusable = [entry for entry in unusable if key_octets(entry.key) <= key_octets(last)]
        return KeyPage(tuple(keys), page.truncated, last, None, page.empty_answer, tuple(unusable))


class ListerAt(_VersionLister):
    """Every object that was there at `moment`, epoch seconds."""

    def __init__(self, ctx: ReadContext, moment: float) -> None:
        super().__init__(ctx)
        self._moment = moment

    def refs(self, entries: Sequence[KeyVersions]) -> list[ObjectRef]:
        found = (version_at(versions, self._moment) for versions in entries)
        return [ref for ref in found if ref is not None]

    def interval(self, interval: Interval) -> Interval:
        return interval


class AllVersionsLister(_VersionLister):
    """Every version of every key, each under a name of its own."""

    def refs(self, entries: Sequence[KeyVersions]) -> list[ObjectRef]:
        return [
            ref
            for versions in entries
            for ref in sorted(named_apart(each.ref) for each in versions.entries if not each.deleted)
        ]

    def interval(self, interval: Interval) -> Interval:
        """Just after a key is after all its versions."""
        first, end = interval
        return Interval(_behind_versions(first), end and _behind_versions(end))


def _behind_versions(bound: str) -> str:
    return f"{bound[:-1]}\x01" if bound.endswith(NUL) else bound


def named_apart(ref: ObjectRef) -> ObjectRef:
    """One version under a name of its own."""
    return ref._replace(key=f"{ref.key}{NUL}{ref.version_id}")


class VersionStore(WrappedStore):
    """As `ObjectStore`, for keys that name a version."""

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        key, version = _apart(request.key)
        return await self._store.load(request._replace(key=key, version_id=version), consume)

    async def head(self, request: HeadRequest) -> ObjectMeta:
        key, version = _apart(request.key)
        return await self._store.head(request._replace(key=key, version_id=version))

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:  # noqa: ARG002
        key, version = _apart(key)
        return await self._store.part_layout(key, version_id=version)

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:  # noqa: ARG002 - it requests by plain keys
        return None


def _apart(name: str) -> tuple[str, str]:
    key, _, version = name.rpartition(NUL)
    return key, version
