"""What a check has seen, as values: the steps of the ladder, the sampled objects, the refusals on the way.

Pure records. The ladder in `preflight` fills them, `causes` reads them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Self

from s3haul.errors import Fault, S3HaulError


class Step(StrEnum):
    """The steps in order, each named for what it isolates."""

    CONFIGURATION = "configuration"
    CALLER = "caller"
    ROLE = "role"
    EXTERNAL_ID = "external-id"
    BUCKET = "bucket"
    NETWORK = "network"
    LISTING = "listing"
    HEAD = "head"
    CHECKSUM = "checksum"
    READ = "read"
    SAMPLE = "sample"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One line of the report. `ok` is None for a step that was not taken; `text` says what it proves, or why not."""

    step: Step
    ok: bool | None
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """An error that names its row already, as configuration, STS and disk raise it."""

    id: str
    message: str
    said: str = ""
    hint: str = ""
    seen: str = ""

    @classmethod
    def of(cls, error: S3HaulError) -> Self:
        return cls(error.id, error.message, error.said or "", error.hint or "", error.seen or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One object that was asked for its first byte. `read` is the refusal; `head` that of a plain HEAD.

    `kms_key`, `bucket_key` and `owner` are "" or False where nothing could tell.
    """

    key: str
    size: int = 1
    storage_class: str = "STANDARD"
    read: Fault | None = None
    head: Fault | None = None
    kms_key: str = ""
    bucket_key: bool = False
    owner: str = ""
    archived: bool = False  # known from the listing, and not asked for


class Group(NamedTuple):
    """Sampled objects that have everything in common that access depends on."""

    kms_key: str
    bucket_key: bool
    storage_class: str
    owner: str
    objects: int

    def __str__(self) -> str:
        kind = f"KMS key {self.kms_key}" if self.kms_key else "no KMS key seen"
        bucket_key = " with a Bucket Key" if self.bucket_key else ""
        owner = f", owner {self.owner}" if self.owner else ""
        return f"{self.objects}: {kind}{bucket_key}, {self.storage_class}{owner}"


def grouped(samples: Iterable[Sample]) -> tuple[Group, ...]:
    """The samples by what access depends on."""
    counts = Counter((one.kms_key, one.bucket_key, one.storage_class, one.owner) for one in samples)
    return tuple(Group(*alike, objects) for alike, objects in counts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that one check has seen. `complete`: the samples are all objects there are."""

    role_arn: str = ""
    caller_arn: str = ""
    region: str = ""
    keys_win: bool = False
    refused: ErrorSummary | None = None  # on the way to the bucket: profile, credentials, role
    trust_row: str = ""  # what the owner's view of the trust policy says about that refusal
    needless_external_id: bool = False
    chained: bool = False
    bucket: Fault | None = None
    foreign_bucket: bool = False  # the refusal is gone when no owner is stated
    listing: Fault | None = None
    requester_pays: bool = False  # the refusal is gone when the requester pays
    listable: str | None = None  # another prefix, which may be listed
    samples: tuple[Sample, ...] = ()
    complete: bool = False
    slowed: frozenset[str] = field(default_factory=frozenset)  # rows of throttling that was overcome
