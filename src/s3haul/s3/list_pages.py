"""Parses a page of the listing (ListObjectsV2), or of all versions (ListObjectVersions). Pure.

S3 writes all entries in one fixed form, which a regular expression reads five times faster than an XML parser
does. If anything on a page has another form, the XML parser of `documents` reads the whole page; the result
is the same. The server may be hostile; the caller limits the size.

The parser is strict where an error could lose a key or change its bytes; an invalid date only loses the date.
An entry without a usable key or size is returned separately, so that it is still counted and reported.
Versions and delete markers are in one order, that of S3: by key, of each key the newest first.
"""

import codecs
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import sub
from typing import NamedTuple
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

from s3haul.models import ListPage, ObjectRef, UnusableEntry, VersionEntry, VersionPage
from s3haul.s3.documents import Document, checked_text, count, parse
from s3haul.s3.faults import http_date

Entries = tuple[tuple[ObjectRef, ...], tuple[UnusableEntry, ...]]

_LIST_MEMBERS = ("Name", "KeyCount", "MaxKeys", "IsTruncated", "Contents", "CommonPrefixes")
_MEMBERS = ("Name", "MaxKeys", "IsTruncated", "Version", "DeleteMarker", "KeyMarker")
_NOT_TRUNCATED = frozenset({"", "0", "false"})
MAX_SIZE = 2**63 - 1
_EPOCH = datetime.fromtimestamp(0, UTC)
_MOST_DIGITS = 12  # of epoch seconds
_OPEN, _CLOSE = "<Contents>", "</Contents>"

# Everything between two elements, which `_columns` checks for a whole page at once. What follows the size is
# the same for most entries, so `_TAIL` reads each different one once.
_ENTRY = re.compile(
    "<Contents><Key>([^<]*)</Key><LastModified>([^<]*)</LastModified><ETag>([^<]*)</ETag>"
    r"(?:<ChecksumAlgorithm>\w*</ChecksumAlgorithm>)*(?:<ChecksumType>(\w*)</ChecksumType>)?"
    r"<Size>(\d{1,19})</Size>(?:<StorageClass>(\w*)</StorageClass>)?(.*?)</Contents>"
    # Anything that does not match becomes one last row, in which only this group is not empty.
    r"|(.+)",
    re.ASCII | re.DOTALL,
)
_TEXT = "[ -%'-;=?-~]*"  # printable ASCII without "<" and "&", and without ">", so that "]]>" is not in it
_OWNER = f"(?:<Owner>(?:<ID>{_TEXT}</ID>)?(?:<DisplayName>{_TEXT}</DisplayName>)?</Owner>)?"
_TAIL = re.compile(
    rf"{_OWNER}(?:<StorageClass>(\w*)</StorageClass>)?{_OWNER}(?:<Type>\w*</Type>)?"
    r"(?:<RestoreStatus><IsRestoreInProgress>(true|false)</IsRestoreInProgress>"
    rf"(<RestoreExpiryDate>{_TEXT}</RestoreExpiryDate>)?</RestoreStatus>)?",
    re.ASCII,
)
_PRINTABLE = bytes(range(0x20, 0x7F))
_SEPARATOR = "<"  # between texts of a page, in which it cannot be
_BETWEEN = "%FF"  # between keys: a byte that no UTF-8 text has


class Columns(NamedTuple):
    """The entries of a page, column by column; keys and sizes as they were sent."""

    keys: Sequence[str]
    sizes: Sequence[str]
    etags: Sequence[str]
    moments: Sequence[float]
    storage_classes: Iterable[str]
    checksum_types: Sequence[str]
    restored: Iterable[bool]


class PageDocument(Document):
    """A page. If the regular expression read the entries, they are in `columns` and not below `root`."""

    def __init__(self, root: ET.Element, columns: Columns | None = None) -> None:
        super().__init__(root)
        self.columns = columns


def read(body: bytes) -> PageDocument:
    """Parse a page. Raises ValueError for an invalid document."""
    text = checked_text(body)
    return _read_by_pattern(text) or PageDocument(parse(text))


def _read_by_pattern(text: str) -> PageDocument | None:
    """Read the entries with the regular expression; None if that is not possible.

    The rest of the page is parsed as XML, with one empty element in place of the entries. If that element is
    not a child of the root, the text that looked like entries was something else, for example a comment."""
    start, end = text.find(_OPEN), text.rfind(_CLOSE) + len(_CLOSE)
    if start < 0 or end < start or not text.isascii():
        return None
    columns = _columns(_ENTRY.findall(text, start, end))
    if columns is None:
        return None
    page = PageDocument(parse(text[:start] + "<Contents/>" + text[end:]), columns)
    return page if len(page.root.findall(page.space + "Contents")) == 1 else None


def _columns(rows: list[tuple[str, ...]]) -> Columns | None:
    """The entries, if an XML parser would read the same in them."""
    if not rows or rows[-1][-1]:
        return None
    keys, dates, etags, kinds, sizes, classes, tails, _ = zip(*rows, strict=True)
    quoted = _SEPARATOR.join(etags).replace("&quot;", '"').replace("&#34;", '"')
    texts = _SEPARATOR.join((*keys, *dates, quoted))
    if texts.encode().translate(None, _PRINTABLE) or "&" in texts or ">" in texts:
        return None
    restored: Iterable[bool] = repeat(False)
    if any(tails):
        matches = {tail: _TAIL.fullmatch(tail) for tail in set(tails)}
        read = {tail: match.groups("") for tail, match in matches.items() if match is not None}
        if len(read) < len(matches):
            return None
        classes = tuple(name or read[tail][0] for name, tail in zip(classes, tails, strict=True))
        restored = [read[tail][1] == "false" and read[tail][2] != "" for tail in tails]
    if "" in classes:
        classes = tuple(name or "STANDARD" for name in classes)
    return Columns(keys, sizes, quoted.split(_SEPARATOR), _epochs(dates), classes, kinds, restored)


def list_page(page: PageDocument) -> ListPage:
    """The contents of a page. If the document has no element of a listing, `empty_answer` is true."""
    encoded = is_encoded(page.text("EncodingType"))
    key_count, token = page.text("KeyCount"), page.text("NextContinuationToken")
    if page.columns is None:
        entries, unusable = _from_elements(page, encoded=encoded)
    else:
        entries, unusable = _from_columns(page.columns, encoded=encoded)
    return ListPage(
        entries=entries,
        # A token means that more pages follow, whatever IsTruncated says.
        truncated=bool(token) or (page.text("IsTruncated") or "").strip().lower() not in _NOT_TRUNCATED,
        token=token,
        key_count=None if key_count is None else count(key_count),
        empty_answer=not any(page.has(name) for name in _LIST_MEMBERS),
        unusable=unusable,
    )


def _from_columns(columns: Columns, *, encoded: bool) -> Entries:
    """Makes the records without a step of the interpreter for each, which takes a third of the time."""
    keys, wrong = decoded_keys(columns.keys) if encoded else (columns.keys, {})
    sizes = list(map(int, columns.sizes))
    fields = (keys, sizes, columns.etags, columns.moments, columns.storage_classes)
    rows = zip(*fields, repeat(None), columns.checksum_types, columns.restored)
    entries = tuple(map(tuple.__new__, repeat(ObjectRef), rows))
    if not wrong and max(sizes) <= MAX_SIZE:
        return entries, ()
    unusable = {
        at: UnusableEntry(ref.key, wrong.get(at) or wrong_size(str(ref.size)))
        for at, ref in enumerate(entries)
        if at in wrong or ref.size > MAX_SIZE
    }
    return tuple(ref for at, ref in enumerate(entries) if at not in unusable), tuple(unusable.values())


def _epochs(dates: Sequence[str]) -> list[float]:
    """`epoch` of each; objects often share a second."""
    different = set(dates)
    moments: Iterable[float]
    try:
        spans = map(sub, map(datetime.fromisoformat, different), repeat(_EPOCH))
        moments = list(map(timedelta.total_seconds, spans))
    except (ValueError, TypeError):  # another form, or without a zone
        moments = map(epoch, different)
    return list(map(dict(zip(different, moments, strict=True)).__getitem__, dates))


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
    # Of elements of one name the first counts.
    text = {child.tag: child.text or "" for child in reversed(element)}.get
    given, digits = text(space + "Key"), text(space + "Size", size_if_none)
    if given is None:
        raise ValueError("an entry without a key")
    key, wrong = decoded_key(given) if encoded else (given, "")
    try:
        size = count(digits)
    except ValueError:
        size = MAX_SIZE + 1
    if wrong or size > MAX_SIZE:
        return UnusableEntry(key, wrong or wrong_size(digits))
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


def wrong_size(digits: str) -> str:
    return f"the listing gives {digits[:40]!a} as its size" if digits else "the listing gives no size"


def _restored(status: ET.Element, space: str) -> bool:
    running = status.findtext(space + "IsRestoreInProgress") == "true"
    return status.find(space + "RestoreExpiryDate") is not None and not running


def is_encoded(encoding_type: str | None) -> bool:
    """Whether the keys of a page with this EncodingType are URL-encoded."""
    return (encoding_type or "").strip().lower() == "url"


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


def decoded_keys(texts: Sequence[str]) -> tuple[Sequence[str], dict[int, str]]:
    """`decoded_key` of each of these printable texts; what is wrong with some of them, by their place.

    All are decoded at once, as far as they are what they should be:
    Python's escapes of bytes are \\xFF for %FF.
    """
    joined = _BETWEEN.join(texts)
    if joined.count("%") == len(texts) - 1 and "+" not in joined:
        return texts, {}
    escaped = joined.replace("\\", r"\\").replace("+", " ").replace("%", r"\x")
    try:
        raw = codecs.unicode_escape_decode(escaped)[0].encode("latin-1")
        keys = list(map(bytes.decode, raw.split(b"\xff")))
    except UnicodeError:
        keys = []
    if len(keys) == len(texts):
        return keys, {}
    pairs = list(map(decoded_key, texts))
    return [key for key, _ in pairs], {at: wrong for at, (_, wrong) in enumerate(pairs) if wrong}


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
    """The page's contents. A document without any of its elements was no listing at all. Raises ValueError
    for an entry without a key or a version."""
    encoded = is_encoded(page.text("EncodingType"))
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
