"""Where requests go. It connects to nobody.

`aws.transport` asks botocore's rules for the address; here is only what is left of its answer.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One bucket's address. `authority` is the Host header, `base` the path of the bucket ("" or "/bucket")."""

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
    """An endpoint URL that already names the bucket in its host or path."""
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
