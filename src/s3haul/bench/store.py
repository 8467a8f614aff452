"""A store that lists the sample and nothing else, and counts who throttles. Everything else goes through."""

from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from s3haul.core.retry import THROTTLE, of_kms
from s3haul.errors import StoreError
from s3haul.models import ListPage, ObjectMeta, ObjectRef, PartLayout
from s3haul.store.protocol import Consume, GetRequest, ObjectStore
from s3haul.store.wrapped import WrappedStore

PAGE = 1000

T = TypeVar("T")


class SampleStore(WrappedStore):
    """As `store.ObjectStore`. `throttles` counts refusals by the service that made them: "kms" or "s3"."""

    def __init__(self, store: ObjectStore, refs: Sequence[ObjectRef]) -> None:
        super().__init__(store)
        self._refs = refs
        self.throttles: Counter[str] = Counter()

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:  # noqa: ARG002 - the protocol's
        first = int(token or 0)
        entries = tuple(self._refs[first : first + PAGE])
        end = first + len(entries)
        more = end < len(self._refs)
        return ListPage(entries, truncated=more, token=str(end) if more else None, key_count=len(entries))

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        return await self._counted(super().load(request, consume))

    async def head(
        self,
        key: str,
        *,
        checksums: bool = False,
        part_number: int | None = None,
        version_id: str | None = None,
    ) -> ObjectMeta:
        return await self._counted(
            super().head(key, checksums=checksums, part_number=part_number, version_id=version_id)
        )

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        return await self._counted(super().part_layout(key, version_id=version_id))

    async def _counted(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except StoreError as error:
            fault = error.fault
            if fault.code in THROTTLE or fault.status in {429, 503}:
                self.throttles["kms" if of_kms(fault) else "s3"] += 1
            raise
