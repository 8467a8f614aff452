"""Every error of s3haul: what ended a run, and what one request met.

`S3HaulError` and its subclasses end a run; each carries the exit code, a stable id and a hint.
`StoreError` never leaves the engine: it is the one value in which a transport reports one failed
request, as a `Fault` that `core.retry` turns into an action. This module imports nothing of s3haul.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

NO_THREAD = "can't start new thread"  # what Python's RuntimeError says


class S3HaulError(Exception):
    """Ends the run. `message` says what, `hint` what to do, `said` is the service's own sentence, `seen` what a
    library, the system or something in between reported.

    `who` can fix it, where that is somebody else than the page of the id says.
    """

    exit_code: ClassVar[int] = 70
    default_id: ClassVar[str] = "S3H-BUG-01"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        said: str | None = None,
        seen: str | None = None,
        id: str | None = None,  # noqa: A002 - the field's name in every output
        who: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.said = said
        self.seen = seen
        self.id = id or self.default_id
        self.who = who


class UsageError(S3HaulError):
    """The command line or its options contradict each other or name something invalid."""

    exit_code = 2
    default_id = "S3H-USE-01"


class AccessError(S3HaulError):
    """Credentials, the role or a right is missing."""

    exit_code = 4
    default_id = "S3H-S3-08"


class ProfileError(AccessError):
    """The AWS configuration cannot be used as it is."""

    default_id = "S3H-CFG-01"


class CredentialsError(AccessError):
    """No usable source credentials, or they expired and cannot be renewed."""

    default_id = "S3H-CFG-05"


class AssumeRoleError(AccessError):
    """STS refused the role."""

    default_id = "S3H-STS-03"


class DestinationError(S3HaulError):
    """The local destination cannot take the objects."""

    exit_code = 5
    default_id = "S3H-DST-01"


class DestinationFullError(DestinationError):
    """No space, no inodes or no quota left."""

    default_id = "S3H-DST-02"


class DestinationLockedError(DestinationError):
    """Another run works on this destination; `owner` is what it wrote into the lock about itself."""

    default_id = "S3H-DST-03"

    def __init__(self, message: str, *, hint: str | None = None, owner: str = "") -> None:
        super().__init__(message, hint=hint)
        self.owner = owner


class JournalError(DestinationError):
    """The journal cannot be used: damaged, of another source, of a newer version."""

    default_id = "S3H-DST-04"


class SourceError(S3HaulError):
    """The bucket, the endpoint or the way to it is unusable."""

    exit_code = 6
    default_id = "S3H-S3-01"


class ListingIncompleteError(SourceError):
    """The listing cannot be trusted to name every key."""

    default_id = "S3H-S3-15"


class TlsError(SourceError):
    """The server's certificate was refused."""

    default_id = "S3H-NET-06"


class RedirectRefusedError(SourceError):
    """The server sent us elsewhere; the session token does not follow."""

    default_id = "S3H-NET-07"


class InterruptedRunError(S3HaulError):
    """A signal ended the run; the journal resumes it. The exit code is 128 + the signal number."""

    default_id = "S3H-RUN-01"

    def __init__(self, signal_number: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number

    @property
    def code(self) -> int:
        return 128 + self.signal_number


class LimitReachedError(S3HaulError):
    """The run has come to a limit that the user set for it; the same command goes on."""

    exit_code = 7
    default_id = "S3H-RUN-02"


class FaultKind(StrEnum):
    """The layer at which one request failed."""

    CONNECT = "connect"  # name resolution, refused, no route
    TLS = "tls"  # certificate or handshake refused
    REDIRECT = "redirect"  # a 3xx answer, refused unread
    BROKEN = "broken"  # connection lost, reset, or body cut in the middle
    STALL = "stall"  # no byte, or too few, within the limit
    INTERCEPTED = "intercepted"  # a proxy or a portal answered with a page of its own
    HTTP = "http"  # the service answered with an error
    PROTOCOL = "protocol"  # the answer is not what was asked for: status, range, length, ETag
    CHECKSUM = "checksum"  # the bytes do not match the stored checksum
    CREDENTIALS = "credentials"  # no credentials to sign with
    LOCAL = "local"  # out of file descriptors and the like, on our side


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed request. `code` and `message` are the service's own; `status` is the HTTP status."""

    kind: FaultKind
    message: str
    code: str = ""
    status: int = 0
    request_id: str = ""
    region: str = ""  # x-amz-bucket-region, when the answer names it
    retry_after: float | None = None  # seconds
    skew: float | None = None  # server clock minus ours, seconds, when the answer dates itself


class StoreError(Exception):
    """One request failed; `fault` says how."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.code or fault.kind}: {fault.message}")
        self.fault = fault
