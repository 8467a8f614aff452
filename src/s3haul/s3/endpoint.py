"""The address that requests are sent to. Opens no connection.

`aws.transport` gets the URL of the bucket from botocore's endpoint rules; this module parses it.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}


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
