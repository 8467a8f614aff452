"""The head of an answer: which headers are kept, and what they say about the body that follows.

Strict where leniency lets two parties see different messages (RFC 9112, section 6.3): one length, or
chunks, never both; no transfer coding but chunked; a header that matters is sent once.
"""

from collections.abc import Iterator

LONGEST_HEAD = 64 * 1024  # bytes
CHUNKED = -1

_PLAIN = frozenset(
    {
        "content-length",
        "content-range",
        "date",
        "etag",
        "last-modified",
        "location",
        "retry-after",
        "transfer-encoding",
    }
)
_UNREAD = ("x-amz-meta-", "x-amz-id-2")
_MAY_DIFFER = frozenset({"date"})
_MOST_SPELLINGS = 1024

# From a header's name as it was sent to the name under which it is kept; "" for one that nobody reads.
# Names are a server's choice, so that only so many are remembered.
_spellings: dict[bytes, str] = {}


class ViolationError(Exception):
    """The answer breaks a rule that it must keep; the message says which."""


def unsound(violation: ViolationError) -> str:
    """What a fault says of it."""
    return f"the answer is not sound HTTP: {violation}"


def kept_headers(fields: dict[bytes, bytes], head: bytearray, start: int) -> dict[str, str]:
    """The headers that somebody reads, by their lower-case names. Raises `ViolationError`.

    `fields` are all headers, as a parser put them into a dict, where one that is sent twice shows once;
    `head` holds the same at `start`, as it was sent.
    """
    headers: dict[str, str] = {}
    end = head.find(b"\r\n\r\n", start)
    sent_once = head.count(b"\r\n", start, end) == len(fields)
    for sent, value in fields.items() if sent_once else _lines(head[start:end]):
        name = _spellings.get(sent)
        if name is None:
            name = _kept_name(sent)
        if name:
            text = value.decode("utf-8", "replace")
            if headers.setdefault(name, text) != text and name not in _MAY_DIFFER:
                raise ViolationError(f"two different {name} headers")
    return headers


def _lines(head: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Every header of a head that the parser has accepted, repeated ones too."""
    for line in bytes(head).split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ViolationError("a folded header")
        yield name, value.strip(b" \t")


def _kept_name(sent: bytes) -> str:
    """The lower-case name of a header that somebody reads, "" for any other."""
    name = sent.decode("latin-1").lower()
    wanted = name in _PLAIN or (name.startswith("x-amz-") and not name.startswith(_UNREAD))
    kept = name if wanted else ""
    if len(_spellings) < _MOST_SPELLINGS:
        _spellings[sent] = kept
    return kept


def body_length(headers: dict[str, str]) -> int | None:
    """The announced length, CHUNKED, or None where nothing is announced. Raises `ViolationError`."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        if length is not None:
            raise ViolationError("both Content-Length and Transfer-Encoding")
        if coding.strip().lower() != "chunked":
            raise ViolationError(f"transfer coding {coding[:40]!r}")
        return CHUNKED
    if length is None:
        return None
    if not (length.isascii() and length.isdecimal()):
        raise ViolationError("a Content-Length that is no number")
    return int(length)
