"""Parses a page of the listing (ListObjectsV2), or of all versions (ListObjectVersions). Pure.

S3 writes all entries in one fixed form, which a regular expression reads five times faster than an XML parser does. If
anything on a page has another form, the XML parser of `documents` reads the whole page; the result is the same. The
server may be hostile; the caller limits the size.

The parser is strict where an error could lose a key or change its bytes; an invalid date only loses the date. An entry
without a usable key or size is returned separately, so that it is still counted and reported. Versions and delete
markers stand in one order, that of S3: by key, of each key the newest first.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

from s3haul.models import ListPage, ObjectRef, UnusableEntry, VersionEntry, VersionPage
from s3haul.s3.documents import Document, checked_text, count, parse
from s3haul.s3.faults import http_date

Entries = tuple[tuple[ObjectRef, ...], tuple[UnusableEntry, ...]]

_LIST_MEMBERS = ("Name", "KeyCount", "MaxKeys", "IsTruncated", "Contents", "CommonPrefixes")
_MEMBERS = ("Name", "MaxKeys", "IsTruncated", "Version", "DeleteMarker", "KeyMarker")
_NOT_TRUNCATED = frozenset({"", "0", "false"})
_MAX_SIZE = 2**63 - 1
_MOST_DIGITS = 12  # of epoch seconds
_OPEN, _CLOSE = "<Contents>", "</Contents>"

# Printable ASCII without "<" and "&": text that needs no XML decoding. Without ">" too, so that "]]>" is not in it.
_TEXT = "[ -%'-;=?-~]*"
_OWNER = f"(?:<Owner>(?:<ID>{_TEXT}</ID>)?(?:<DisplayName>{_TEXT}</DisplayName>)?</Owner>)?"
_ENTRY = re.compile(
    f"<Contents><Key>({_TEXT})</Key>"
    r"<LastModified>(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:)([0-5]\d)\.(\d{3})Z</LastModified>"
    f'<ETag>(&quot;|&#34;|")({_TEXT})\\5</ETag>'
    r"(?:<ChecksumAlgorithm>\w*</ChecksumAlgorithm>)*(?:<ChecksumType>(\w*)</ChecksumType>)?"
    rf"<Size>(\d{{1,19}})</Size>{_OWNER}(?:<StorageClass>(\w*)</StorageClass>)?{_OWNER}(?:<Type>\w*</Type>)?"
    r"(?:<RestoreStatus><IsRestoreInProgress>(true|false)</IsRestoreInProgress>"
    rf"(<RestoreExpiryDate>{_TEXT}</RestoreExpiryDate>)?</RestoreStatus>)?</Contents>"
    # Anything that does not match becomes one last row, in which only this group is not empty.
    r"|(.+)",
    re.ASCII | re.DOTALL,
)
_ESCAPES = re.compile("(?:%[0-9A-Fa-f]{2})+")
_BETWEEN = "%FF"  # between keys: a byte that no UTF-8 text has


class PageDocument(Document):
    """A page. If the regular expression read the entries, they are in `rows` and not below `root`."""

    def __init__(self, root: ET.Element, rows: list[tuple[str, ...]] | None = None) -> None:
        super().__init__(root)
        self.rows = rows


def read(body: bytes) -> PageDocument:
    """Parse a page. Raises ValueError for an invalid document."""
    text = checked_text(body)
    return _read_by_pattern(text) or PageDocument(parse(text))


def _read_by_pattern(text: str) -> PageDocument | None:
    """Read the entries with the regular expression; None if that is not possible.

    The rest of the page is parsed as XML, with one empty element in place of the entries. If that element is not a
    child of the root, the text that looked like entries was something else, for example a comment."""
    start, end = text.find(_OPEN), text.rfind(_CLOSE) + len(_CLOSE)
    if start < 0 or end < start or not text.isascii():
        return None
    rows = _ENTRY.findall(text, start, end)
    if not rows or rows[-1][-1]:
        return None
    page = PageDocument(parse(text[:start] + "<Contents/>" + text[end:]), rows)
    return page if len(page.root.findall(page.space + "Contents")) == 1 else None


def list_page(page: PageDocument) -> ListPage:
    """The contents of a page. If the document has no element of a listing, `empty_answer` is true."""
    encoded = page.text("EncodingType") == "url"
    key_count, token = page.text("KeyCount"), page.text("NextContinuationToken")
    if page.rows is None:
        entries, unusable = _from_elements(page, encoded=encoded)
    else:
        entries, unusable = _from_rows(page.rows, encoded=encoded)
    return ListPage(
        entries=entries,
        # A token means that more pages follow, whatever IsTruncated says.
        truncated=bool(token) or (page.text("IsTruncated") or "").strip().lower() not in _NOT_TRUNCATED,
        token=token,
        key_count=None if key_count is None else count(key_count),
        empty_answer=not any(page.has(name) for name in _LIST_MEMBERS),
        unusable=unusable,
    )


def _from_rows(rows: list[tuple[str, ...]], *, encoded: bool) -> Entries:
    entries: list[ObjectRef] = []
    unusable: list[UnusableEntry] = []
    new, add = tuple.__new__, entries.append  # the class's own constructor costs twice as much
    last_minute, began = "", None
    keys = [(row[0], "") for row in rows]
    if encoded:
        keys = decoded_keys([row[0] for row in rows])
    for (key, wrong), row in zip(keys, rows, strict=True):
        _, minute, second, millisecond, _, etag, kind, digits, storage, running, expiry, _ = row
        if minute != last_minute:
            last_minute, began = minute, _minute(minute)
        modified = 0.0 if began is None else (began + int(second + millisecond)) / 1000
        size = int(digits)
        if wrong or size > _MAX_SIZE:
            unusable.append(UnusableEntry(key, wrong or _wrong_size(digits)))
            continue
        restored = expiry != "" and running == "false"
        fields = (key, size, f'"{etag}"', modified, storage or "STANDARD", None, kind, restored)
        add(new(ObjectRef, fields))
    return tuple(entries), tuple(unusable)


@lru_cache(maxsize=4096)
def _minute(text: str) -> int | None:
    """The start of a minute in epoch milliseconds. Cached: parsing is slow, and objects often share a minute."""
    try:
        return int(datetime.fromisoformat(text + "00Z").timestamp()) * 1000
    except ValueError:
        return None


def _from_elements(page: PageDocument, *, encoded: bool) -> Entries:
    entries: list[ObjectRef] = []
    unusable: list[UnusableEntry] = []
    for element in page.root.iterfind(page.space + "Contents"):
        entry = entry_of(element, page.space, encoded=encoded)
        if isinstance(entry, ObjectRef):
            entries.append(entry)
        else:
            unusable.append(entry)
    return tuple(entries), tuple(unusable)


def entry_of(
    element: ET.Element, space: str, *, encoded: bool, size_if_none: str = ""
) -> ObjectRef | UnusableEntry:
    """One entry of a page. Raises ValueError where it has no key."""
    text = element.findtext
    given, digits = text(space + "Key"), text(space + "Size", size_if_none)
    if given is None:
        raise ValueError("an entry without a key")
    key, wrong = decoded_key(given) if encoded else (given, "")
    try:
        size = count(digits)
    except ValueError:
        size = _MAX_SIZE + 1
    if wrong or size > _MAX_SIZE:
        return UnusableEntry(key, wrong or _wrong_size(digits))
    restore = element.find(space + "RestoreStatus")
    return ObjectRef(
        key,
        size,
        text(space + "ETag", ""),
        epoch(text(space + "LastModified", "")),
        text(space + "StorageClass") or "STANDARD",
        None,
        text(space + "ChecksumType", ""),
        restore is not None and _restored(restore, space),
    )


def _wrong_size(digits: str) -> str:
    return f"the listing gives {digits[:40]!a} as its size" if digits else "the listing gives no size"


def _restored(status: ET.Element, space: str) -> bool:
    running = status.findtext(space + "IsRestoreInProgress") == "true"
    return status.find(space + "RestoreExpiryDate") is not None and not running


def decoded_key(text: str) -> tuple[str, str]:
    """The URL-decoded key, and what is wrong with it, or "".

    Bytes that are not UTF-8 become lone surrogates, so that different keys stay different.
    """
    if "%" not in text and "+" not in text:
        return text, ""
    raw = unquote_to_bytes(text.replace("+", " "))
    try:
        return raw.decode(), ""
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape"), f"its key is not valid UTF-8: {raw!r}"


def decoded_keys(texts: list[str]) -> list[tuple[str, str]]:
    """`decoded_key` of each, all at once as far as they are what they should be."""
    joined = _BETWEEN.join(texts)
    if joined.count("%") == len(texts) - 1 and "+" not in joined:
        return [(text, "") for text in texts]
    raw = _ESCAPES.sub(_unescaped, joined.replace("+", " ")).encode("latin-1", "replace")
    try:
        keys = [key.decode() for key in raw.split(b"\xff")]
    except UnicodeDecodeError:
        keys = []
    if len(keys) != len(texts) or not joined.isascii():
        return [decoded_key(text) for text in texts]
    return [(key, "") for key in keys]


def _unescaped(run: re.Match[str]) -> str:
    """The bytes that percent signs stand for, each as the character of its number."""
    return bytes.fromhex(run[0].replace("%", "")).decode("latin-1")


def epoch(text: str) -> float:
    """ISO 8601 as S3 sends it (UTC where no zone is named), or else epoch seconds or an HTTP date; 0.0 for
    what is none of these."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text) if len(text) <= _MOST_DIGITS else 0.0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return http_date(text) or 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def version_page(page: Document) -> VersionPage:
    """The page's contents. A document without any of its elements was no listing at all. Raises ValueError for an
    entry without a key or a version."""
    encoded = page.text("EncodingType") == "url"
    version, marker = page.space + "Version", page.space + "DeleteMarker"
    entries: list[VersionEntry] = []
    unusable: list[UnusableEntry] = []
    for element in page.root:
        if element.tag in {version, marker}:
            entry = _entry(element, page.space, encoded=encoded, deleted=element.tag == marker)
            if isinstance(entry, VersionEntry):
                entries.append(entry)
            else:
                unusable.append(entry)
    next_key = page.text("NextKeyMarker")
    if next_key and encoded:
        next_key, _ = decoded_key(next_key)
    return VersionPage(
        entries=tuple(entries),
        truncated=bool(next_key) or (page.text("IsTruncated") or "").strip().lower() == "true",
        next_key=next_key or None,
        next_version=page.text("NextVersionIdMarker") or None,
        empty_answer=not any(page.has(name) for name in _MEMBERS),
        unusable=tuple(unusable),
    )


def _entry(element: ET.Element, space: str, *, encoded: bool, deleted: bool) -> VersionEntry | UnusableEntry:
    entry = entry_of(element, space, encoded=encoded, size_if_none="0" if deleted else "")
    if isinstance(entry, UnusableEntry):
        return entry
    version_id = element.findtext(space + "VersionId")
    if not version_id:
        raise ValueError("a version without an id")
    latest = element.findtext(space + "IsLatest") == "true"
    return VersionEntry(entry._replace(version_id=version_id), latest, deleted)
