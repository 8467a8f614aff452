"""What a request is sent to and with: the endpoint of a bucket, credentials,
and limits of both transports. Opens no connection.

`aws.bucket_location` gets the URL of the bucket from botocore's endpoint rules; this module parses it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}
CONNECT_TIMEOUT = 10  # seconds
OTHER_CONNECTIONS = 8  # in addition to those of GETs: for listings and HEADs
REDIRECTS = frozenset({301, 302, 303, 307, 308})  # statuses, never followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of one bucket. `authority` is the Host header,
    `base` the path of the bucket ("" or "/bucket")."""

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
