"""The seam between the engine and S3: what a transport must offer. No implementation lives here.

Every method raises `StoreError` (one request failed) and nothing else of its own. A transport does
not retry what it is asked; the engine owns that. It verifies TLS names and follows no redirect.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from s3haul.models import ListPage, ObjectMeta, PartLayout

# Bytes of a body.
Piece = bytes | memoryview
# Is given the pieces of a body, in order and one at a time; what it raises ends the body.
Take = Callable[[Piece], None]


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


class ObjectBody(Protocol):
    """An open answer: headers first, then the body as it comes, as stored (never decoded)."""

    @property
    def meta(self) -> ObjectMeta: ...

    def chunks(self) -> AsyncIterator[Piece]:
        """The body in order, in pieces of at most 1 MiB, which may be kept. Raises `StoreError` where it breaks."""
        ...

    async def deliver(self, take: Take) -> None:
        """The same body to `take`, in threads: for what is large, and neither the loop nor the memory need see.

        A piece is only good until `take` returns. No call of `take` is under way when this returns or raises:
        what `chunks` raises, and what `take` does.
        """
        ...


class ObjectStore(Protocol):
    """One bucket, seen through one transport."""

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        """One page of ListObjectsV2 (up to 1,000 keys, in UTF-8 order)."""
        ...

    def get(self, request: GetRequest) -> AbstractAsyncContextManager[ObjectBody]:
        """Open one GetObject. Leaving the context before the end of the body drops the connection."""
        ...

    async def head(self, key: str, *, checksums: bool = False, part_number: int | None = None) -> ObjectMeta:
        """What the headers say of the current version, or of one of its parts; with `checksums` this needs
        kms:Decrypt too."""
        ...

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        """The stored parts (GetObjectAttributes), or None where S3 keeps none or the right is missing."""
        ...

    def statistics(self) -> dict[str, int]:
        """Counters for the debugging view, such as requests by operation."""
        ...
