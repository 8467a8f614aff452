"""A store around another one, which passes every request on: the base of stores that change some of them."""

from s3haul.models import ListPage, ObjectMeta, PartLayout, VersionPage
from s3haul.store.protocol import Consume, GetRequest, ObjectStore, SmallObjects, SmallObjectWork


class WrappedStore:
    """As `ObjectStore`; a subclass overrides what it changes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        return await self._store.list_page(prefix, token=token, start_after=start_after)

    async def list_versions(
        self, prefix: str, *, marker: tuple[str, str | None] | None = None
    ) -> VersionPage:
        return await self._store.list_versions(prefix, marker=marker)

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        return await self._store.load(request, consume)

    async def head(
        self,
        key: str,
        *,
        checksums: bool = False,
        part_number: int | None = None,
        version_id: str | None = None,
    ) -> ObjectMeta:
        return await self._store.head(
            key, checksums=checksums, part_number=part_number, version_id=version_id
        )

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        return await self._store.part_layout(key, version_id=version_id)

    def statistics(self) -> dict[str, int]:
        return self._store.statistics()

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        return self._store.small_objects(work)
