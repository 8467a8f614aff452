"""One request as the services see it and one answer as they give it. No sockets, no rendering."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from s3haul.demo.content import EMPTY, Content
from s3haul.demo.errors import CloudError

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Request:
    """An HTTP request. `path` and `query_string` are exactly as sent; `headers` ignore case.

    `bucket` and `key` come from the path by path-style addressing; both "" for the service root.
    """

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes = b""
    secure: bool = True
    peer: str = "127.0.0.1"
    query: dict[str, str] = field(init=False)
    bucket: str = field(init=False)
    key: str = field(init=False)
    range: str = field(init=False)  # the Range header; a fault may empty it

    def __post_init__(self) -> None:
        self.query = dict(query_pairs(self.query_string))
        bucket, _, key = self.path[1:].partition("/")
        self.bucket = decoded(bucket)
        self.key = decoded(key)
        self.range = self.header("range")

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass(slots=True)
class Answer:
    """An HTTP answer. Content-Length is the body's size unless `length` says another (HEAD)."""

    status: int
    headers: Headers = field(default_factory=list)
    body: Content = EMPTY
    length: int | None = None


def decoded(text: str) -> str:
    """Percent-decode once. Raises CloudError InvalidURI where the bytes are no UTF-8."""
    if "%" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode()
    except UnicodeDecodeError:
        raise CloudError(400, "InvalidURI", "Couldn't parse the specified URI.") from None


def query_pairs(query_string: str) -> list[tuple[str, str]]:
    """Decoded (name, value) pairs in the order sent; a bare name has the value ""."""
    if not query_string:
        return []
    pairs = []
    for piece in query_string.split("&"):
        name, _, value = piece.partition("=")
        if name:
            pairs.append((decoded(name), decoded(value)))
    return pairs
