"""A store that lists one shard of a plan, and does all else as the bucket: the engine above sees a small bucket."""

from s3haul.cluster.cutting import Shard
from s3haul.models import ListPage, ObjectMeta, PartLayout
from s3haul.store.protocol import Consume, GetRequest, ObjectStore, SmallObjects, SmallObjectWork

PAGE = 1000


class PlannedStore:
    """As `store.ObjectStore`."""

    def __init__(self, store: ObjectStore, shard: Shard) -> None:
        self._store = store
        self._shard = shard

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:  # noqa: ARG002 - the plan knows
        """A page of the plan; entries that name no object come with the last one."""
        first, refs = int(token or 0), self._shard.refs
        page = tuple(refs[first : first + PAGE])
        if first + PAGE < len(refs):
            return ListPage(page, True, str(first + PAGE), len(page))
        unusable = tuple(self._shard.unusable)
        return ListPage(page, False, None, len(page) + len(unusable), unusable=unusable)

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        return await self._store.load(request, consume)

    async def head(self, key: str, *, checksums: bool = False, part_number: int | None = None) -> ObjectMeta:
        return await self._store.head(key, checksums=checksums, part_number=part_number)

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        return await self._store.part_layout(key, version_id=version_id)

    def statistics(self) -> dict[str, int]:
        return self._store.statistics()

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        return self._store.small_objects(work)
