"""Parses the XML documents of S3: errors, and object attributes with the parts that they name. Detects pages
of proxies and web filters. Sends nothing.

The server may be hostile: only UTF-8 is accepted, and no DOCTYPE, so there are no entities. The caller limits
the size. Invalid documents raise ValueError. Elements: S3 API reference, 2006-03-01.
"""

import html
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from http.client import responses
from typing import Any
from xml.etree import ElementTree as ET

from s3haul.core.checksums import MAX_PARTS
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import Part, PartLayout

_IN_BETWEEN = frozenset({407, 511})  # proxy and network authentication required
_LATER = frozenset({408, 425, 429})
_REFUSED = frozenset({403, 451})
_ERRORS = (b"<?xml", b"<Error", b"\xef\xbb\xbf<", b"{")  # how error documents of S3 and STS begin
_START = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_GZIP = b"\x1f\x8b"  # how a gzip file begins (RFC 1952, 2.3.1)
_FIELD = re.compile(r"<(?:\w+:)?(Code|Message|Region|BucketRegion)(?:\s[^<>]*)?>([^<]*)</")
_LONGEST_FIELD = 4096  # characters
LONGEST_PAGE = 16 * 1024 * 1024  # bytes of XML; a page of 1,000 keys of maximum length is 4 MB
_TITLE = re.compile(rb"<(title|h1)\b[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_LONGEST_TITLE = 100  # characters
_SEARCHED = 16 << 10  # bytes
PARTS_PER_PAGE = 1000
ATTRIBUTES = ("Checksum", "ObjectParts", "ObjectSize")
_NOT_ABOUT_PARTS = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "RequestTimeout"})
# The numbers are the codes of refusals without a document.
_NO_LAYOUT = frozenset({"AccessDenied", "NotImplemented", "MethodNotAllowed", "403", "405", "501"})
# Fetches the page after this part number (None: the first page), in the form that botocore returns.
RequestPage = Callable[[int | None], Awaitable[Mapping[str, Any]]]


class Document:
    """A parsed document. Names of elements are given without their namespace."""

    def __init__(self, root: ET.Element) -> None:
        self.root = root
        space, brace, self.name = root.tag.rpartition("}")
        self.space = space + brace

    def text(self, name: str) -> str | None:
        """The text of a child of the root; "" if it is empty, None if it does not exist."""
        return self.root.findtext(self.space + name)

    def has(self, name: str) -> bool:
        return self.root.find(self.space + name) is not None


def read(body: bytes) -> Document:
    """Parse a document. Raises ValueError if it is not UTF-8, has a DOCTYPE, or is not XML."""
    return Document(parse(checked_text(body)))


def plain(body: bytes) -> bytes:
    """The body without the gzip that some gateways add unasked, and without blanks before the document.

    Raises ValueError if it is no valid gzip, or longer than `LONGEST_PAGE`."""
    if body.startswith(_GZIP):
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            body = unpacker.decompress(body, LONGEST_PAGE)
        except zlib.error as error:
            raise ValueError(f"a document with invalid gzip: {error}") from None
        if not unpacker.eof:
            raise ValueError("a document in gzip that is too long or broken off")
    return body.lstrip()


def checked_text(body: bytes) -> str:
    """Decode a document. Raises ValueError if it is not UTF-8, or contains a DOCTYPE, an entity or NUL."""
    text = plain(body).decode("utf-8")
    # The parser gets text, not bytes, so it ignores a declared encoding; and without NUL it does not guess
    # UTF-16. Otherwise it could find a DOCTYPE in bytes in which this check found none.
    if ("!" in text and ("<!DOCTYPE" in text or "<!ENTITY" in text)) or "\0" in text:
        raise ValueError("a document with a DOCTYPE or NUL")
    return text


def parse(text: str) -> ET.Element:
    """The root of a document that `checked_text` accepted. Raises ValueError if it is not XML."""
    parser = ET.XMLParser()  # noqa: S314 - without a DOCTYPE there are no entities to expand
    try:
        parser.feed(text)
        return parser.close()
    except ET.ParseError as error:
        raise ValueError(f"a document that is not XML: {error}") from None


def error(body: bytes) -> Mapping[str, str]:
    """Code, Message, Region and BucketRegion, without those that the document does not have.

    Read with a pattern: S3 quotes keys, whose characters may not be valid in XML,
    and the code is needed all the same.
    """
    try:
        found = _FIELD.findall(plain(body).decode("utf-8", "replace"))
    except ValueError:
        return {}
    # Of elements of one name the first counts.
    fields = {name: html.unescape(text.strip())[:_LONGEST_FIELD] for name, text in reversed(found)}
    return {name: text for name, text in fields.items() if text}


def error_fields(status: int, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
    """`error` of a response. Without a document, code and message are the status and its text, as in the SDK;
    no code for the 404 of a web server, which may not know S3 at all."""
    code = "" if status == 404 and headers.get("content-type", "").startswith("text/html") else str(status)
    return {"Code": code, "Message": responses.get(status, ""), **error(body)}


def attributes(document: Document) -> Mapping[str, Any]:
    """One GetObjectAttributes response in the same form as botocore's, for `part_layout`."""
    space, root = document.space, document.root
    found: dict[str, Any] = {}
    if size := document.text("ObjectSize"):
        found["ObjectSize"] = count(size)
    checksum = root.find(space + "Checksum")
    if checksum is not None:
        found["Checksum"] = _texts(checksum, space)
    parts = root.find(space + "ObjectParts")
    if parts is not None:
        found["ObjectParts"] = _parts(parts, space)
    return found


def _parts(parts: ET.Element, space: str) -> dict[str, Any]:
    page: dict[str, Any] = {"IsTruncated": parts.findtext(space + "IsTruncated") == "true"}
    if following := parts.findtext(space + "NextPartNumberMarker"):
        page["NextPartNumberMarker"] = count(following)
    rows: list[dict[str, Any]] = [dict(_texts(part, space)) for part in parts.iterfind(space + "Part")]
    for row in rows:
        row |= {name: count(row[name]) for name in ("PartNumber", "Size") if name in row}
    if rows:
        page["Parts"] = rows
    return page


def _texts(element: ET.Element, space: str) -> dict[str, str]:
    return {child.tag.removeprefix(space): (child.text or "").strip() for child in element}


def count(text: str) -> int:
    """A number without a sign, blanks around it apart. Raises ValueError for anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text[:40]!r} is not a non-negative integer")
    return int(text)


def interception(status: int, headers: Mapping[str, str], body: bytes) -> Fault | None:
    """The fault of a response that an intermediary sent; None for any other.
    Header names are in lower case."""
    if status not in _IN_BETWEEN and (
        status in _LATER or status >= 500 or not _is_page(status, headers, body)
    ):
        return None
    sender = headers.get("server") or headers.get("via") or ""
    title = _title(body)
    shown = (f" titled {title!r}" if title else "") + (f" from {sender!r}" if sender else "")
    return Fault(FaultKind.INTERCEPTED, f"HTTP {status} with a web page{shown}", status=status)


def _is_page(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body is a web page. The content type alone is not enough: some stores send text/html with
    XML errors and with empty bodies."""
    kind, said = headers.get("content-type", "").lower(), body.strip()
    if _START.match(body):
        return True
    if not said or said.startswith(_ERRORS):
        return False
    return kind.startswith(("text/html", "application/xhtml")) or (
        kind.startswith("text/plain") and status in _REFUSED
    )


def _title(body: bytes) -> str:
    found = _TITLE.search(body[:_SEARCHED])
    text = found[2] if found else b"" if _START.match(body) else body[:_SEARCHED]
    plain = html.unescape(_TAG.sub(" ", text.decode("utf-8", "replace")))
    return " ".join(plain.split())[:_LONGEST_TITLE]


def part_layout(pages: list[Mapping[str, Any]]) -> PartLayout | None:
    """The parts on all pages of GetObjectAttributes; None if they do not cover the whole object."""
    if not pages:
        return None
    algorithm = _algorithm(pages[0].get("Checksum", {}))
    parts: list[Part] = []
    start = 0
    for row in (row for page in pages for row in page.get("ObjectParts", {}).get("Parts", ())):
        size = row.get("Size", 0)
        parts.append(Part(row.get("PartNumber", 0), start, size, row.get("Checksum" + algorithm, "")))
        start += size
    numbered = [part.number for part in parts] == list(range(1, len(parts) + 1))
    if not algorithm or not parts or not numbered or start != pages[0].get("ObjectSize", start):
        return None
    return PartLayout(algorithm, tuple(parts))


def _algorithm(checksum: Mapping[str, Any]) -> str:
    named = (name.removeprefix("Checksum") for name in checksum if name.startswith("Checksum"))
    return next((name for name in named if name != "Type"), "")


async def read_layout(request_page: RequestPage) -> PartLayout | None:
    """Fetch all pages. None if the server does not support them,
    or permission is missing. Raises `StoreError`."""
    pages: list[Mapping[str, Any]] = []
    marker: int | None = None
    while True:
        try:
            page = await request_page(marker)
        except StoreError as error:
            if _means_no_layout(error.fault):
                return None
            raise
        pages.append(page)
        parts = page.get("ObjectParts", {})
        following = parts.get("NextPartNumberMarker")
        # A marker that does not increase would make this loop endless.
        advances = following is not None and (marker or 0) < following <= MAX_PARTS
        if not parts.get("IsTruncated") or not advances:
            return part_layout(pages)
        marker = following


def _means_no_layout(fault: Fault) -> bool:
    if fault.kind is FaultKind.PROTOCOL:
        return True  # a server that does not know the operation may send the object itself
    refused = fault.code in _NO_LAYOUT or (fault.status == 400 and fault.code not in _NOT_ABOUT_PARTS)
    return fault.kind is FaultKind.HTTP and refused
