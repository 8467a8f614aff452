"""The records of the emulated cloud: users, roles, sessions, keys, buckets, objects. No behaviour of AWS.

Policies are plain dicts as in AWS's JSON. Everything is mutable on purpose: a test changes a policy, a
key state or an object between two requests and the next request sees it. Times are epoch seconds.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from s3haul.demo.checksums import StoredChecksum
from s3haul.demo.content import Content

Policy = dict[str, Any]

ARCHIVED_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def unique_id(prefix: str, arn: str, made: int = 1) -> str:
    """The id behind a name, as policies show it once the name is gone. Another one for each `made`."""
    text = arn if made == 1 else f"{arn}#{made}"
    return prefix + hashlib.sha256(text.encode()).hexdigest()[:16].upper()


@dataclass(slots=True)
class User:
    """An IAM user with one access key. With `mfa_serial` set, `mfa_code` is the code that is right.

    `made` counts how often a user of this name was made: each time it is somebody else.
    """

    account: str
    name: str
    access_key_id: str
    secret: str = field(repr=False)
    policies: list[Policy] = field(default_factory=list)
    mfa_serial: str = ""
    mfa_code: str = ""
    boundary: Policy | None = None
    made: int = 1

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:user/{self.name}"

    @property
    def unique_id(self) -> str:
        return unique_id("AIDA", self.arn, self.made)


@dataclass(slots=True)
class Role:
    """An IAM role; `trust` is its trust policy, `max_session` in seconds."""

    account: str
    name: str
    trust: Policy
    policies: list[Policy] = field(default_factory=list)
    max_session: int = 3600
    boundary: Policy | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.name}"

    @property
    def unique_id(self) -> str:
        return unique_id("AROA", self.arn)


@dataclass(slots=True)
class Session:
    """Temporary credentials of an assumed role. `expires` is when they really end."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    role: Role
    name: str
    expires: float
    policy: Policy | None = None
    mfa: bool = False


@dataclass(slots=True)
class KmsKey:
    """A KMS key; `state` is Enabled, Disabled or PendingDeletion. `grants` are pairs of ARN and action."""

    account: str
    region: str
    key_id: str
    policy: Policy
    state: str = "Enabled"
    grants: list[tuple[str, str]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return f"arn:aws:kms:{self.region}:{self.account}:key/{self.key_id}"


@dataclass(slots=True)
class ObjectVersion:
    """One version of an object. `etag` has no quotes; `part_sizes` is empty for a single PUT.

    `restore` is None, "ongoing", or the epoch second at which a finished restore expires.
    `owner` is an account other than the bucket's, for objects that the bucket's policies do not reach.
    """

    key: str
    content: Content
    etag: str
    last_modified: float
    version_id: str = "null"
    checksum: StoredChecksum | None = None
    part_sizes: tuple[int, ...] = ()
    storage_class: str = "STANDARD"
    archive_status: str = ""
    restore: float | str | None = None
    sse: str = "AES256"
    kms_key: str = ""
    bucket_key: bool = False
    content_type: str = "binary/octet-stream"
    content_encoding: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    owner: str = ""
    delete_marker: bool = False

    @property
    def size(self) -> int:
        return self.content.size

    def archived(self, now: float) -> bool:
        """Whether a GET is refused: an archive class or tier without a finished, unexpired restore."""
        if self.storage_class not in ARCHIVED_CLASSES and not self.archive_status:
            return False
        return not (isinstance(self.restore, int | float) and self.restore > now)


@dataclass(slots=True)
class Upload:
    """A multipart upload under way: the object's attributes so far and the parts by number."""

    key: str
    attributes: dict[str, Any]
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """A bucket. `objects` maps a key to its versions, oldest first; `default_key` encrypts new objects."""

    name: str
    account: str
    region: str
    policy: Policy | None = None
    requester_pays: bool = False
    versioned: bool = False
    default_key: str = ""
    objects: dict[str, list[ObjectVersion]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    _sorted: list[str] | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    def add(self, version: ObjectVersion) -> None:
        """Make this the current version of its key; without versioning it replaces the others."""
        versions = self.objects.get(version.key)
        if versions is None:
            self.objects[version.key] = [version]
            self._sorted = None
        elif self.versioned:
            versions.append(version)
        else:
            versions[:] = [version]

    def current(self, key: str) -> ObjectVersion | None:
        """The newest version, unless it is a delete marker."""
        versions = self.objects.get(key)
        if not versions or versions[-1].delete_marker:
            return None
        return versions[-1]

    def version(self, key: str, version_id: str) -> ObjectVersion | None:
        return next((v for v in self.objects.get(key, ()) if v.version_id == version_id), None)

    def delete(self, key: str) -> None:
        """Forget the key with all its versions."""
        if self.objects.pop(key, None) is not None:
            self._sorted = None

    def sorted_keys(self) -> list[str]:
        """All keys in UTF-8 byte order, which for str is the order of code points."""
        if self._sorted is None:
            self._sorted = sorted(self.objects)
        return self._sorted
