"""Parses and checks the headers of a response.

libcurl finds the end of the body. This module refuses a response whose length is ambiguous (both Content-Length and
Transfer-Encoding: RFC 9112, section 6.3), and one that has an important header twice with different values.
"""

from collections.abc import Sequence
from functools import lru_cache

from s3haul.errors import Fault, FaultKind

_PLAIN = frozenset(
    {
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "last-modified",
        "location",
        "retry-after",
        "transfer-encoding",
    }
)
_UNREAD = "x-amz-id-2"
_METADATA = "x-amz-meta-"  # the owner's own, which nothing depends on: of two the first counts
_MAY_DIFFER = frozenset({"date", "content-type"})
# Headers that usually have the same value for many objects.
_REPEATED = frozenset(
    {
        "content-type",
        "date",
        "x-amz-checksum-type",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
        "x-amz-storage-class",
    }
)
_UNREAD_REPEATED = frozenset({b"Accept-Ranges", b"Connection", b"Server"})
_MOST_SPELLINGS = 1024
_MOST_LINES = 1024
_LONGEST_LINE = 512

# Two caches, because parsing headers is a large part of the cost of a small object. Both are bounded, because the
# server chooses the contents.
# From the name of a header as sent to its lower-case name; "" for one that nobody reads.
_spellings: dict[bytes, str] = {}
# From a whole line to name and value, for lines that are likely to repeat. Emptied when full.
_lines: dict[bytes, tuple[str, str]] = {}


class ViolationError(Exception):
    """The response violates HTTP in a way that could cause errors; the message says how."""

    @property
    def fault(self) -> Fault:
        return Fault(FaultKind.PROTOCOL, f"invalid HTTP response: {self}")


def parse_head(lines: Sequence[bytes]) -> tuple[int, dict[str, str]]:
    """Status and headers (names in lower case) of the final response in `lines`.

    `lines` are all header lines from libcurl: interim (1xx) responses come before the final one, trailers after its
    blank line. Raises `ViolationError`.
    """
    start, status = 0, 0
    while start < len(lines):
        status = _status(lines[start])
        try:
            end = lines.index(b"\r\n", start)
        except ValueError:
            raise ViolationError("the headers have no end") from None
        if status >= 200:
            return status, _kept(lines[start + 1 : end])
        start = end + 1
    raise ViolationError("no status line")


@lru_cache(maxsize=64)
def _status(line: bytes) -> int:
    parts = line.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
        raise ViolationError("no status line")
    return int(parts[1])


def _kept(lines: Sequence[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, text = _lines.get(line) or _read(line)
        if name and headers.setdefault(name, text) != text and not _may_differ(name):
            raise ViolationError(f"two different {name} headers")
    if "transfer-encoding" in headers:
        _check_coding(headers)
    return headers


def _may_differ(name: str) -> bool:
    return name in _MAY_DIFFER or name.startswith(_METADATA)


def _read(line: bytes) -> tuple[str, str]:
    """The lower-case name of a header and its value; name "" for one that nobody reads."""
    sent, colon, value = line.partition(b":")
    name = _spellings.get(sent)
    if name is None:
        name = _kept_name(sent, colon)
    read = (name, value.strip().decode("utf-8", "replace") if name else "")
    if (name in _REPEATED or sent in _UNREAD_REPEATED) and len(line) <= _LONGEST_LINE:
        if len(_lines) >= _MOST_LINES:
            _lines.clear()
        _lines[line] = read
    return read


def _kept_name(sent: bytes, colon: bytes) -> str:
    """The lower-case name of a header; "" for one that nobody reads."""
    if not colon or sent[:1] in {b" ", b"\t"}:
        raise ViolationError("a line is not a header")
    name = sent.decode("latin-1").lower()
    wanted = name in _PLAIN or (name.startswith("x-amz-") and not name.startswith(_UNREAD))
    kept = name if wanted else ""
    if len(_spellings) < _MOST_SPELLINGS:
        _spellings[sent] = kept
    return kept


def _check_coding(headers: dict[str, str]) -> None:
    coding = headers["transfer-encoding"]
    if "content-length" in headers:
        raise ViolationError("both Content-Length and Transfer-Encoding")
    if coding.lower() != "chunked":
        raise ViolationError(f"unsupported Transfer-Encoding {coding[:40]!r}")
