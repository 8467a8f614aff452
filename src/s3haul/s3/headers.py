"""The headers of a response: which are kept, and what may not be in them.

libcurl frames the body. Here a response is refused in which two parties could see different messages (RFC 9112,
section 6.3), or in which a header that matters is sent twice with different values.
"""

from collections.abc import Sequence
from functools import lru_cache

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
# Headers that a server sends alike with many objects.
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

# From a header's name as it was sent to the name under which it is kept; "" for one that nobody reads.
# Names are a server's choice, so that only so many are remembered.
_spellings: dict[bytes, str] = {}
# From a whole line to its name and value, for those that are likely to come again; forgotten once they are many.
_lines: dict[bytes, tuple[str, str]] = {}


class ViolationError(Exception):
    """The response breaks a rule that it must keep; the message says which."""


def parse_head(lines: Sequence[bytes]) -> tuple[int, dict[str, str]]:
    """Status and headers, by their lower-case names, of the final response among `lines`.

    `lines` are those that libcurl hands over: interim (1xx) responses come before, trailers after the blank line.
    Raises `ViolationError`.
    """
    start, status = 0, 0
    while start < len(lines):
        status = _status(lines[start])
        try:
            end = lines.index(b"\r\n", start)
        except ValueError:
            raise ViolationError("headers without an end") from None
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
    """The lower-case name of a header, "" for one that nobody reads, and its value."""
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
    """The lower-case name of a header that somebody reads, "" for any other."""
    if not colon or sent[:1] in {b" ", b"\t"}:
        raise ViolationError("a line that is no header")
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
        raise ViolationError(f"transfer coding {coding[:40]!r}")
