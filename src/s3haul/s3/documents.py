"""S3's XML documents: how one is parsed, a page of an object's attributes, an error. Pure.

Documents come from a server that may be hostile: bounded by the caller, UTF-8 only, no DOCTYPE and so no
entities. What does not parse raises ValueError. Elements: S3 API reference, 2006-03-01.
"""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET


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
    return Document(parse(sound(body)))


def sound(body: bytes) -> str:
    """The text of a document that means what it says. Raises ValueError for any other."""
    text = body.decode("utf-8")
    # Given as text, so that no declared encoding, and without NUL no guessed one, makes it mean something else.
    if ("!" in text and ("<!DOCTYPE" in text or "<!ENTITY" in text)) or "\0" in text:
        raise ValueError("a document with a DOCTYPE or NUL")
    return text


def parse(text: str) -> ET.Element:
    """The root of a sound document. Raises ValueError for what is not XML."""
    parser = ET.XMLParser()  # noqa: S314 - without a DOCTYPE there are no entities to expand
    try:
        parser.feed(text)
        return parser.close()
    except ET.ParseError as error:
        raise ValueError(f"a document that is not XML: {error}") from None


def error(document: Document) -> Mapping[str, str]:
    """Code, Message, Region and BucketRegion as far as the document names them."""
    names = ("Code", "Message", "Region", "BucketRegion")
    return {name: text for name in names if (text := document.text(name))}


def attributes(document: Document) -> Mapping[str, Any]:
    """One GetObjectAttributes answer in the shape that botocore parses it to, as `answers` reads it."""
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
    return {child.tag.removeprefix(space): child.text or "" for child in element}


def count(text: str) -> int:
    """A number without a sign. Raises ValueError for anything else."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text[:40]!r} is no count")
    return int(text)
