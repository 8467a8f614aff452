"""GetObject and HeadObject: whole, Range, partNumber, versionId, preconditions,
and which checksum goes along.

The checksum rules are those that were recorded from S3: a value for the whole object and for a Range that
covers all of it; a part's own value for partNumber of a COMPOSITE object; none for other ranges.
"""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from s3haul.demo.checksums import COMPOSITE
from s3haul.demo.content import Slice
from s3haul.demo.errors import (
    CloudError,
    invalid_argument,
    invalid_object_state,
    invalid_part_number,
    invalid_range,
    invalid_request,
    precondition_failed,
)
from s3haul.demo.kms import check_decrypt
from s3haul.demo.messages import Answer, Headers, Request
from s3haul.demo.model import ObjectVersion
from s3haul.demo.s3_gate import S3Call, find_object
from s3haul.demo.s3_headers import object_headers

KMS_NEEDS = "Requests specifying Server Side Encryption with AWS KMS managed keys "
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Selection:
    """The bytes that a request selects, `last` exclusive. `part` is 0 unless partNumber was asked for."""

    start: int
    last: int
    partial: bool = False
    part: int = 0


def get_object(call: S3Call) -> Answer:
    return _read(call, head=False)


def head_object(call: S3Call) -> Answer:
    return _read(call, head=True)


def _read(call: S3Call, *, head: bool) -> Answer:
    request = call.request
    if request.header("x-amz-server-side-encryption"):
        message = "x-amz-server-side-encryption header is not supported for this operation."
        raise invalid_argument(message, "x-amz-server-side-encryption", "")
    stored = find_object(call)
    _check_conditions(request, stored)
    if not head and stored.archived(call.now):
        raise invalid_object_state(stored.storage_class, stored.archive_status)
    wants_checksum = request.header("x-amz-checksum-mode").upper() == "ENABLED"
    if stored.kms_key and (not head or wants_checksum):
        check_transport(call)
        check_decrypt(call, stored)
    selection = select(request, stored)
    headers = object_headers(call, stored) + _selection_headers(stored, selection)
    if wants_checksum:
        headers.extend(checksum_headers(stored, selection))
    size = selection.last - selection.start
    status = 206 if selection.partial else 200
    if head:
        return Answer(status, headers, length=size)
    return Answer(status, headers, Slice(stored.content, selection.start, size))


def check_transport(call: S3Call) -> None:
    """KMS objects are served over TLS and to signed requests only."""
    if not call.caller.account:
        raise invalid_argument(KMS_NEEDS + "require AWS Signature Version 4.")
    if not call.request.secure:
        raise invalid_argument(KMS_NEEDS + "must be made over a secure connection.")


def select(request: Request, stored: ObjectVersion) -> Selection:
    """What Range or partNumber selects. A Range that makes no sense is ignored, as S3 does."""
    given, part = request.range, request.query.get("partNumber")
    if part is not None:
        if given:
            raise invalid_request("Cannot specify both Range header and partNumber query parameter")
        return _select_part(part, stored)
    match = _RANGE.fullmatch(given)
    if match is None or match.groups() == ("", ""):
        return Selection(0, stored.size)
    first, last = match.groups()
    if not first:
        wanted = int(last)
        if not wanted or not stored.size:
            raise invalid_range(given, stored.size)
        return Selection(max(0, stored.size - wanted), stored.size, partial=True)
    if last and int(last) < int(first):
        return Selection(0, stored.size)
    if int(first) >= stored.size:
        raise invalid_range(given, stored.size)
    end = min(int(last) + 1, stored.size) if last else stored.size
    return Selection(int(first), end, partial=True)


def _select_part(part: str, stored: ObjectVersion) -> Selection:
    if not part.isdecimal() or not 1 <= int(part) <= 10_000:
        message = "Part number must be an integer between 1 and 10000, inclusive"
        raise invalid_argument(message, "partNumber", part)
    number = int(part)
    sizes = stored.part_sizes or (stored.size,)
    if number > len(sizes):
        raise invalid_part_number(number, len(sizes))
    start, size = sum(sizes[: number - 1]), sizes[number - 1]
    return Selection(start, start + size, partial=size > 0, part=number)


def checksum_headers(stored: ObjectVersion, selection: Selection) -> Headers:
    checksum = stored.checksum
    if checksum is None:
        return []
    value = _checksum_value(stored, selection)
    return [(checksum.header, value), ("x-amz-checksum-type", checksum.type)] if value else []


def _checksum_value(stored: ObjectVersion, selection: Selection) -> str:
    """The value that this answer carries; "" for none."""
    checksum = stored.checksum
    assert checksum is not None
    composite = checksum.type == COMPOSITE
    if not selection.partial:
        return f"{checksum.value}-{len(stored.part_sizes)}" if composite else checksum.value
    if selection.part:
        if composite:
            return checksum.part_values[selection.part - 1]
        return checksum.value if len(stored.part_sizes) <= 1 else ""
    if (selection.start, selection.last) == (0, stored.size):
        return checksum.value
    part = _aligned_part(stored, selection) if composite else None
    return checksum.part_values[part] if part is not None else ""


def _aligned_part(stored: ObjectVersion, selection: Selection) -> int | None:
    """The index of the part that the range is exactly, if it is one."""
    start = 0
    for index, size in enumerate(stored.part_sizes):
        if start == selection.start:
            return index if start + size == selection.last else None
        start += size
    return None


def _check_conditions(request: Request, stored: ObjectVersion) -> None:
    etag = stored.etag
    if_match = request.header("if-match")
    if if_match and not _names(if_match, etag):
        raise precondition_failed("If-Match")
    if not if_match and _later(stored.last_modified, request.header("if-unmodified-since")):
        raise precondition_failed("If-Unmodified-Since")
    if_none = request.header("if-none-match")
    since = request.header("if-modified-since")
    if (if_none and _names(if_none, etag)) or (
        not if_none and since and not _later(stored.last_modified, since)
    ):
        raise CloudError(304, "NotModified", "Not Modified", headers={"ETag": f'"{etag}"'})


def _names(condition: str, etag: str) -> bool:
    return any(entry.strip().strip('"') in ("*", etag) for entry in condition.split(","))


def _later(moment: float, than: str) -> bool:
    if not than:
        return False
    try:
        return int(moment) > parsedate_to_datetime(than).timestamp()
    except ValueError:
        return False


def _selection_headers(stored: ObjectVersion, selection: Selection) -> Headers:
    if not selection.partial:
        return []
    headers = [("Content-Range", f"bytes {selection.start}-{selection.last - 1}/{stored.size}")]
    if selection.part and stored.part_sizes:
        headers.append(("x-amz-mp-parts-count", str(len(stored.part_sizes))))
    return headers
