"""From the headers and parsed bodies of S3's answers to the records of `models`.

Pure. Checksums are read from the raw headers, because the SDK's model knows only five of the ten
algorithms. Facts: S3 service model 2006-03-01 and recorded answers.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from s3haul.models import Checksum, ListPage, ObjectMeta, ObjectRef, Part, PartLayout, UnusableEntry
from s3haul.s3.faults import http_date
from s3haul.s3.list_pages import decoded_key

MOST_METADATA = 8192  # characters that are kept of one object; S3 takes 2 KB
_PREFIX = "x-amz-checksum-"
_METADATA = "x-amz-meta-"
_NO_CHECKSUM = frozenset({_PREFIX + "type", _PREFIX + "mode"})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)
_MOST_DIGITS = 19  # of a number that fits into 64 bits
_COMPOSITE = re.compile(r".+-\d+", re.ASCII)
_LIST_MEMBERS = frozenset({"Name", "KeyCount", "MaxKeys", "IsTruncated", "Contents", "CommonPrefixes"})


def object_meta(status: int, headers: Mapping[str, str], *, dated: bool = True) -> ObjectMeta:
    """What one GET or HEAD answer says; header names are in lower case. Without its date, which costs as much
    as the rest, where it is not `dated`."""
    names = _names(tuple(headers))
    length = _number(headers.get("content-length"))
    start, size = None, length
    content_range = headers.get("content-range")
    if content_range is not None and (found := _CONTENT_RANGE.fullmatch(content_range.strip())):
        start, size = int(found[1]), _number(found[3])
        length = int(found[2]) - start + 1 if length is None else length  # a range in chunks
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


def checksums(headers: Mapping[str, str]) -> tuple[Checksum, ...]:
    """Every checksum header. Where no type is sent (some servers), "-N" at the end means COMPOSITE."""
    return _checksums(headers, _names(tuple(headers)))


class _Names(NamedTuple):
    """Which of some headers hold a checksum, and of which algorithm; and which hold user metadata."""

    checksums: tuple[tuple[str, str], ...]
    metadata: tuple[str, ...]


@lru_cache(maxsize=256)
def _names(headers: tuple[str, ...]) -> _Names:
    """A server sends the same ones each time."""
    found = sorted(name for name in headers if name.startswith(_PREFIX) and name not in _NO_CHECKSUM)
    metadata = tuple(sorted(name for name in headers if name.startswith(_METADATA)))
    return _Names(tuple((name, name.removeprefix(_PREFIX).upper()) for name in found), metadata)


def _checksums(headers: Mapping[str, str], names: _Names) -> tuple[Checksum, ...]:
    kind = headers.get(_PREFIX + "type", "")
    return tuple([_checksum(algorithm, headers[name], kind) for name, algorithm in names.checksums])


def _user_metadata(headers: Mapping[str, str], names: _Names) -> str:
    """What the owner has stored with the object, by name without `x-amz-meta-`, as JSON; "" if it is too much."""
    text = json.dumps({name.removeprefix(_METADATA): headers[name] for name in names.metadata})
    return text if len(text) <= MOST_METADATA else ""


def _checksum(algorithm: str, value: str, kind: str) -> Checksum:
    return Checksum(algorithm, kind or ("COMPOSITE" if _COMPOSITE.fullmatch(value) else "FULL_OBJECT"), value)


def list_page(answer: Mapping[str, Any]) -> ListPage:
    """One ListObjectsV2 answer as botocore parses it, keys still URL-encoded where the answer says so.

    An answer without any of its members was no listing at all. botocore reads any spelling but "true" as
    False: a token says that more follows.
    """
    entries: list[ObjectRef] = []
    unusable: list[UnusableEntry] = []
    encoded = answer.get("EncodingType") == "url"
    for one in answer.get("Contents", ()):
        key, wrong = decoded_key(one["Key"]) if encoded else (one["Key"], "")
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


def _entry(key: str, one: Mapping[str, Any]) -> ObjectRef:
    restore = one.get("RestoreStatus", {})
    return ObjectRef(
        key=key,
        size=one.get("Size", 0),
        etag=one.get("ETag", ""),
        last_modified=_epoch(one.get("LastModified")),
        storage_class=one.get("StorageClass", "STANDARD"),
        checksum_type=one.get("ChecksumType", ""),
        restored="RestoreExpiryDate" in restore and not restore.get("IsRestoreInProgress", False),
    )


def part_layout(pages: list[Mapping[str, Any]]) -> PartLayout | None:
    """The parts of all pages of GetObjectAttributes, or None where they do not account for the object."""
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


def _epoch(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _number(text: str | None) -> int | None:
    if text is None or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdecimal()):
        return None
    return int(text)
