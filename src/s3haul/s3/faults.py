"""Maps error responses, connection errors and our own errors to `errors.Fault`. Uses no SDK.

`aws.faults` adds the errors of botocore and aiohttp. Retries are decided in `core.retry`, not here. The
mapping uses codes, types and errno, never substrings of messages.
"""

import errno
import re
import resource
import ssl
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from s3haul.errors import Fault, FaultKind, S3HaulError, StoreError
from s3haul.policies.names import region_in_host

NO_ADDRESS = "NoAddress"  # the code of a fault: the host name of a server or proxy cannot be resolved

# Raised if a TLS handshake is cut off, in contrast to one that is refused.
CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ConnectionError)

_FIXDATE_LENGTH = len("Sun, 06 Nov 1994 08:49:37 GMT")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII)

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_FEWEST_FREE_DESCRIPTORS = 2
_OF_A_HEADER = frozenset({"InvalidArgument", "InvalidRequest", "BadRequest", "NotImplemented"})


def own_fault(error: S3HaulError) -> Fault:
    """The fault of a request that was not sent, because getting its credentials failed."""
    return Fault(kind_of_causes(error) or FaultKind.CREDENTIALS, str(error), code=error.id)


def kind_of_causes(error: BaseException) -> FaultKind | None:
    """The kind of an error whose cause decides it (no file descriptors left,
    an untrusted certificate); else None."""
    chain = tuple(causes(error))
    if any(isinstance(one, OSError) and one.errno in _EXHAUSTED for one in chain):
        return FaultKind.LOCAL
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        return FaultKind.TLS
    return None


def redirect_fault(status: int, location: str, region: str) -> Fault:
    """The fault of a redirect."""
    region = region or _region_of(location)
    text = f"HTTP {status} redirect to {location!r} refused (bucket region: {region})"
    # S3's own 301 for a bucket in another region has no Location header; one from a proxy has.
    code = "PermanentRedirect" if status == 301 and not location else ""
    return Fault(FaultKind.REDIRECT, text, code=code, status=status, region=region)


def _region_of(location: str) -> str:
    """The region of the host in a Location header of S3 (a 307, for a new bucket), or ""."""
    try:
        return region_in_host(urlsplit(location).hostname or "")
    except ValueError:
        return ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all exceptions that it wraps, in any of the ways that libraries use.

    Stops at a `StoreError`: that is an earlier, separate failure, which was being retried."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or isinstance(one, StoreError) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "os_error", None)]
        waiting += [getattr(one, "kwargs", {}).get("error")]


def out_of_descriptors() -> bool:
    """Whether (almost) no file descriptor is left. An EMFILE in the resolver looks
    like a connection error."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        return sum(1 for _ in Path("/dev/fd").iterdir()) + _FEWEST_FREE_DESCRIPTORS >= limit
    except OSError as error:
        return error.errno in _EXHAUSTED


def service_fault(
    status: int, headers: Mapping[str, str], said: Mapping[str, Any], now: float, *, request_id: str = ""
) -> Fault:
    """The fault of an error response. `said` contains Code, Message and Region, if the body has them."""
    return Fault(
        FaultKind.HTTP,
        str(said.get("Message", "")),
        code=str(said.get("Code", "")),
        status=status,
        request_id=request_id or headers.get("x-amz-request-id", ""),
        region=str(
            headers.get("x-amz-bucket-region") or said.get("Region") or said.get("BucketRegion") or ""
        ),
        retry_after=_retry_after(headers, now),
        skew=clock_skew(headers, now),
    )


def refuses_a_header(fault: Fault) -> bool:
    """Whether the server may have refused a request for a header that it does not know; AWS ignores those."""
    return fault.status == 501 or (fault.status == 400 and fault.code in _OF_A_HEADER)


def clock_skew(headers: Mapping[str, str], now: float) -> float | None:
    """The server's clock minus ours in seconds, from the Date header; None without one."""
    then = http_date(headers.get("date", ""))
    return None if then is None else then - now


def http_date(text: str) -> float | None:
    """An HTTP date in epoch seconds; None if it is not valid."""
    if len(text) == _FIXDATE_LENGTH and text.endswith(" GMT"):
        # The usual form (RFC 9110, 5.6.7). Parsing is slow and days repeat, so the day is cached.
        midnight, time_of_day = _midnight(text[:16]), text[17:25]
        if midnight is not None and _TIME.fullmatch(time_of_day):
            seconds = int(time_of_day[:2]) * 3600 + int(time_of_day[3:5]) * 60 + int(time_of_day[6:])
            return midnight + seconds
    return _any_date(text)


@lru_cache(maxsize=1024)
def _midnight(day: str) -> float | None:
    return _any_date(day + " 00:00:00 GMT")


def _any_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):  # OverflowError: the time zone is out of range
        return None


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The longer of `Retry-After` (seconds or a date) and `x-amz-retry-after` (milliseconds)."""
    delays: list[float] = []
    plain = headers.get("retry-after", "").strip()
    if plain.isdecimal():
        delays.append(float(plain))
    elif (until := http_date(plain)) is not None:
        delays.append(max(0.0, until - now))
    amazon = headers.get("x-amz-retry-after", "").strip()
    if amazon.isdecimal():
        delays.append(float(amazon) / 1000)
    return max(delays, default=None)
