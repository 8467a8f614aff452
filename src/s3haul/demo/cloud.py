"""The state of the emulated cloud and the few ways to change it. It answers no request.

Used in process by tests and seeds, and by the services. The clock is a parameter: expiry, skew and
restores follow `clock()`, epoch seconds.
"""

import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from s3haul.demo import checksums
from s3haul.demo.checksums import StoredChecksum
from s3haul.demo.content import Content, Generated, Literal, seed_of
from s3haul.demo.model import Bucket, KmsKey, ObjectVersion, Policy, Role, Session, User

DEFAULT_ALGORITHM = "CRC64NVME"


@dataclass
class Cloud:
    """Everything that exists, by name: users and sessions by access key id, roles and keys by ARN.

    `region` is the region that this endpoint belongs to. `session_seconds` makes every session really
    end that soon; the answer of AssumeRole names that end only with `announce_session_seconds`, so
    that by default a client runs into ExpiredToken unprepared.

    `service_control` and `resource_control` are the organisation's policies by account; `endpoint_policy` is
    that of the VPC endpoint that every request comes through. `sts_regions_off` are regions where STS is not
    active. `tells_regions` is off for servers that keep a bucket's region to themselves.
    """

    clock: Callable[[], float] = time.time
    region: str = "us-east-1"
    session_seconds: float | None = None
    announce_session_seconds: bool = False
    users: dict[str, User] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    service_control: dict[str, Policy] = field(default_factory=dict)
    resource_control: dict[str, Policy] = field(default_factory=dict)
    endpoint_policy: Policy | None = None
    sts_regions_off: set[str] = field(default_factory=set)
    tells_regions: bool = True
    kms_keys: dict[str, KmsKey] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def add_user(self, user: User) -> User:
        self.users[user.access_key_id] = user
        return user

    def add_role(self, role: Role) -> Role:
        self.roles[role.arn] = role
        return role

    def add_kms_key(self, key: KmsKey) -> KmsKey:
        self.kms_keys[key.arn] = key
        return key

    def add_bucket(self, bucket: Bucket) -> Bucket:
        self.buckets[bucket.name] = bucket
        return bucket

    def start_session(
        self, role: Role, name: str, seconds: float, *, policy: Policy | None = None, mfa: bool = False
    ) -> Session:
        """New temporary credentials for the role, ending after `seconds` or `session_seconds`."""
        lifetime = seconds if self.session_seconds is None else self.session_seconds
        session = Session(
            access_key_id="ASIA" + secrets.token_hex(8).upper(),
            secret=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(240) + "==",
            role=role,
            name=name,
            expires=self.clock() + lifetime,
            policy=policy,
            mfa=mfa,
        )
        self.sessions[session.access_key_id] = session
        return session

    def make_again(self, user: User) -> None:
        """Delete the user and make one of the same name: trust policies keep the id of the deleted one."""
        for role in self.roles.values():
            role.trust = json.loads(json.dumps(role.trust).replace(f'"{user.arn}"', f'"{user.unique_id}"'))
        user.made += 1

    def expire_sessions(self) -> None:
        """End every session now; its credentials answer ExpiredToken from here on."""
        for session in list(self.sessions.values()):
            session.expires = min(session.expires, self.clock())

    def put(
        self,
        bucket: str,
        key: str,
        content: bytes | Content,
        *,
        checksum: str | None = DEFAULT_ALGORITHM,
        checksum_type: str | None = None,
        part_sizes: tuple[int, ...] = (),
        sse: str = "",
        kms_key: str = "",
        bucket_key: bool = False,
        storage_class: str = "STANDARD",
        archive_status: str = "",
        restore: float | str | None = None,
        last_modified: float | None = None,
        content_type: str = "binary/octet-stream",
        content_encoding: str = "",
        metadata: tuple[tuple[str, str], ...] = (),
        owner: str = "",
    ) -> ObjectVersion:
        """Store an object as the current version of its key.

        `checksum=None` stores none, as for objects older than S3's default. Without `sse` the bucket's
        default key decides: aws:kms with that key, else AES256. `part_sizes` makes it a multipart
        upload and must sum to the size.
        """
        body = Literal(content) if isinstance(content, bytes) else content
        if part_sizes and sum(part_sizes) != body.size:
            raise ValueError(f"part sizes sum to {sum(part_sizes)}, the object has {body.size} bytes")
        place = self.buckets[bucket]
        kms_key = kms_key or (place.default_key if sse != "AES256" else "")
        sse = sse or ("aws:kms" if kms_key else "AES256")
        stored = None
        if checksum is not None:
            kind = checksum_type or checksums.default_type(checksum, multipart=bool(part_sizes))
            stored = StoredChecksum(checksum, kind, body, part_sizes)
        version = ObjectVersion(
            key=key,
            content=body,
            etag=_etag(body, sse, part_sizes),
            last_modified=self.clock() if last_modified is None else last_modified,
            version_id=secrets.token_urlsafe(24) if place.versioned else "null",
            checksum=stored,
            part_sizes=part_sizes,
            storage_class=storage_class,
            archive_status=archive_status,
            restore=restore,
            sse=sse,
            kms_key=kms_key,
            bucket_key=bucket_key,
            content_type=content_type,
            content_encoding=content_encoding,
            metadata=metadata,
            owner=owner,
        )
        place.add(version)
        return version

    def change(self, bucket: str, key: str) -> ObjectVersion | None:
        """Overwrite an object by one of the same shape with other bytes and another ETag."""
        old = self.buckets[bucket].current(key)
        if old is None:
            return None
        content = Generated(seed_of(old.etag), old.size)
        stored = old.checksum and StoredChecksum(
            old.checksum.algorithm, old.checksum.type, content, old.part_sizes
        )
        version = replace(
            old,
            content=content,
            checksum=stored,
            etag=_etag(content, old.sse, old.part_sizes),
            last_modified=self.clock(),
            version_id=secrets.token_urlsafe(24) if self.buckets[bucket].versioned else "null",
        )
        self.buckets[bucket].add(version)
        return version

    def mark_deleted(self, bucket: str, key: str) -> None:
        """Delete as a client would: a delete marker in a versioned bucket, else the key is gone."""
        place = self.buckets[bucket]
        if not place.versioned:
            place.delete(key)
            return
        marker = ObjectVersion(
            key, Literal(b""), "", self.clock(), version_id=secrets.token_urlsafe(24), delete_marker=True
        )
        place.add(marker)


def _etag(content: Content, sse: str, part_sizes: tuple[int, ...]) -> str:
    """An MD5 for plaintext and SSE-S3 only; under KMS it differs even for equal bytes."""
    suffix = f"-{len(part_sizes)}" if part_sizes else ""
    if sse != "AES256":
        return uuid.uuid4().hex + suffix
    if not part_sizes:
        return checksums.digest("MD5", content).hex()
    start = 0
    raw = b""
    for size in part_sizes:
        raw += checksums.digest("MD5", content, start, size)
        start += size
    return checksums.digest("MD5", Literal(raw)).hex() + suffix
