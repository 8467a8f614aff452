"""ListObjectVersions: one page of all versions and delete markers, by key, of each key the newest first."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from s3haul.demo.errors import invalid_argument
from s3haul.demo.messages import Answer
from s3haul.demo.model import Bucket, ObjectVersion
from s3haul.demo.render import element, iso_time, s3_body, tree, url_encoded
from s3haul.demo.s3_gate import S3Call, require
from s3haul.demo.s3_list import max_keys, restore_status


def list_versions(call: S3Call) -> Answer:
    """Raises CloudError where s3:ListBucketVersions is missing or a parameter is wrong."""
    require(call, "s3:ListBucketVersions")
    query = call.request.query
    encoding = query.get("encoding-type", "")
    if encoding not in ("", "url"):
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding)
    shown = url_encoded if encoding else str
    prefix, limit = query.get("prefix", ""), max_keys(query.get("max-keys", "1000"))
    following = _following(
        call.bucket, prefix, query.get("key-marker", ""), query.get("version-id-marker", "")
    )
    page = list(islice(following, limit))
    more = bool(page) and next(following, None) is not None
    head = {"Name": call.bucket.name, "Prefix": shown(prefix), "MaxKeys": str(limit)}
    if encoding:
        head["EncodingType"] = encoding
    head["IsTruncated"] = str(more).lower()
    if more:
        head["NextKeyMarker"] = shown(page[-1].key)
        head["NextVersionIdMarker"] = page[-1].version_id
    entries = "".join(_entry(call, stored, shown(stored.key)) for stored in page)
    return s3_body("ListVersionsResult", tree(head) + entries)


def _following(bucket: Bucket, prefix: str, after: str, version: str) -> Iterator[ObjectVersion]:
    """What comes behind a marker: behind that version of its key,
    or behind the key where no version is given."""
    keys = bucket.sorted_keys()
    for key in keys[bisect_left(keys, max(prefix, after)) :]:
        if not key.startswith(prefix):
            return
        versions = bucket.objects[key][::-1]
        if key == after:
            ids = [stored.version_id for stored in versions]
            versions = versions[ids.index(version) + 1 :] if version in ids else []
        yield from versions


def _entry(call: S3Call, stored: ObjectVersion, key: str) -> str:
    latest = stored is call.bucket.objects[stored.key][-1]
    common = element("Key", key)
    common += element("VersionId", stored.version_id) + element("IsLatest", str(latest).lower())
    common += element("LastModified", iso_time(stored.last_modified))
    if stored.delete_marker:
        return f"<DeleteMarker>{common}</DeleteMarker>"
    common += element("ETag", f'"{stored.etag}"') + element("Size", str(stored.size))
    common += element("StorageClass", stored.storage_class)
    wanted = call.request.header("x-amz-optional-object-attributes")
    if "RestoreStatus" in wanted and stored.restore is not None:
        common += tree({"RestoreStatus": restore_status(stored.restore)})
    return f"<Version>{common}</Version>"
