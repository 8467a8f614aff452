"""The records that travel between the parts: what was listed, what was stored, what became of it.

Values only: no I/O, no clock, no logic beyond deriving one field from others. Sizes are bytes,
times are seconds since the epoch (UTC), keys are str as S3 means them (UTF-8, not URL-encoded).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

NUL = "\0"  # between key and version, where a run takes all versions
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


class ObjectRef(NamedTuple):
    """One entry of the listing (or of a HEAD, for a single object). `etag` keeps its quotes."""

    key: str
    size: int
    etag: str
    last_modified: float
    storage_class: str = "STANDARD"
    version_id: str | None = None
    checksum_type: str = ""  # FULL_OBJECT, COMPOSITE or "" where the listing does not tell
    restored: bool = False  # an archived object with a finished, unexpired restore

    @property
    def plain_key(self) -> str:
        """The key as S3 has it: without the version that is part of it where a run takes all versions."""
        return self.key.removesuffix(f"{NUL}{self.version_id}") if self.version_id else self.key

    @property
    def of_all_versions(self) -> bool:
        """Whether the key names the version too."""
        return self.version_id is not None and self.key.endswith(f"{NUL}{self.version_id}")

    @property
    def archived(self) -> bool:
        """Whether it cannot be read now, as far as a listing tells."""
        return self.storage_class in ARCHIVED and not self.restored


class UnusableEntry(NamedTuple):
    """An entry that names no object which could be asked for; `detail` says why. In `key`, bytes that are
    no UTF-8 are lone surrogates (`surrogateescape`)."""

    key: str
    detail: str


class ListPage(NamedTuple):
    """One page of ListObjectsV2, as the service sent it; `core.listing_validator` judges it."""

    entries: tuple[ObjectRef, ...]
    truncated: bool
    token: str | None
    key_count: int | None
    empty_answer: bool = False  # a 200 without a ListBucketResult
    unusable: tuple[UnusableEntry, ...] = ()


class VersionEntry(NamedTuple):
    """One version of a key, or a delete marker in its place; `ref` names its version."""

    ref: ObjectRef
    latest: bool
    deleted: bool


class VersionPage(NamedTuple):
    """One page of ListObjectVersions, as the service sent it; `core.versions` checks it."""

    entries: tuple[VersionEntry, ...]
    truncated: bool
    next_key: str | None
    next_version: str | None
    empty_answer: bool = False
    unusable: tuple[UnusableEntry, ...] = ()


class Checksum(NamedTuple):
    """A stored checksum: `algorithm` as S3 spells it (CRC64NVME), `value` base64, with "-N" if sent so."""

    algorithm: str
    type: str  # FULL_OBJECT or COMPOSITE
    value: str


class ObjectMeta(NamedTuple):
    """What the headers of one GET or HEAD answer say about the object.

    `length` is this answer's Content-Length, `size` the whole object's (from Content-Range where the
    answer is a part); `checksums` are those of this answer: of the whole object for a plain GET, of
    one part for a partNumber GET of a composite object.
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
        """The entry that a listing would hold for `key`, from a whole-object answer."""
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
    """Bytes of an object that lie in its temporary file: the first one, how many, and their CRC."""

    start: int
    size: int
    crc: int


class Partial(NamedTuple):
    """An object that is here in part: the version that it belongs to, the name of its temporary file, the
    blocks that landed there, and the algorithm of their CRCs. Not trusted: blocks are hashed again before they are used."""

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
    """How a listed key ended. Every key ends in exactly one."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    VANISHED = "vanished"  # a list named it, and it is there no more


class Verdict(StrEnum):
    """What is known of the bytes of a done object."""

    VERIFIED = "verified"  # they match the checksum that S3 stores
    SIZE_ONLY = "size-only"  # S3 stores none that we can compute; the length matches


class Outcome(NamedTuple):
    """What became of one object; one row of the journal and one line of the manifest.

    `reason` is a stable slug (`access-denied`, `archived`), `detail` a sentence that may hold the
    service's own words. `fetched` counts body bytes received over all attempts. `part_sizes` are those
    of a COMPOSITE checksum, so that the file can be hashed again offline; `computed` is the base64
    CRC64NVME of the received bytes where S3 stores no checksum that we can compute. `user_metadata` is a JSON
    object of names and values, "" where there is none.
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
