"""The seam between the engine and S3: what a transport must offer. No implementation lives here.

Every method raises `StoreError` (one request failed) and nothing else of its own. A transport does
not retry what it is asked; the engine owns that. It verifies TLS names and follows no redirect.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from s3haul.models import ListPage, ObjectMeta, ObjectRef, PartLayout, VersionPage

# Bytes of a body.
Chunk = bytes | memoryview
# Is given the chunks of a body, in order and one at a time, each good only until it returns; what it raises
# ends the request.
OnData = Callable[[Chunk], None]
# Is given what the headers say, and returns what takes the body; what it raises ends the request.
Consume = Callable[[ObjectMeta], OnData]


class GetRequest(NamedTuple):
    """One GetObject. At most one of `byte_range` (first, last, both inclusive) and `part_number`.

    `if_match` is the ETag with its quotes. The checksum headers are always asked for, and a header
    that names an encryption is never sent: S3 answers 400 to it on a GET.
    """

    key: str
    if_match: str | None = None
    version_id: str | None = None
    byte_range: tuple[int, int] | None = None
    part_number: int | None = None


class SmallObjectWork(Protocol):
    """Small objects to be fetched whole, and what becomes of them. All methods are called in one thread."""

    def next(self) -> ObjectRef | None:
        """The next object, None while there is none or no more may be under way."""
        ...

    def answered(self, ref: ObjectRef, headers: dict[str, str], body: Sequence[bytes]) -> None:
        """A 200 and its body came for this object. It is not checked yet."""
        ...

    def unanswered(self, ref: ObjectRef) -> None:
        """Anything else came, or nothing."""
        ...

    def pause(self) -> None:
        """All that has come was handed over; the thread waits for more."""
        ...

    def failed(self, error: BaseException) -> None:
        """The thread ends with an error of its own: nothing more will come."""
        ...


class SmallObjects(Protocol):
    """The thread that does the work."""

    def wake(self) -> None:
        """There is more to do, or more may be under way. May be called from any thread."""
        ...

    def close(self) -> None:
        """Give up what is under way; no method of the work is called any more when this returns."""
        ...


class ObjectStore(Protocol):
    """One bucket, seen through one transport."""

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        """One page of ListObjectsV2 (up to 1,000 keys, in UTF-8 order)."""
        ...

    async def list_versions(
        self, prefix: str, *, marker: tuple[str, str | None] | None = None
    ) -> VersionPage:
        """One page of ListObjectVersions, behind a key and one of its versions."""
        ...

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        """One GetObject, as stored (never decoded); returns what the headers said once the body has ended.

        `consume` and what it returns are called in a thread. When this returns or raises, none of their calls is
        under way. That the body was as long as announced is for the caller to check.
        """
        ...

    async def head(
        self,
        key: str,
        *,
        checksums: bool = False,
        part_number: int | None = None,
        version_id: str | None = None,
    ) -> ObjectMeta:
        """What the headers say of the current version, or another, or of one of its parts; with `checksums` this
        needs kms:Decrypt too."""
        ...

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        """The stored parts (GetObjectAttributes), or None where S3 keeps none or the right is missing."""
        ...

    def statistics(self) -> dict[str, int]:
        """Counters for the debugging view, such as requests by operation."""
        ...

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        """A thread that fetches small objects many at a time; None where this transport has no such way."""
        ...
