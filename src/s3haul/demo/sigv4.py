"""Server-side Signature Version 4, header form, written from the specification for S3 and STS.

The path is signed as it was sent (S3's rule: no normalisation, no second encoding). Checks form and
signature only; who the key belongs to and whether its token is good is decided in `identity`.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from s3haul.demo.messages import Request, query_pairs

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request\s*,\s*"
    r"SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})\s*"
)
_RUN_OF_SPACES = re.compile(r" +")


@dataclass(frozen=True, slots=True)
class Signature:
    """The parsed Authorization header."""

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def parse(authorization: str) -> Signature | None:
    """None where the header is not of the SigV4 form."""
    match = _AUTHORIZATION.fullmatch(authorization)
    if match is None:
        return None
    key_id, day, region, service, names, value = match.groups()
    return Signature(key_id, day, region, service, tuple(names.split(";")), value)


def matches(request: Request, signature: Signature, secret: str) -> bool:
    """Whether the secret made this signature over this request."""
    string = string_to_sign(request, signature)
    key = signing_key(secret, signature.day, signature.region, signature.service)
    made = hmac.digest(key, string.encode("utf-8", "surrogateescape"), "sha256").hex()
    return hmac.compare_digest(made, signature.value)


def string_to_sign(request: Request, signature: Signature) -> str:
    canonical = canonical_request(request, signature.signed_headers)
    hashed = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"AWS4-HMAC-SHA256\n{request.header('x-amz-date')}\n{signature.scope}\n{hashed}"


def canonical_request(request: Request, signed_headers: Iterable[str]) -> str:
    names = list(signed_headers)
    lines = "".join(f"{name}:{_trimmed(_value(request.headers, name))}\n" for name in names)
    payload = request.header("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    query = _canonical_query(request.query_string)
    return f"{request.method}\n{request.path}\n{query}\n{lines}\n{';'.join(names)}\n{payload}"


def unsigned_headers(request: Request, signature: Signature) -> list[str]:
    """The headers that AWS wants signed and that are not: Host and every x-amz-*."""
    signed = set(signature.signed_headers)
    present = {name.lower() for name in request.headers}
    return sorted(
        name for name in present if (name == "host" or name.startswith("x-amz-")) and name not in signed
    )


@lru_cache(maxsize=256)
def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_query(query_string: str) -> str:
    if not query_string:
        return ""
    pairs = [
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query_pairs(query_string)
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _value(headers: Mapping[str, str], name: str) -> str:
    every = getattr(headers, "getall", None)
    return ",".join(every(name, ())) if every is not None else headers.get(name, "")


def _trimmed(value: str) -> str:
    stripped = value.strip()
    return _RUN_OF_SPACES.sub(" ", stripped) if "  " in stripped else stripped
