"""All errors of s3haul: those that end a run, and those of one request.

`S3HaulError` and its subclasses end a run; each has an exit code, a stable id and a hint. `StoreError` never
leaves the engine: with it a transport reports a failed request, as a `Fault` for which `core.retry` chooses
an action. This module imports nothing of s3haul.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

NO_THREAD = "can't start new thread"  # the message of Python's RuntimeError


class S3HaulError(Exception):
    """Ends the run. `message` says what happened, `hint` what to do. `said` is the message of the service,
    `seen` the message of a library, the system or a proxy.

    `who` can fix it; None: see the help page of the id.
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
        id: str | None = None,  # noqa: A002 - the name of the field in every output
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
    """Credentials, the role or a permission is missing."""

    exit_code = 4
    default_id = "S3H-S3-08"


class ProfileError(AccessError):
    """The AWS configuration cannot be used as it is."""

    default_id = "S3H-CFG-01"


class CredentialsError(AccessError):
    """There are no usable source credentials, or they expired and cannot be renewed."""

    default_id = "S3H-CFG-05"


class AssumeRoleError(AccessError):
    """STS refused the role."""

    default_id = "S3H-STS-03"


class DestinationError(S3HaulError):
    """The local destination cannot be used."""

    exit_code = 5
    default_id = "S3H-DST-01"


class DestinationFullError(DestinationError):
    """No space, no inodes or no quota left."""

    default_id = "S3H-DST-02"


class DestinationLockedError(DestinationError):
    """Another run works on this destination; `owner` is its description in the lock file."""

    default_id = "S3H-DST-03"

    def __init__(self, message: str, *, hint: str | None = None, owner: str = "") -> None:
        super().__init__(message, hint=hint)
        self.owner = owner


class JournalError(DestinationError):
    """The journal cannot be used: damaged, of another bucket, of a newer version."""

    default_id = "S3H-DST-04"


class SourceError(S3HaulError):
    """The bucket, the endpoint or the network cannot be used."""

    exit_code = 6
    default_id = "S3H-S3-01"


class ListingIncompleteError(SourceError):
    """The listing may not contain every key."""

    default_id = "S3H-S3-15"


class TlsError(SourceError):
    """The server's certificate was refused."""

    default_id = "S3H-NET-06"


class RedirectRefusedError(SourceError):
    """The server redirected the request; the session token is not sent to another host."""

    default_id = "S3H-NET-07"


class InterruptedRunError(S3HaulError):
    """A signal ended the run, which can be resumed. The exit code is 128 + the signal number."""

    default_id = "S3H-RUN-01"

    def __init__(self, signal_number: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number

    @property
    def code(self) -> int:
        return 128 + self.signal_number


class LimitReachedError(S3HaulError):
    """The run reached a limit that the user set for it; the same command resumes."""

    exit_code = 7
    default_id = "S3H-RUN-02"


class FaultKind(StrEnum):
    """The layer at which one request failed."""

    CONNECT = "connect"  # name resolution, refused, no route
    TLS = "tls"  # certificate or handshake refused
    REDIRECT = "redirect"  # a 3xx response, which is not followed
    BROKEN = "broken"  # connection lost or reset, or the body is incomplete
    STALL = "stall"  # no bytes, or too few, within the time limit
    INTERCEPTED = "intercepted"  # the response is a page of a proxy or a login portal
    HTTP = "http"  # the service responded with an error
    PROTOCOL = "protocol"  # the response does not match the request: status, range, length, ETag
    CHECKSUM = "checksum"  # the bytes do not match the stored checksum
    CREDENTIALS = "credentials"  # no credentials to sign with
    LOCAL = "local"  # a limit of this machine, such as file descriptors


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed request. `code` and `message` are those of the service, `status` is the HTTP status."""

    kind: FaultKind
    message: str
    code: str = ""
    status: int = 0
    request_id: str = ""
    region: str = ""  # x-amz-bucket-region of the response
    retry_after: float | None = None  # seconds
    skew: float | None = None  # clock of the server minus our clock, in seconds; needs a Date header


class StoreError(Exception):
    """One request failed; `fault` has the details."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.code or fault.kind}: {fault.message}")
        self.fault = fault
