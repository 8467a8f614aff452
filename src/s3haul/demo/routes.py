"""Which operation a request is, and the S3 operations by name.
The table is the whole surface of the demo S3."""

from collections.abc import Callable, Mapping

from s3haul.demo.errors import not_implemented
from s3haul.demo.messages import Answer, Request
from s3haul.demo.s3_attributes import get_object_attributes
from s3haul.demo.s3_gate import S3Call, require
from s3haul.demo.s3_read import get_object, head_object
from s3haul.demo.s3_versions import list_versions
from s3haul.demo.s3_write import complete_upload, create_upload, put_object, upload_part


def head_bucket(call: S3Call) -> Answer:
    require(call, "s3:ListBucket")
    headers = [("x-amz-bucket-region", call.bucket.region), ("Content-Type", "application/xml")]
    return Answer(200, headers)


# ListObjectsV2 is not here: its page passes through `effects` before it becomes an answer.
OPERATIONS: dict[str, Callable[[S3Call], Answer]] = {
    "CompleteMultipartUpload": complete_upload,
    "CreateMultipartUpload": create_upload,
    "GetObject": get_object,
    "GetObjectAttributes": get_object_attributes,
    "HeadBucket": head_bucket,
    "HeadObject": head_object,
    "ListObjectVersions": list_versions,
    "PutObject": put_object,
    "UploadPart": upload_part,
}


# Each makes another operation of a request that looks like one of those above.
_OTHER_QUERIES = frozenset(
    {"acl", "legal-hold", "renameObject", "restore", "retention", "select", "tagging", "torrent"}
)
_OTHER_HEADERS = frozenset({"x-amz-copy-source", "x-amz-server-side-encryption-customer-algorithm"})


def operation(request: Request) -> str:
    """AWS's name of the S3 operation. Raises NotImplemented for what the demo does not serve."""
    method, query = request.method, request.query
    if not request.bucket or _OTHER_QUERIES & query.keys() or _OTHER_HEADERS & request.headers.keys():
        raise not_implemented()
    if not request.key:
        return _of_bucket(method, query)
    if method == "GET":
        return "GetObjectAttributes" if "attributes" in query else "GetObject"
    if method == "HEAD":
        return "HeadObject"
    if method == "PUT":
        return "UploadPart" if "uploadId" in query else "PutObject"
    if method == "POST" and "uploads" in query:
        return "CreateMultipartUpload"
    if method == "POST" and "uploadId" in query:
        return "CompleteMultipartUpload"
    raise not_implemented()


def _of_bucket(method: str, query: Mapping[str, str]) -> str:
    if method == "HEAD":
        return "HeadBucket"
    if method == "GET" and query.get("list-type") == "2":
        return "ListObjectsV2"
    if method == "GET" and "versions" in query:
        return "ListObjectVersions"
    raise not_implemented()
