"""ListObjectsV2: one page as a record, and its XML. Keys in UTF-8 byte order, prefixes rolled up.

The page is a record first so that `effects` can disturb it before it becomes XML.
"""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from s3haul.demo.errors import invalid_argument
from s3haul.demo.messages import Answer
from s3haul.demo.model import Bucket, ObjectVersion
from s3haul.demo.render import Tree, iso_time, s3_document, url_encoded
from s3haul.demo.s3_gate import S3Call, require

_MOST = 1000
_MARK = "1+/"


@dataclass(slots=True)
class Page:
    """One page. `resume` maps onto the continuation token: the last key or common prefix of the page."""

    entries: list[ObjectVersion] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    resume: str | None = None
    token: str | None = None
    key_count: int = 0


def list_page(call: S3Call) -> Page:
    """Raises CloudError where s3:ListBucket is missing or a parameter is wrong."""
    require(call, "s3:ListBucket")
    query = call.request.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token")
    after = _decoded_token(token) if token is not None else query.get("start-after", "")
    page = Page()
    limit = max_keys(query.get("max-keys", str(_MOST)))
    last = after
    for name, stored in _names(call.bucket, prefix, delimiter, after):
        if len(page.entries) + len(page.prefixes) == limit:
            page.resume = last if limit else None
            break
        if stored is None:
            page.prefixes.append(name)
        else:
            page.entries.append(stored)
        last = name
    page.token = encoded_token(page.resume) if page.resume is not None else None
    page.key_count = len(page.entries) + len(page.prefixes)
    return page


def _names(
    bucket: Bucket, prefix: str, delimiter: str, after: str
) -> Iterator[tuple[str, ObjectVersion | None]]:
    """Keys, and common prefixes (with None), that follow `after`, in order."""
    keys = bucket.sorted_keys()
    position = max(bisect_left(keys, prefix), bisect_right(keys, after) if after else 0)
    while position < len(keys) and keys[position].startswith(prefix):
        key = keys[position]
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            common = key[: cut + len(delimiter)]
            position = bisect_left(keys, _beyond(common), position)
            if not after.startswith(common):
                yield common, None
            continue
        position += 1
        stored = bucket.current(key)
        if stored is not None:
            yield key, stored


def _beyond(prefix: str) -> str:
    """The least string above every string that starts with `prefix`."""
    last = ord(prefix[-1]) + 1
    if 0xD800 <= last <= 0xDFFF:
        last = 0xE000
    return prefix + "\U0010ffff" if last > 0x10FFFF else prefix[:-1] + chr(last)


def render_page(call: S3Call, page: Page) -> Answer:
    query = call.request.query
    encoding = query.get("encoding-type", "")
    if encoding not in ("", "url"):
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding)
    shown = url_encoded if encoding else str
    branches: dict[str, str | Tree | list[Tree]] = {
        "Name": call.bucket.name,
        "Prefix": shown(query.get("prefix", "")),
    }
    for element, parameter in (("StartAfter", "start-after"), ("Delimiter", "delimiter")):
        if query.get(parameter):
            branches[element] = shown(query[parameter])
    if "continuation-token" in query:
        branches["ContinuationToken"] = query["continuation-token"]
    if page.token is not None:
        branches["NextContinuationToken"] = page.token
    branches["KeyCount"] = str(page.key_count)
    branches["MaxKeys"] = str(max_keys(query.get("max-keys", str(_MOST))))
    if encoding:
        branches["EncodingType"] = encoding
    branches["IsTruncated"] = "true" if page.resume is not None else "false"
    branches["Contents"] = [_entry(call, stored, shown(stored.key)) for stored in page.entries]
    branches["CommonPrefixes"] = [{"Prefix": shown(common)} for common in page.prefixes]
    answer = s3_document("ListBucketResult", branches)
    answer.headers.append(("x-amz-bucket-region", call.bucket.region))
    if call.bucket.requester_pays:
        answer.headers.append(("x-amz-request-charged", "requester"))
    return answer


def _entry(call: S3Call, stored: ObjectVersion, key: str) -> Tree:
    entry: dict[str, str | Tree | list[Tree]] = {
        "Key": key,
        "LastModified": iso_time(stored.last_modified),
        "ETag": f'"{stored.etag}"',
    }
    if stored.checksum is not None:
        entry["ChecksumAlgorithm"] = stored.checksum.algorithm
        entry["ChecksumType"] = stored.checksum.type
    entry["Size"] = str(stored.size)
    if call.request.query.get("fetch-owner") == "true":
        entry["Owner"] = {"ID": stored.owner or call.bucket.account}
    entry["StorageClass"] = stored.storage_class
    wanted = call.request.header("x-amz-optional-object-attributes")
    if "RestoreStatus" in wanted and stored.restore is not None:
        entry["RestoreStatus"] = restore_status(stored.restore)
    return entry


def restore_status(restore: float | str) -> Tree:
    if isinstance(restore, str):
        return {"IsRestoreInProgress": "true"}
    return {"IsRestoreInProgress": "false", "RestoreExpiryDate": iso_time(restore)}


def encoded_token(resume: str) -> str:
    """Opaque to clients, and with characters that a careless client forgets to encode."""
    return _MARK + base64.b64encode(resume.encode()).decode()


def _decoded_token(token: str) -> str:
    wrong = invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
    if not token.startswith(_MARK):
        raise wrong
    try:
        return base64.b64decode(token.removeprefix(_MARK), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise wrong from None


def max_keys(given: str) -> int:
    if not given.isdecimal():
        raise invalid_argument("Provided max-keys not an integer or within integer range", "max-keys", given)
    return min(int(given), _MOST)
