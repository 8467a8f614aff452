"""The records that modules pass to each other: listed objects, their metadata, and the outcomes.

Only values: no I/O, no clock, no logic except fields that follow from others. Sizes are bytes, times are
seconds since the epoch (UTC), keys are str (decoded from UTF-8, not URL-encoded).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeVar

NUL = "\0"  # between key and version, if a run copies all versions
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


class ObjectRef(NamedTuple):
    """One entry of the listing (or of a HEAD, for a single object). `etag` keeps its quotes."""

    key: str
    size: int
    etag: str
    last_modified: float
    storage_class: str = "STANDARD"
    version_id: str | None = None
    checksum_type: str = ""  # FULL_OBJECT, COMPOSITE, or "" if the listing does not contain it
    restored: bool = False  # an archived object with a finished, unexpired restore

    @property
    def plain_key(self) -> str:
        """The key in S3: without the version, which is part of it if a run copies all versions."""
        return self.key.removesuffix(f"{NUL}{self.version_id}") if self.version_id else self.key

    @property
    def of_all_versions(self) -> bool:
        """Whether the key contains the version."""
        return self.version_id is not None and self.key.endswith(f"{NUL}{self.version_id}")

    @property
    def archived(self) -> bool:
        """Whether it cannot be read now, according to the listing."""
        return self.storage_class in ARCHIVED and not self.restored


class UnusableEntry(NamedTuple):
    """An entry of a listing with an impossible key; `detail` says why. Bytes of `key` that are not UTF-8 are
    lone surrogates (`surrogateescape`)."""

    key: str
    detail: str


class Keyed(Protocol):
    """An entry of a listing."""

    @property
    def key(self) -> str: ...


E = TypeVar("E", bound=Keyed)


class KeyPage(NamedTuple, Generic[E]):
    """One page of a listing, as the service sent it; `core.listing_validator` validates it."""

    entries: tuple[E, ...]
    truncated: bool
    token: str | None
    key_count: int | None
    empty_answer: bool = False  # a 200 without a ListBucketResult
    unusable: tuple[UnusableEntry, ...] = ()


ListPage = KeyPage[ObjectRef]  # of ListObjectsV2


class VersionEntry(NamedTuple):
    """One version of a key, or a delete marker in its place; `ref` names its version."""

    ref: ObjectRef
    latest: bool
    deleted: bool


class VersionPage(NamedTuple):
    """One page of ListObjectVersions, as the service sent it; `core.listing_validator` validates it."""

    entries: tuple[VersionEntry, ...]
    truncated: bool
    next_key: str | None
    next_version: str | None
    empty_answer: bool = False
    unusable: tuple[UnusableEntry, ...] = ()


class KeyVersions(NamedTuple):
    """All that a listing of versions says of one key, in its order."""

    key: str
    entries: tuple[VersionEntry, ...]


class Checksum(NamedTuple):
    """A stored checksum: `algorithm` as S3 writes it (CRC64NVME), `value` in base64,
    with "-N" if S3 sent it so."""

    algorithm: str
    type: str  # FULL_OBJECT or COMPOSITE
    value: str


class ObjectMeta(NamedTuple):
    """The headers of one GET or HEAD response.

    `length` is Content-Length, `size` that of the whole object (from Content-Range if the response is a
    part). `checksums` are those of the response: of the whole object for a plain GET, of one part for a GET
    with partNumber of a composite object.
    """

    status: int
    length: int | None
    size: int | None
    etag: str
    last_modified: float | None = None
    version_id: str | None = None
    range_start: int | None = None
    checksums: tuple[Checksum, ...] = ()
    parts_count: int | None = None
    sse: str = ""  # AES256, aws:kms, aws:kms:dsse or ""
    kms_key_id: str = ""
    bucket_key: bool = False
    storage_class: str = "STANDARD"
    restored: bool = False
    content_type: str = ""
    user_metadata: str = ""  # as JSON, see `s3.responses`

    def ref(self, key: str) -> ObjectRef:
        """The entry that a listing would have for `key`, from a response for the whole object."""
        return ObjectRef(
            key=key,
            size=self.size if self.size is not None else self.length or 0,
            etag=self.etag,
            last_modified=self.last_modified or 0.0,
            storage_class=self.storage_class,
            version_id=None,
            checksum_type=self.checksums[0].type if self.checksums else "",
            restored=self.restored,
        )


class Part(NamedTuple):
    """One part of a multipart object: 1-based number, first byte, length, and its stored digest (base64)."""

    number: int
    start: int
    size: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PartLayout:
    """The parts of a composite object, in order, and the algorithm of their digests."""

    algorithm: str
    parts: tuple[Part, ...]


class Block(NamedTuple):
    """Bytes of an object in its temporary file: the first one, how many, and their CRC."""

    start: int
    size: int
    crc: int


class Partial(NamedTuple):
    """An incomplete object: its version, the name of its temporary file, the blocks in it,
    and the algorithm of their CRCs.

    Blocks are hashed again before they are used.
    """

    key: str
    etag: str
    size: int
    temporary: str
    algorithm: str
    blocks: tuple[Block, ...] = ()


class SafePath(NamedTuple):
    """A relative path that is safe to create under the destination. Only `core.keypath` makes one.

    `directory` is true for a zero-byte `dir/` marker, which becomes a directory.
    """

    parts: tuple[str, ...]
    directory: bool = False

    def __str__(self) -> str:
        return "/".join(self.parts)


class State(StrEnum):
    """The final state of a listed key. Every key has exactly one."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    VANISHED = "vanished"  # it is in a list, but no longer in the bucket


class Verdict(StrEnum):
    """How the bytes of a done object were verified."""

    VERIFIED = "verified"  # they match the checksum that S3 stores
    SIZE_ONLY = "size-only"  # S3 stores no checksum that we can compute; the length matches


class Outcome(NamedTuple):
    """The result of one object; one row of the journal and one line of the manifest.

    `reason` is a stable slug (`access-denied`, `archived`), `detail` a sentence that may quote the service.
    `fetched` counts the received bytes of all attempts. `part_sizes` are those of a COMPOSITE checksum, so
    that the file can be hashed again offline. `computed` is the base64 CRC64NVME of the received bytes, if S3
    stores no checksum that we can compute. `user_metadata` is a JSON object of names and values, or "".
    """

    ref: ObjectRef
    state: State
    path: str | None = None
    reason: str | None = None
    detail: str | None = None
    verdict: Verdict | None = None
    checksum: Checksum | None = None
    part_sizes: tuple[int, ...] = ()
    computed: str = ""
    sse: str = ""
    kms_key_id: str = ""
    version_id: str | None = None
    attempts: int = 1
    fetched: int = 0
    content_type: str = ""
    user_metadata: str = ""


def same_etag(one: str, other: str) -> bool:
    """Whether both name one version, whatever surrounds the value."""
    return one == other or _value(one) == _value(other)


def _value(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')
