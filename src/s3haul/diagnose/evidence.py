"""The observations of a check: its steps, the sampled objects, the errors. Records only.

`preflight` fills them, `causes` evaluates them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Self

from s3haul.errors import Fault, S3HaulError


class Step(StrEnum):
    """The steps in their order, each named after what it tests."""

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
    """One line of the report. `ok` is None if the step was skipped or shows nothing;
    `text` says what was found."""

    step: Step
    ok: bool | None
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """An error that already has its id, as raised for configuration, STS and disk."""

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
    """One object of the sample. `read` is the fault of reading its first byte, `head` that of a HEAD.

    `kms_key`, `bucket_key` and `owner` are "" or False if unknown.
    """

    key: str
    size: int = 1
    storage_class: str = "STANDARD"
    read: Fault | None = None
    head: Fault | None = None
    kms_key: str = ""
    bucket_key: bool = False
    owner: str = ""
    archived: bool = False  # according to the listing; then it is not requested


class Group(NamedTuple):
    """Sampled objects that agree in everything that access depends on."""

    kms_key_id: str
    bucket_key: bool
    storage_class: str
    owner: str
    objects: int

    def __str__(self) -> str:
        kind = f"KMS key {self.kms_key_id}" if self.kms_key_id else "KMS key unknown or none"
        bucket_key = " with a Bucket Key" if self.bucket_key else ""
        owner = f", owner {self.owner}" if self.owner else ""
        return f"{self.objects}: {kind}{bucket_key}, {self.storage_class}{owner}"


def grouped(samples: Iterable[Sample]) -> tuple[Group, ...]:
    """The samples, grouped by what access depends on."""
    counts = Counter((one.kms_key, one.bucket_key, one.storage_class, one.owner) for one in samples)
    return tuple(Group(*alike, objects) for alike, objects in counts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All observations of one check. `complete` if the samples are all objects."""

    role_arn: str = ""
    caller_arn: str = ""
    keys_override_profile: bool = False
    refused: ErrorSummary | None = None  # an error before the bucket was reached: profile, credentials, role
    trust_row: str = ""  # the cause of that error, from the trust policy, if it could be read
    needless_external_id: bool = False
    chained: bool = False
    bucket: Fault | None = None
    foreign_bucket: bool = False  # without --expected-bucket-owner the request succeeds
    listing: Fault | None = None
    requester_pays: bool = False  # with --request-payer the request succeeds
    listable: str | None = None  # another prefix that may be listed
    samples: tuple[Sample, ...] = ()
    complete: bool = False
    throttled: frozenset[str] = field(default_factory=frozenset)  # ids of throttling that ended after retries
