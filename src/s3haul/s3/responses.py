"""Converts headers and parsed bodies of S3 responses to the records of `models`. Sends nothing.

Checksums are read from the raw headers, because the SDK knows only five of the ten algorithms. Sources: S3 service
model 2006-03-01 and recorded responses.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from s3haul.core.checksums import MAX_PARTS
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import (
    Checksum,
    ListPage,
    ObjectMeta,
    ObjectRef,
    Part,
    PartLayout,
    UnusableEntry,
    VersionEntry,
    VersionPage,
)
from s3haul.s3.faults import http_date
from s3haul.s3.list_pages import decoded_key

MOST_METADATA = 8192  # characters that are kept of one object; S3 takes 2 KB
_PREFIX = "x-amz-checksum-"
# The last one is a parameter of uploads that some servers send back.
_NO_CHECKSUM = frozenset({_PREFIX + "type", _PREFIX + "mode", _PREFIX + "algorithm"})
_METADATA = "x-amz-meta-"
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)
_MOST_DIGITS = 19  # of a number that fits into 64 bits
_COMPOSITE = re.compile(r".+-\d+", re.ASCII)
_LIST_MEMBERS = frozenset({"Name", "KeyCount", "MaxKeys", "IsTruncated", "Contents", "CommonPrefixes"})
PARTS_PER_PAGE = 1000
ATTRIBUTES = ("Checksum", "ObjectParts", "ObjectSize")
_NOT_ABOUT_PARTS = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "RequestTimeout"})
_NO_LAYOUT = frozenset({"AccessDenied", "NotImplemented", "MethodNotAllowed"})
# Fetches the page after this part number (None: the first page), in the form that botocore returns.
AskPage = Callable[[int | None], Awaitable[Mapping[str, Any]]]


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


def checksums(headers: Mapping[str, str]) -> tuple[Checksum, ...]:
    """All checksum headers. If the server sends no type, "-N" at the end of the value means COMPOSITE."""
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
    """One ListObjectsV2 response as botocore parses it; keys are still URL-encoded if the response says so.

    If the response has no member of a listing, `empty_answer` is true. botocore reads every IsTruncated except "true"
    as False, so a token also means that more pages follow.
    """
    entries: list[ObjectRef] = []
    unusable: list[UnusableEntry] = []
    encoded = answer.get("EncodingType") == "url"
    for one in answer.get("Contents", ()):
        key, wrong = decoded_key(one["Key"]) if encoded else (one["Key"], "")
        if wrong or "Size" not in one:
            unusable.append(UnusableEntry(key, wrong or "the listing gives no size"))
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
    """One ListObjectVersions answer as botocore parses it: versions and delete markers apart, so that their order is
    that of their times."""
    entries: list[VersionEntry] = []
    unusable: list[UnusableEntry] = []
    encoded = answer.get("EncodingType") == "url"
    for name in ("Versions", "DeleteMarkers"):
        for one in answer.get(name, ()):
            key, wrong = decoded_key(one["Key"]) if encoded else (one["Key"], "")
            if wrong:
                unusable.append(UnusableEntry(key, wrong))
                continue
            deleted = name == "DeleteMarkers"  # a delete marker has no Size
            ref = _entry(key, {"Size": 0, **one} if deleted else one)._replace(version_id=one["VersionId"])
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


def _epoch(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _number(text: str | None) -> int | None:
    if text is None or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdecimal()):
        return None
    return int(text)


async def read_layout(ask: AskPage) -> PartLayout | None:
    """Fetch all pages. None if the server does not support them, or permission is missing. Raises `StoreError`."""
    pages: list[Mapping[str, Any]] = []
    marker: int | None = None
    while True:
        try:
            page = await ask(marker)
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
    refused = fault.code in _NO_LAYOUT or (fault.status == 400 and fault.code not in _NOT_ABOUT_PARTS)
    return fault.kind is FaultKind.HTTP and refused
