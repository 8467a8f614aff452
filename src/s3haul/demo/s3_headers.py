"""The headers that describe a stored object, on reads and on writes."""

from email.utils import formatdate

from s3haul.demo.messages import Headers
from s3haul.demo.model import ObjectVersion
from s3haul.demo.s3_gate import S3Call


def object_headers(call: S3Call, stored: ObjectVersion) -> Headers:
    """For GetObject and HeadObject."""
    headers: Headers = [
        ("Last-Modified", formatdate(stored.last_modified, usegmt=True)),
        ("Accept-Ranges", "bytes"),
        ("Content-Type", stored.content_type),
        *storage_headers(call, stored),
    ]
    if stored.storage_class != "STANDARD":
        headers.append(("x-amz-storage-class", stored.storage_class))
    if stored.archive_status:
        headers.append(("x-amz-archive-status", stored.archive_status))
    if stored.restore is not None:
        headers.append(("x-amz-restore", _restore(stored.restore)))
    if stored.content_encoding:
        headers.append(("Content-Encoding", stored.content_encoding))
    headers.extend((f"x-amz-meta-{name}", value) for name, value in stored.metadata)
    return headers


def storage_headers(call: S3Call, stored: ObjectVersion) -> Headers:
    """ETag, encryption, version and who pays: for reads and writes alike."""
    headers: Headers = [("ETag", f'"{stored.etag}"'), ("x-amz-server-side-encryption", stored.sse)]
    if stored.kms_key:
        headers.append(("x-amz-server-side-encryption-aws-kms-key-id", stored.kms_key))
    if stored.bucket_key:
        headers.append(("x-amz-server-side-encryption-bucket-key-enabled", "true"))
    if call.bucket.versioned:
        headers.append(("x-amz-version-id", stored.version_id))
    if call.bucket.requester_pays:
        headers.append(("x-amz-request-charged", "requester"))
    return headers


def _restore(restore: float | str) -> str:
    if isinstance(restore, str):
        return 'ongoing-request="true"'
    return f'ongoing-request="false", expiry-date="{formatdate(restore, usegmt=True)}"'
