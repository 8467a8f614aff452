"""Signature Version 4 in headers, for requests of S3 without a body: what is signed is what is sent.

A `Signer` returns the headers of a request; what does not change from one request to the next is prepared
once a second. `ServerClock` has the time of signatures, `SigningKeys` the signer of the current credentials.
This is for S3 only, whose rules differ from those of other services: the path is percent-encoded once and
never normalized. Source: AWS General Reference, "Signature Version 4"; a test compares it with botocore's
S3SigV4Auth.
"""

import re
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import digest as hmac_digest
from time import gmtime
from typing import NamedTuple
from urllib.parse import quote

from s3haul import __version__
from s3haul.errors import Fault, FaultKind
from s3haul.s3.endpoint import Credentials, Endpoint

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = sha256(b"").hexdigest()
LARGEST_SKEW = 86_400.0  # seconds
TOLERABLE_SKEW = 60.0
# Codes of S3 and STS for a wrong clock. The response to a HEAD has no document,
# so its code is the bare status.
_CODES = frozenset(
    {"RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired", "403"}
)
# An empty value prevents libcurl from sending a default header of that name.
_UNSIGNED = (("accept-encoding", "identity"), ("user-agent", f"s3haul/{__version__}"), ("accept", ""))

_UNRESERVED = "-._~"
_SLOT = "\0"  # the place of a varying value; no header contains it
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*", re.ASCII)

Pairs = tuple[tuple[str, str], ...]


def encode_path(text: str) -> str:
    """A key as a URL path: all but unreserved characters and "/" percent-encoded, nothing normalized.

    Raises UnicodeEncodeError for lone surrogates, which no key contains.
    """
    return text if _PLAIN_PATH.fullmatch(text) else quote(text, safe=_UNRESERVED + "/")


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """The canonical query string, which is also the one to send: encoded, then sorted by name and value."""
    encoded = ((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


class Shape:
    """A kind of request: its method, headers that never change, and names of headers that do.

    Names are in lower case; `varying` is sorted. Two shapes are the same only if they are one object.
    """

    def __init__(self, method: str, fixed: Pairs = (), varying: tuple[str, ...] = ()) -> None:
        self.method = method
        self.fixed = fixed
        self.varying = varying


class _Template(NamedTuple):
    """A shape at one second. `canonical` are the texts around the varying values,
    one more than there are values."""

    method: str
    canonical: tuple[str, ...]  # behind path and query
    fixed: list[str]  # header lines that do not change
    varying: tuple[str, ...]  # "name: " of those that do
    authorization: str  # up to the signature


class Signer:
    """Signs for one endpoint with one set of keys. Not for several threads at once.

    `authority` is the Host header (with a port that is not the scheme's own), `unsigned` are headers that
    go out unsigned with every request. With an empty access key requests are anonymous: nothing is signed.
    """

    def __init__(
        self,
        *,
        region: str,
        authority: str,
        access_key: str,
        secret_key: str,
        token: str | None = None,
        unsigned: Pairs = (),
    ) -> None:
        self._region = region
        self._authority = authority
        self._access_key = access_key
        self._secret = b"AWS4" + secret_key.encode()
        self._token = token
        self._unsigned = unsigned
        self._second = -1
        self._day = ""
        self._moment = ""
        self._scope = ""
        self._key = b""
        self._to_sign = ""
        self._templates: dict[Shape, _Template] = {}

    def headers(self, shape: Shape, path: str, query: str, values: tuple[str, ...], now: float) -> list[str]:
        """The header lines to send. `path` and `query` are encoded, `values` those of `shape.varying`.

        `now` is in epoch seconds by the server's clock. Raises ValueError for a value that is no header.
        """
        second = int(now)
        if second != self._second:
            self._turn_to(second)
        template = self._templates.get(shape) or self._prepare(shape)
        values = tuple(map(_header_value, values))
        sent = [name + value for name, value in zip(template.varying, values, strict=True)]
        if not self._access_key:
            return [*template.fixed, *sent]
        canonical = f"{template.method}\n{path}\n{query}\n{_filled(template.canonical, values)}"
        to_sign = self._to_sign + sha256(canonical.encode()).hexdigest()
        signature = hmac_digest(self._key, to_sign.encode(), "sha256").hex()
        return [*template.fixed, *sent, template.authorization + signature]

    def _turn_to(self, second: int) -> None:
        year, month, day, hour, minute, rest, *_ = gmtime(second)
        today = f"{year:04}{month:02}{day:02}"
        if today != self._day:
            self._key = self._secret
            for part in (today, self._region, "s3", "aws4_request"):
                self._key = hmac_digest(self._key, part.encode(), "sha256")
            self._scope = f"{today}/{self._region}/s3/aws4_request"
            self._day = today
        self._moment = f"{today}T{hour:02}{minute:02}{rest:02}Z"
        self._to_sign = f"{ALGORITHM}\n{self._moment}\n{self._scope}\n"
        self._templates.clear()
        self._second = second

    def _prepare(self, shape: Shape) -> _Template:
        """The texts of `shape` at the current second."""
        fixed = {
            "host": self._authority,
            "x-amz-content-sha256": EMPTY_SHA256,
            "x-amz-date": self._moment,
            **dict(shape.fixed),
        }
        if self._token is not None:
            fixed["x-amz-security-token"] = self._token
        headers = {name: _header_value(value) for name, value in fixed.items()}
        lines = [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"{name}: {_header_value(value)}" for name, value in self._unsigned]
        headers |= dict.fromkeys(shape.varying, _SLOT)
        names = sorted(headers)
        signed = ";".join(names)
        canonical = "".join(f"{name}:{headers[name]}\n" for name in names)
        credential = f"{_header_value(self._access_key)}/{self._scope}"
        template = _Template(
            shape.method,
            tuple(f"{canonical}\n{signed}\n{EMPTY_SHA256}".split(_SLOT)),
            lines,
            tuple(f"{name}: " for name in shape.varying),
            f"authorization: {ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature=",
        )
        self._templates[shape] = template
        return template


def _filled(texts: tuple[str, ...], values: tuple[str, ...]) -> str:
    """The values between the texts."""
    if not values:
        return texts[0]
    if len(values) == 1:
        return f"{texts[0]}{values[0]}{texts[1]}"
    between = [part for pair in zip(texts, values, strict=False) for part in pair]
    return "".join(between) + texts[-1]


def _header_value(text: str) -> str:
    """The value as it is signed and sent: no spaces around it, single ones inside.

    Raises ValueError for what could end the header or be read differently by the server.
    """
    if not (text.isascii() and text.isprintable()):
        # Not shown: it may be a secret.
        raise ValueError("a header value with characters that are not printable ASCII")
    return " ".join(text.split()) if " " in text else text


class ServerClock:
    """Our clock plus an offset, which is learned from a server that refuses our time.

    The offset is at most one day, which is enough for a wrong time zone. With a larger one, a hostile
    server could collect signatures that become valid later. TLS certificates cannot be checked with
    such a clock anyway.
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
        """Correct the clock if `fault` is about it. Returns whether to repeat a request
        signed with `offset`."""
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
