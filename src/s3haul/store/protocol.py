"""The interface between the engine and S3: what a transport must offer,
and what it is given. No transport is here.

Every method of `ObjectStore` raises `StoreError` (one request failed) and no other exception of its own. A
transport does not retry: `retrying` does. It verifies TLS names and follows no redirect. `WrappedStore` is
the base of stores that change something for another store.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from s3haul.errors import Fault
from s3haul.models import ListPage, ObjectMeta, ObjectRef, PartLayout, VersionPage

LARGEST_IN_MEMORY = 1 << 20  # bytes of a body; a larger one is written to its file chunk by chunk

# Bytes of a body.
Chunk = bytes | memoryview
# Takes the chunks of a body, in order, one at a time. A chunk is valid only during the call.
# An exception ends the request.
OnData = Callable[[Chunk], None]
# Takes the headers, and returns the function that takes the body. An exception ends the request.
Consume = Callable[[ObjectMeta], OnData]


class RequestTiming(NamedTuple):
    """How long one request with a response took, in seconds, and the status of the response.

    `connect` is what a new connection cost, TLS included, None on an existing one; `first_byte` is from
    the request on its way to the first byte of the response, `total` all of it.
    """

    connect: float | None
    first_byte: float
    total: float
    status: int = 200


# Called for each request with a response, in a thread of the transport; it must return at once.
# What it raises ends the run.
OnTiming = Callable[[RequestTiming], None]


class GetRequest(NamedTuple):
    """One GetObject, of a whole object or of a `byte_range` (first, last, both inclusive).

    `if_match` is the ETag with its quotes. The checksum headers are always requested, and a header
    that names an encryption is never sent: S3 responds to it with 400 on a GET.
    """

    key: str
    if_match: str | None = None
    version_id: str | None = None
    byte_range: tuple[int, int] | None = None


class HeadRequest(NamedTuple):
    """One HeadObject: of the current version, or another, or of one of its parts. With `checksums` this needs
    kms:Decrypt too."""

    key: str
    checksums: bool = False
    part_number: int | None = None
    version_id: str | None = None


class FailedAttempt(NamedTuple):
    """A request that was sent at time `sent` (seconds, monotonic) and failed: with an error response, a wrong
    response or none. `access_key` signed it; it is needed if S3 refused the session."""

    fault: Fault
    sent: float
    access_key: str = ""


class RenewableCredentials(Protocol):
    """Credentials that can be replaced when S3 refuses them."""

    @property
    def access_key_id(self) -> str:
        """Identifies the session in use, so that an expired one is renewed once and not once per worker."""
        ...

    @property
    def trusted(self) -> bool:
        """Whether they are known to be good, so that a refusal is waited out even before
        any request succeeded."""
        ...

    async def renew(self, stale_access_key: str, *, never_worked: bool = False) -> None:
        """Return when credentials other than `stale_access_key` are in use. `never_worked` says that no
        request has succeeded since the last renewal."""
        ...

    async def run(self) -> None:
        """Renew ahead of expiry, until cancelled. Raises `S3HaulError` when that has failed."""
        ...


class SmallObjectWork(Protocol):
    """Which small objects to fetch, and what to do with the responses.
    All methods are called in one thread."""

    def next(self) -> ObjectRef | None:
        """The next object; None while there is none, or no more may be under way."""
        ...

    def received(self, ref: ObjectRef, meta: ObjectMeta, body: Sequence[bytes]) -> None:
        """Status 200 and the body of this object arrived. Nothing is verified yet."""
        ...

    def not_received(self, ref: ObjectRef, fault: Fault | None, access_key: str = "") -> None:
        """The request that `access_key` signed failed with `fault`. None: it was not sent, or the failure
        concerns the whole run: request it again."""
        ...

    def before_wait(self) -> None:
        """Everything received was handed over; the thread is about to wait."""
        ...

    def failed(self, error: BaseException) -> None:
        """The thread ends because of an error of its own."""
        ...


class SmallObjects(Protocol):
    """The thread that fetches small objects."""

    @property
    def waited(self) -> float:
        """For how many seconds it has waited for responses, in all."""
        ...

    @property
    def closing(self) -> bool:
        """Whether `close` was called: whoever makes the thread wait must let it go."""
        ...

    def wake(self) -> None:
        """There may be more to do. May be called from any thread."""
        ...

    def close(self) -> None:
        """Abandon what is under way. When this returns, no method of the work is called any more."""
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
        """One GetObject; the body as stored, never decoded. Returns the headers once the body has ended.

        `consume` and the function that it returns are called in a thread; no call is under way when this
        returns or raises. The caller must check the length of the body.
        """
        ...

    async def head(self, request: HeadRequest) -> ObjectMeta:
        """What the headers of the response say."""
        ...

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        """The stored parts (GetObjectAttributes), or None where S3 keeps none or the right is missing."""
        ...

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        """Start a thread that fetches many small objects at a time; None if this transport has none."""
        ...


class BucketStore(ObjectStore, Protocol):
    """An `ObjectStore` of a transport, which can also find out where its bucket is."""

    async def bucket_region(self) -> str:
        """HeadBucket: the region of the bucket, "" if the server does not say.
        The fault of a refusal may have it too.

        A HEAD has no body to judge by: a 404 that may be the page of a proxy has no code.
        """
        ...


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

    async def head(self, request: HeadRequest) -> ObjectMeta:
        return await self._store.head(request)

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        return await self._store.part_layout(key, version_id=version_id)

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        return self._store.small_objects(work)
