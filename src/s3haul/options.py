"""The options of a run, as frozen records: created by the command line or the user of
the API, and never changed.

These records do not check their values; `cli` does, or the module that uses them. `None` means "not given":
then the AWS configuration decides.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleOptions:
    """The role of `--role-arn` or of a profile. The External ID is not part of the repr."""

    role_arn: str
    external_id: str | None = field(default=None, repr=False)
    session_name: str | None = None
    duration_seconds: int = 3600
    mfa_serial: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions:
    """Credentials and endpoints. `role` replaces the role of the profile. `external_id` without `role`
    belongs to the role of the profile, so that it does not have to be in a file."""

    profile: str | None = None
    source_profile: str | None = None  # credentials to assume the flags' role with
    role: RoleOptions | None = None
    external_id: str | None = field(default=None, repr=False)
    region: str | None = None
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None
    ca_bundle: str | None = None
    allow_plain_http: bool = False  # http:// to other hosts than loopback
    transport: str = "auto"  # auto, curl or sdk
    credential_timeout: float = 900.0  # seconds that requests wait for a valid session
    no_sign_request: bool = False  # without credentials: a public bucket
    owner_profile: str | None = None  # of the data owner's account, to explain why a role was refused


class ListForm(StrEnum):
    """The format of a list of objects."""

    KEYS = "keys"  # one per line
    CSV = "csv"  # bucket,key or bucket,key,version
    MANIFEST = "manifest"  # of an earlier run, as JSON lines
    BATCH_REPORT = "batch-report"  # of an S3 Batch Operations job
    PLAN = "plan"  # of a dry run
    INVENTORY = "inventory"  # S3 Inventory: the manifest.json of one report


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectList:
    """A file with the objects to copy, instead of the listing of the bucket.

    `location` is a path, or for an inventory also s3://BUCKET/KEY of its manifest.json. `encoded` says
    whether keys are percent-encoded; None is the default of the form. `name` is its name in messages, if that
    is not the location.
    """

    location: str
    form: ListForm = ListForm.KEYS
    encoded: bool | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What to copy. `prefix` ends in "/" or is empty if `recursive`; otherwise it is one whole key.

    `objects` is a list to use instead of the listing. `at` (epoch seconds) selects the versions of that time,
    `all_versions` every version; `version_id` is that of the one object.
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
        """The beginning of every key, which is not part of its path below the destination."""
        return self.prefix if self.recursive else self.prefix[: self.prefix.rfind("/") + 1]


class Existing(StrEnum):
    """What to do with an existing file that is not in the journal."""

    VERIFY = "verify"  # same size: compare it with the stored checksum; otherwise fetch
    OVERWRITE = "overwrite"
    SKIP = "skip"


MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeOptions:
    """How objects are fetched in ranges; all values are bytes. The size of requests grows with that of the
    object, from `smallest` to `largest`; if each request costs a KMS call, they are larger."""

    above: int = 32 * MEBIBYTE  # smaller objects are fetched with one GET
    smallest: int = 16 * MEBIBYTE
    largest: int = 64 * MEBIBYTE
    block: int = 8 * MEBIBYTE  # the unit of hashing and resuming
    memory: int = 120 * MEBIBYTE  # for bodies that are not on disk yet, of all objects


class LimitOptions(NamedTuple):
    """The limits of a run, which can be changed while it goes on. Rates are per second. None is no limit."""

    max_rps: float | None = None  # requests
    max_kms_rps: float | None = None  # requests that cost a KMS call
    bandwidth: float | None = None  # bytes
    concurrency: float | None = None  # parallel requests; never more than the run began with


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The conditions for an object to be selected; all must be true. Sizes are bytes, both ends included;
    times are epoch seconds, the end excluded. Each of `regex` must match somewhere in the key without the
    source prefix."""

    min_size: int | None = None
    max_size: int | None = None
    newer_than: float | None = None
    older_than: float | None = None
    storage_classes: frozenset[str] = frozenset()
    regex: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOptions:
    """Which objects are fetched, and how. Times are seconds, rates bytes per second."""

    filters: tuple[tuple[bool, str], ...] = ()  # (include?, pattern) in the order of the flags
    conditions: Conditions = field(default_factory=Conditions)
    sse: str | None = None
    sse_kms_key_id: str | None = None
    require_checksum: bool = False
    existing: Existing = Existing.VERIFY
    concurrency: int = 256  # maximum of parallel requests
    list_concurrency: int = 32  # of these, for the listing
    max_rps: float | None = None  # requests per second
    max_kms_rps: float | None = None  # requests per second that cost a KMS call
    bandwidth: int | None = None
    max_transfer: int | None = None  # bytes of one run
    max_duration: float | None = None  # of one run
    max_attempts: int | None = None  # for one object or page; None: only time limits them
    retry_timeout: float = 900.0  # seconds of temporary errors without any success
    stall_timeout: float = 60.0
    minimum_rate: int = 1024  # bytes per second over one stall window
    force_glacier_transfer: bool = False
    reconcile: bool = False  # list again at the end, and report what was added, changed or deleted
    fail_if_empty: bool = False  # it is an error if no object is selected
    ranges: RangeOptions = field(default_factory=RangeOptions)

    @property
    def limits(self) -> LimitOptions:
        return LimitOptions(self.max_rps, self.max_kms_rps, self.bandwidth)


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationOptions:
    """Where files are written. `name` is the file name of a single object, if it is not that of the key."""

    root: Path
    name: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is printed: progress and events on stderr, the summary on stdout."""

    quiet: bool = False
    verbose: bool = False
    progress: bool = True
    json: bool = False
    json_log: bool = False
    metrics_port: int | None = None  # of the Prometheus metrics; 0 is any free one
    metrics_address: str = "127.0.0.1"
    plan: Path | None = None  # file for the plan of a dry run
