"""What the user asked for, as frozen records: built once at the edge, passed down, never changed.

Values are checked where they are built (`cli`) or by the module that owns the rule; these records
only carry them. `None` means "not given", so that the AWS configuration may answer.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleOptions:
    """The role of `--role-arn …` or of a profile. The External ID stays out of every repr."""

    role_arn: str
    external_id: str | None = field(default=None, repr=False)
    session_name: str | None = None
    duration_seconds: int = 3600
    mfa_serial: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions:
    """Who calls, and where. `role` given by flags replaces the profile's own role keys; `external_id`
    alone goes with the profile's role, so that it need not stand in a file."""

    profile: str | None = None
    source_profile: str | None = None  # credentials to assume the flags' role with
    role: RoleOptions | None = None
    external_id: str | None = field(default=None, repr=False)
    region: str | None = None
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None
    ca_bundle: str | None = None
    allow_plain_http: bool = False  # http:// to a host that is not loopback
    transport: str = "auto"  # auto, curl or sdk
    credential_patience: float = 900.0  # seconds that requests wait for a session that S3 takes
    no_sign_request: bool = False  # as nobody: a public bucket
    owner_profile: str | None = None  # of the data owner's account, only to explain a refused role


class ListForm(StrEnum):
    """What a list of objects looks like."""

    KEYS = "keys"  # one a line
    CSV = "csv"  # bucket,key or bucket,key,version
    MANIFEST = "manifest"  # of an earlier run, as JSON lines
    BATCH_REPORT = "batch-report"  # of an S3 Batch Operations job
    PLAN = "plan"  # of a dry run
    INVENTORY = "inventory"  # S3 Inventory: the manifest.json of one report


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectList:
    """A file that names the objects, in place of the bucket's listing.

    `location` is a path, or for an inventory also s3://BUCKET/KEY of its manifest.json. `encoded` says whether keys are
    percent-encoded; None is what is usual for the form. `name` is what messages call it, if not by its location.
    """

    location: str
    form: ListForm = ListForm.KEYS
    encoded: bool | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What to haul. `prefix` ends in "/" or is empty when recursive, else it is one whole key.

    `objects` names them, in place of the listing. `at` (epoch seconds) takes what was there at that time, `all_versions`
    all that is there; `version_id` is that of the one object.
    """

    bucket: str
    prefix: str = ""
    recursive: bool = True
    objects: ObjectList | None = None
    at: float | None = None
    version_id: str | None = None
    all_versions: bool = False
    request_payer: str | None = None
    expected_bucket_owner: str | None = None
    page_size: int = 1000

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def base(self) -> str:
        """The part of every key that is not repeated below the destination."""
        return self.prefix if self.recursive else self.prefix[: self.prefix.rfind("/") + 1]


class Existing(StrEnum):
    """What to do about a file that no journal knows."""

    VERIFY = "verify"  # same size: hash it against the stored checksum; else fetch
    OVERWRITE = "overwrite"
    SKIP = "skip"


MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeOptions:
    """How objects are fetched in ranges, all in bytes. Requests grow with the object, between two sizes;
    where each of them costs a KMS call of its own, they are larger."""

    above: int = 32 * MEBIBYTE  # objects up to here come in one GET
    smallest: int = 16 * MEBIBYTE
    largest: int = 64 * MEBIBYTE
    block: int = 8 * MEBIBYTE  # what is hashed, kept and resumed as one
    memory: int = 120 * MEBIBYTE  # for bodies on their way to the disk, over all objects


class LimitOptions(NamedTuple):
    """What a run may ask for at most, in a second. None is no limit."""

    max_rps: float | None = None  # requests
    max_kms_rps: float | None = None  # requests that cost a KMS call
    bandwidth: float | None = None  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What must be true of an object for it to be selected; all that are given. Sizes are bytes, both ends included;
    times are epoch seconds, the end excluded. Each of `regex` must be found in the key without the source prefix."""

    min_size: int | None = None
    max_size: int | None = None
    newer_than: float | None = None
    older_than: float | None = None
    storage_classes: frozenset[str] = frozenset()
    regex: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOptions:
    """How objects are fetched and what must be true of them. Times are seconds, rates bytes/s."""

    filters: tuple[tuple[bool, str], ...] = ()  # (include?, pattern) in the order given
    conditions: Conditions = field(default_factory=Conditions)
    sse: str | None = None
    sse_kms_key_id: str | None = None
    require_checksum: bool = False
    existing: Existing = Existing.VERIFY
    concurrency: int = 256  # requests at a time, at most
    list_concurrency: int = 32  # of these, for the listing
    max_rps: float | None = None  # requests a second
    max_kms_rps: float | None = None  # of them, those that cost a KMS call
    bandwidth: int | None = None
    max_transfer: int | None = None  # bytes of one run
    max_duration: float | None = None  # of one run
    max_attempts: int | None = None  # for one object or page; without it, time alone is the bound
    retry_budget: float = 900.0  # seconds of passing trouble without any success
    stall_timeout: float = 60.0
    minimum_rate: int = 1024  # bytes per second over one stall window
    force_glacier_transfer: bool = False
    reconcile: bool = False  # list again at the end, and tell what came, changed or went
    fail_if_empty: bool = False  # nothing selected is an error, not a warning
    ranges: RangeOptions = field(default_factory=RangeOptions)

    @property
    def limits(self) -> LimitOptions:
        return LimitOptions(self.max_rps, self.max_kms_rps, self.bandwidth)


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationOptions:
    """Where the objects go. `name` is the file name of a single object that is stored under another name."""

    root: Path
    name: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is shown: progress and events on stderr, the summary on stdout."""

    quiet: bool = False
    verbose: bool = False
    progress: bool = True
    json: bool = False
    json_log: bool = False
    metrics_port: int | None = None  # of the Prometheus metrics; 0 is any free one
    metrics_address: str = "127.0.0.1"
    plan: Path | None = None  # of a dry run, to be written
