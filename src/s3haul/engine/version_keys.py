"""A store for runs that take all versions: what the engine calls a key is a key and a version, so that each is its own.

    KEY + NUL + VERSION

No version has a NUL in it, and NUL sorts before all else: versions of one key lie together and in the place of that key.
Only this module takes such a name apart to ask for what it names.
"""

from s3haul.models import NUL, ObjectMeta, ObjectRef, PartLayout
from s3haul.store.protocol import Consume, GetRequest, SmallObjects, SmallObjectWork
from s3haul.store.wrapped import WrappedStore


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
