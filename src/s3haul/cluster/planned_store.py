"""A store that lists one shard of a plan, and does all else as the bucket: the engine above sees a small bucket."""

from s3haul.cluster.cutting import Shard
from s3haul.models import ListPage
from s3haul.store.protocol import ObjectStore
from s3haul.store.wrapped import WrappedStore

PAGE = 1000


class PlannedStore(WrappedStore):
    """As `ObjectStore`, for the objects of one shard."""

    def __init__(self, store: ObjectStore, shard: Shard) -> None:
        super().__init__(store)
        self._shard = shard

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:  # noqa: ARG002 - the plan knows
        """A page of the plan; entries that name no object come with the last one."""
        first, refs = int(token or 0), self._shard.refs
        page = tuple(refs[first : first + PAGE])
        if first + PAGE < len(refs):
            return ListPage(page, True, str(first + PAGE), len(page))
        unusable = tuple(self._shard.unusable)
        return ListPage(page, False, None, len(page) + len(unusable), unusable=unusable)
