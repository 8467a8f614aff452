"""What a request is addressed to and signed with: endpoint, credentials, clock; and limits of both transports.
Opens no connection.

`aws.bucket_location` gets the URL of the bucket from botocore's endpoint rules; this module parses it.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from s3haul import __version__
from s3haul.core.sigv4 import Signer
from s3haul.errors import Fault, FaultKind

_PORTS = {"https": 443, "http": 80}
CONNECT_TIMEOUT = 10  # seconds
SPARE_CONNECTIONS = 8  # in addition to those of GETs: for listings and HEADs
REDIRECTS = frozenset({301, 302, 303, 307, 308})  # statuses, never followed
LARGEST_SKEW = 86_400.0  # seconds
TOLERABLE_SKEW = 60.0
# Codes of S3 and STS for a wrong clock. The response to a HEAD has no document, so its code is the bare status.
_CODES = frozenset(
    {"RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired", "403"}
)
# An empty value prevents libcurl from sending a default header of that name.
_UNSIGNED = (("accept-encoding", "identity"), ("user-agent", f"s3haul/{__version__}"), ("accept", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of one bucket. `authority` is the Host header, `base` the path of the bucket ("" or "/bucket")."""

    secure: bool
    host: str
    port: int
    authority: str
    base: str
    region: str

    @property
    def origin(self) -> str:
        """The URL up to the path."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"


def parse(url: str, region: str) -> Endpoint:
    """Parse an endpoint URL that already contains the bucket in its host or path."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    usual = _PORTS[parts.scheme]
    port = parts.port or usual
    shown = f"[{host}]" if ":" in host else host
    return Endpoint(
        secure=parts.scheme == "https",
        host=host,
        port=port,
        authority=shown if port == usual else f"{shown}:{port}",
        base=parts.path.rstrip("/"),
        region=region,
    )


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one identity. `expires_at` is in epoch seconds of the clock of this machine."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


# Awaited before each request. It may wait until the credentials are renewed.
FetchCredentials = Callable[[], Awaitable[Credentials]]


class ServerClock:
    """Our clock plus an offset, which is learned from a server that refuses our time.

    The offset is at most one day, which is enough for a wrong time zone. With a larger one, a hostile server could
    collect signatures that become valid later. TLS certificates cannot be checked with such a clock anyway.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0

    def now(self) -> float:
        """Corrected time for signatures, in epoch seconds."""
        return self._clock() + self._offset

    def ours(self) -> float:
        """Time of this machine, in epoch seconds."""
        return self._clock()

    @property
    def offset(self) -> float:
        """The correction that is added to our clock, in seconds."""
        return self._offset

    def learn(self, fault: Fault, offset: float) -> bool:
        """Correct the clock if `fault` is about it. Returns whether to repeat a request signed with `offset`."""
        if fault.kind is not FaultKind.HTTP or fault.code not in _CODES or fault.skew is None:
            return False
        if abs(fault.skew) > LARGEST_SKEW or abs(fault.skew - offset) <= TOLERABLE_SKEW:
            return False
        self._offset = fault.skew
        return True


class SigningKeys:
    """Caches the signer of the current credentials, and replaces it when they change. For one thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._keys: Credentials | None = None
        self._signer: Signer | None = None

    def signer(self, keys: Credentials) -> Signer:
        if self._signer is None or (keys is not self._keys and keys != self._keys):
            self._signer = Signer(
                region=self._endpoint.region,
                authority=self._endpoint.authority,
                access_key=keys.access_key,
                secret_key=keys.secret_key,
                token=keys.token,
                unsigned=_UNSIGNED,
            )
        self._keys = keys
        return self._signer
