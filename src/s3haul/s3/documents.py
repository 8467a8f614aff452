"""S3's XML documents: a page of the listing, a page of an object's attributes, an error. Pure.

Documents come from a server that may be hostile: bounded by the caller, UTF-8 only, no DOCTYPE and so no
entities. What does not parse raises ValueError. Elements: S3 API reference, 2006-03-01.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from s3haul.models import ListPage, ObjectRef

_LIST_MEMBERS = ("Name", "KeyCount", "MaxKeys", "IsTruncated", "Contents", "CommonPrefixes")


class Document:
    """A parsed document; names of elements are those without their namespace."""

    def __init__(self, root: ET.Element) -> None:
        self.root = root
        space, brace, self.name = root.tag.rpartition("}")
        self.space = space + brace

    def text(self, name: str) -> str | None:
        """The text of a child of the root; "" for an empty one, None where there is none."""
        return self.root.findtext(self.space + name)

    def has(self, name: str) -> bool:
        return self.root.find(self.space + name) is not None


def read(body: bytes) -> Document:
    """Raises ValueError for anything but a sound document."""
    text = body.decode("utf-8")
    # Given as text, so that no declared encoding, and without NUL no guessed one, makes it mean something else.
    if "<!DOCTYPE" in text or "<!ENTITY" in text or "\0" in text:
        raise ValueError("a document with a DOCTYPE or NUL")
    parser = ET.XMLParser()  # noqa: S314 - without a DOCTYPE there are no entities to expand
    try:
        parser.feed(text)
        return Document(parser.close())
    except ET.ParseError as error:
        raise ValueError(f"a document that is not XML: {error}") from None


def error(document: Document) -> Mapping[str, str]:
    """Code, Message, Region and BucketRegion as far as the document names them."""
    names = ("Code", "Message", "Region", "BucketRegion")
    return {name: text for name in names if (text := document.text(name))}


def list_page(document: Document) -> ListPage:
    """One ListObjectsV2 answer. A document without any of its elements was no listing at all."""
    space = document.space
    encoded = document.text("EncodingType") == "url"
    count = document.text("KeyCount")
    return ListPage(
        entries=tuple(
            [_entry(one, space, encoded=encoded) for one in document.root.iterfind(space + "Contents")]
        ),
        truncated=document.text("IsTruncated") == "true",
        token=document.text("NextContinuationToken"),
        key_count=None if count is None else _count(count),
        empty_answer=not any(document.has(name) for name in _LIST_MEMBERS),
    )


def _entry(element: ET.Element, space: str, *, encoded: bool) -> ObjectRef:
    text = element.findtext
    key = text(space + "Key")
    if key is None:
        raise ValueError("an entry without a key")
    if encoded and ("%" in key or "+" in key):
        key = unquote_plus(key)
    restore = element.find(space + "RestoreStatus")
    modified = text(space + "LastModified")
    return ObjectRef(
        key,
        _count(text(space + "Size", "0")),
        text(space + "ETag", ""),
        0.0 if modified is None else _epoch(modified),
        text(space + "StorageClass") or "STANDARD",
        None,
        text(space + "ChecksumType", ""),
        restore is not None and _restored(restore, space),
    )


def _restored(status: ET.Element, space: str) -> bool:
    running = status.findtext(space + "IsRestoreInProgress") == "true"
    return status.find(space + "RestoreExpiryDate") is not None and not running


def attributes(document: Document) -> Mapping[str, Any]:
    """One GetObjectAttributes answer in the shape that botocore parses it to, as `answers` reads it."""
    space, root = document.space, document.root
    found: dict[str, Any] = {}
    if size := document.text("ObjectSize"):
        found["ObjectSize"] = _count(size)
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
        page["NextPartNumberMarker"] = _count(following)
    rows: list[dict[str, Any]] = [dict(_texts(part, space)) for part in parts.iterfind(space + "Part")]
    for row in rows:
        row |= {name: _count(row[name]) for name in ("PartNumber", "Size") if name in row}
    if rows:
        page["Parts"] = rows
    return page


def _texts(element: ET.Element, space: str) -> dict[str, str]:
    return {child.tag.removeprefix(space): child.text or "" for child in element}


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text[:40]!r} is no count")
    return int(text)


def _epoch(text: str) -> float:
    """An ISO 8601 time; one without a zone is UTC, as S3 means it."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
