"""Parses and checks the headers of responses, and converts them, and what botocore parses,
to the records of `models`. Sends nothing.

libcurl finds the end of the body. This module refuses a response whose length is ambiguous (both
Content-Length and Transfer-Encoding: RFC 9112, section 6.3), and one that has an important header twice with
different values. Checksums are read from the raw headers, because the SDK knows only some of the algorithms.
Sources: S3 service model 2006-03-01 and recorded responses.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from s3haul.errors import Fault, FaultKind
from s3haul.models import (
    Checksum,
    ListPage,
    ObjectMeta,
    ObjectRef,
    UnusableEntry,
    VersionEntry,
    VersionPage,
)
from s3haul.s3.faults import http_date
from s3haul.s3.list_pages import MAX_SIZE, decoded_key, is_encoded, wrong_size

MOST_METADATA = 8192  # characters that are kept of one object; S3 takes 2 KB
_PREFIX = "x-amz-checksum-"
# The last one is a parameter of uploads that some servers send back.
_NO_CHECKSUM = frozenset({_PREFIX + "type", _PREFIX + "mode", _PREFIX + "algorithm"})
_METADATA = "x-amz-meta-"  # the owner's own, which nothing depends on: of two the first counts
# Units are case-insensitive (RFC 9110, 14.1); blanks and "=" in place of the blank come from
# servers that are less exact.
_CONTENT_RANGE = re.compile(
    r"bytes[ =]\s*(\d{1,19})\s*-\s*(\d{1,19})\s*/\s*(\d{1,19}|\*)", re.ASCII | re.IGNORECASE
)
_MOST_DIGITS = 19  # of a number that fits into 64 bits
_COMPOSITE = re.compile(r".+-\d+", re.ASCII)
_LIST_MEMBERS = frozenset({"Name", "KeyCount", "MaxKeys", "IsTruncated", "Contents", "CommonPrefixes"})
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
# Two caches, because parsing headers is a large part of the cost of a small object. Both are bounded, because
# the server chooses the contents. From the name of a header as sent to its lower-case name; "" for one that
# nobody reads.
_spellings: dict[bytes, str] = {}
# From a whole line to name and value, for lines that are likely to repeat. Emptied when full.
_lines: dict[bytes, tuple[str, str]] = {}


def object_meta(status: int, headers: Mapping[str, str], *, dated: bool = True) -> ObjectMeta:
    """The metadata in the response to a GET or HEAD. Header names are in lower case.

    With `dated=False`, the modification time is not parsed: that takes as long as all the rest.
    """
    names = _names(tuple(headers))
    length = _number(headers.get("content-length"))
    start, size = None, length
    content_range = headers.get("content-range")
    if content_range is not None and (found := _CONTENT_RANGE.fullmatch(content_range.strip())):
        start, size = int(found[1]), _number(found[3])
        length = int(found[2]) - start + 1 if length is None else length  # chunked: no Content-Length
    return ObjectMeta(
        status=status,
        length=length,
        size=size,
        etag=headers.get("etag", ""),
        last_modified=http_date(headers.get("last-modified", "")) if dated else None,
        version_id=headers.get("x-amz-version-id"),
        range_start=start,
        checksums=_checksums(headers, names),
        parts_count=_number(headers.get("x-amz-mp-parts-count")),
        sse=headers.get("x-amz-server-side-encryption", ""),
        kms_key_id=headers.get("x-amz-server-side-encryption-aws-kms-key-id", ""),
        bucket_key=headers.get("x-amz-server-side-encryption-bucket-key-enabled", "").lower() == "true",
        storage_class=headers.get("x-amz-storage-class", "STANDARD"),
        restored='ongoing-request="false"' in headers.get("x-amz-restore", ""),
        content_type=headers.get("content-type", ""),
        user_metadata=_user_metadata(headers, names) if names.metadata else "",
    )


class _Names(NamedTuple):
    """Which of some headers are checksums, and of which algorithm; and which are user metadata."""

    checksums: tuple[tuple[str, str], ...]
    metadata: tuple[str, ...]


@lru_cache(maxsize=256)
def _names(headers: tuple[str, ...]) -> _Names:
    """A server sends the same ones each time."""
    found = sorted(name for name in headers if name.startswith(_PREFIX) and name not in _NO_CHECKSUM)
    metadata = tuple(sorted(name for name in headers if name.startswith(_METADATA)))
    return _Names(tuple((name, name.removeprefix(_PREFIX).upper()) for name in found), metadata)


def _checksums(headers: Mapping[str, str], names: _Names) -> tuple[Checksum, ...]:
    """All checksum headers with a value. If the server sends no type,
    "-N" at the end of the value means COMPOSITE."""
    kind = headers.get(_PREFIX + "type", "").upper()
    return tuple(
        [_checksum(algorithm, headers[name], kind) for name, algorithm in names.checksums if headers[name]]
    )


def _user_metadata(headers: Mapping[str, str], names: _Names) -> str:
    """What the owner has stored with the object, by name without `x-amz-meta-`, as JSON;
    "" if it is too much."""
    text = json.dumps({name.removeprefix(_METADATA): headers[name] for name in names.metadata})
    return text if len(text) <= MOST_METADATA else ""


def _checksum(algorithm: str, value: str, kind: str) -> Checksum:
    return Checksum(algorithm, kind or ("COMPOSITE" if _COMPOSITE.fullmatch(value) else "FULL_OBJECT"), value)


def list_page(answer: Mapping[str, Any]) -> ListPage:
    """One ListObjectsV2 response as botocore parses it; keys are still URL-encoded if the response says so.

    If the response has no member of a listing, `empty_answer` is true. botocore reads every IsTruncated
    except "true" as False, so a token also means that more pages follow.
    """
    entries: list[ObjectRef] = []
    unusable: list[UnusableEntry] = []
    encoded = is_encoded(answer.get("EncodingType"))
    for one in answer.get("Contents", ()):
        key, wrong = decoded_key(one["Key"]) if encoded else (one["Key"], "")
        wrong = wrong or _wrong_size(one)
        if wrong:
            unusable.append(UnusableEntry(key, wrong))
        else:
            entries.append(_entry(key, one))
    token = answer.get("NextContinuationToken")
    return ListPage(
        entries=tuple(entries),
        truncated=bool(token or answer.get("IsTruncated", False)),
        token=token,
        key_count=answer.get("KeyCount"),
        empty_answer=_LIST_MEMBERS.isdisjoint(answer),
        unusable=tuple(unusable),
    )


def version_page(answer: Mapping[str, Any]) -> VersionPage:
    """One ListObjectVersions answer as botocore parses it: versions and delete markers apart, so that their
    order is that of their times."""
    entries: list[VersionEntry] = []
    unusable: list[UnusableEntry] = []
    encoded = is_encoded(answer.get("EncodingType"))
    for name in ("Versions", "DeleteMarkers"):
        for one in answer.get(name, ()):
            key, wrong = decoded_key(one["Key"]) if encoded else (one["Key"], "")
            deleted = name == "DeleteMarkers"  # a delete marker has no Size
            sized = {"Size": 0, **one} if deleted else one
            wrong = wrong or _wrong_size(sized)
            if wrong:
                unusable.append(UnusableEntry(key, wrong))
                continue
            if not one["VersionId"]:
                raise KeyError("VersionId")
            ref = _entry(key, sized)._replace(version_id=one["VersionId"])
            entries.append(VersionEntry(ref, bool(one.get("IsLatest")), deleted))
    entries.sort(key=lambda entry: (entry.ref.key, not entry.latest, -entry.ref.last_modified))
    next_key = answer.get("NextKeyMarker")
    if next_key and encoded:
        next_key, _ = decoded_key(next_key)
    return VersionPage(
        entries=tuple(entries),
        truncated=bool(next_key or answer.get("IsTruncated", False)),
        next_key=next_key or None,
        next_version=answer.get("NextVersionIdMarker") or None,
        empty_answer=not {"Name", "MaxKeys", "IsTruncated", "Versions", "DeleteMarkers"} & answer.keys(),
        unusable=tuple(unusable),
    )


def _wrong_size(one: Mapping[str, Any]) -> str:
    """What is wrong with the size of an entry, or ""."""
    size = one.get("Size")
    if size is not None and 0 <= size <= MAX_SIZE:
        return ""
    return wrong_size("" if size is None else str(size))


def _entry(key: str, one: Mapping[str, Any]) -> ObjectRef:
    restore = one.get("RestoreStatus", {})
    return ObjectRef(
        key=key,
        size=one["Size"],
        etag=one.get("ETag", ""),
        last_modified=_epoch(one.get("LastModified")),
        storage_class=one.get("StorageClass", "STANDARD"),
        checksum_type=one.get("ChecksumType", ""),
        restored="RestoreExpiryDate" in restore and not restore.get("IsRestoreInProgress", False),
    )


def _epoch(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _number(text: str | None) -> int | None:
    if text is None or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdecimal()):
        return None
    return int(text)


class ViolationError(Exception):
    """The response violates HTTP in a way that could cause errors; the message says how."""

    @property
    def fault(self) -> Fault:
        return Fault(FaultKind.PROTOCOL, f"invalid HTTP response: {self}")


def parse_head(lines: Sequence[bytes]) -> tuple[int, dict[str, str]]:
    """Status and headers (names in lower case) of the final response in `lines`.

    `lines` are all header lines from libcurl: interim (1xx) responses come before the final one, trailers
    after its blank line. Raises `ViolationError`.
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
    relevant = name in _PLAIN or (name.startswith("x-amz-") and not name.startswith(_UNREAD))
    kept = name if relevant else ""
    if len(_spellings) < _MOST_SPELLINGS:
        _spellings[sent] = kept
    return kept


def _check_coding(headers: dict[str, str]) -> None:
    coding = headers["transfer-encoding"]
    if "content-length" in headers:
        raise ViolationError("both Content-Length and Transfer-Encoding")
    if coding.lower() != "chunked":
        raise ViolationError(f"unsupported Transfer-Encoding {coding[:40]!r}")
