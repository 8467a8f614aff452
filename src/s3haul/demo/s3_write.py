"""PutObject and multipart upload: enough of them that tests and SDKs can seed a bucket over the wire."""

import base64
import binascii
import hashlib
import secrets
import xml.etree.ElementTree as ET
from typing import Any

from s3haul.demo import checksums
from s3haul.demo.content import Literal
from s3haul.demo.errors import (
    CloudError,
    bad_digest,
    invalid_argument,
    invalid_request,
    no_such_upload,
)
from s3haul.demo.kms import check_use
from s3haul.demo.messages import Answer, Headers
from s3haul.demo.model import ObjectVersion, Upload
from s3haul.demo.render import s3_document
from s3haul.demo.s3_gate import S3Call, require
from s3haul.demo.s3_headers import storage_headers
from s3haul.demo.s3_read import check_transport

_PREFIX = "x-amz-checksum-"
_META = "x-amz-meta-"


def put_object(call: S3Call) -> Answer:
    request = call.request
    require(call, "s3:PutObject", request.key)
    attributes = _attributes(call)
    body, trailers = _payload(call)
    _check_md5(call, body)
    named = _named_checksum(call, trailers)
    if named is not None:
        algorithm, value = named
        if checksums.text(checksums.digest(algorithm, Literal(body))) != value:
            raise bad_digest(algorithm)
        attributes["checksum"] = algorithm
    stored = call.cloud.put(call.bucket.name, request.key, body, **attributes)
    return Answer(200, _stored_headers(call, stored))


def create_upload(call: S3Call) -> Answer:
    request = call.request
    require(call, "s3:PutObject", request.key)
    attributes = _attributes(call)
    algorithm = request.header("x-amz-checksum-algorithm").upper()
    if algorithm:
        _check_known(algorithm)
        attributes["checksum"] = algorithm
    if request.header("x-amz-checksum-type"):
        attributes["checksum_type"] = request.header("x-amz-checksum-type")
    upload_id = secrets.token_urlsafe(48)
    call.bucket.uploads[upload_id] = Upload(request.key, attributes)
    branches = {"Bucket": call.bucket.name, "Key": request.key, "UploadId": upload_id}
    return s3_document("InitiateMultipartUploadResult", branches)


def upload_part(call: S3Call) -> Answer:
    request = call.request
    require(call, "s3:PutObject", request.key)
    upload = _upload(call)
    number = request.query["partNumber"]
    if not number.isdecimal() or not 1 <= int(number) <= 10_000:
        message = "Part number must be an integer between 1 and 10000, inclusive"
        raise invalid_argument(message, "partNumber", number)
    body, trailers = _payload(call)
    headers: Headers = [("ETag", f'"{_part_etag(body)}"')]
    named = _named_checksum(call, trailers)
    if named is not None:
        algorithm, value = named
        if checksums.text(checksums.digest(algorithm, Literal(body))) != value:
            raise bad_digest(algorithm)
        headers.append((_PREFIX + algorithm.lower(), value))
    upload.parts[int(number)] = body
    return Answer(200, headers)


def complete_upload(call: S3Call) -> Answer:
    request = call.request
    require(call, "s3:PutObject", request.key)
    upload = _upload(call)
    parts = [upload.parts.get(number) for number in _completed_numbers(request.body)]
    bodies = [part for part in parts if part is not None]
    if not bodies or len(bodies) != len(parts):
        message = "One or more of the specified parts could not be found."
        raise CloudError(400, "InvalidPart", message)
    sizes = tuple(len(part) for part in bodies)
    del call.bucket.uploads[request.query["uploadId"]]
    stored = call.cloud.put(
        call.bucket.name, upload.key, b"".join(bodies), part_sizes=sizes, **upload.attributes
    )
    branches = {"Bucket": call.bucket.name, "Key": stored.key, "ETag": f'"{stored.etag}"'}
    answer = s3_document("CompleteMultipartUploadResult", branches)
    answer.headers.extend(_stored_headers(call, stored))
    return answer


def _attributes(call: S3Call) -> dict[str, Any]:
    """What the headers say about the object, as arguments of `Cloud.put`; checks the KMS right."""
    request, bucket = call.request, call.bucket
    if not 1 <= len(request.key.encode()) <= 1024:
        raise CloudError(400, "KeyTooLongError", "Your key is too long")
    sse = request.header("x-amz-server-side-encryption")
    kms_key = request.header("x-amz-server-side-encryption-aws-kms-key-id")
    if not sse and bucket.default_key:
        sse = "aws:kms"
    if sse not in ("", "AES256", "aws:kms", "aws:kms:dsse"):
        message = "The encryption method specified is not supported"
        raise invalid_argument(message, "x-amz-server-side-encryption", sse)
    if sse.startswith("aws:kms"):
        kms_key = kms_key or bucket.default_key
        check_transport(call)
        arn = f"{bucket.arn}/{request.key}"
        check_use(call, "kms:GenerateDataKey", kms_key, arn)
    metadata = sorted(
        (name.lower()[len(_META) :], value)
        for name, value in request.headers.items()
        if name.lower().startswith(_META)
    )
    flag = request.header("x-amz-server-side-encryption-bucket-key-enabled")
    return {
        "sse": sse or "AES256",
        "kms_key": kms_key,
        "bucket_key": flag.lower() == "true",
        "storage_class": request.header("x-amz-storage-class") or "STANDARD",
        "content_type": request.header("content-type") or "binary/octet-stream",
        "content_encoding": _stored_encoding(request.header("content-encoding")),
        "metadata": tuple(metadata),
    }


def _stored_encoding(header: str) -> str:
    """aws-chunked is an encoding of the upload, not of the object."""
    return ",".join(part.strip() for part in header.split(",") if part.strip() not in ("", "aws-chunked"))


def _payload(call: S3Call) -> tuple[bytes, dict[str, str]]:
    """The body and, for aws-chunked uploads, the trailing headers."""
    request = call.request
    if not request.header("x-amz-content-sha256").startswith("STREAMING-"):
        return request.body, {}
    body, trailers = _unchunked(request.body)
    expected = request.header("x-amz-decoded-content-length")
    if expected != str(len(body)):
        message = "You did not provide the number of bytes specified by the Content-Length HTTP header."
        raise CloudError(400, "IncompleteBody", message)
    return body, trailers


def _unchunked(raw: bytes) -> tuple[bytes, dict[str, str]]:
    chunks, position = [], 0
    while True:
        head, found, _ = raw[position : position + 256].partition(b"\r\n")
        try:
            size = int(head.split(b";")[0], 16)
        except ValueError:
            raise invalid_request("The chunked body is malformed.") from None
        if not found:
            raise invalid_request("The chunked body is malformed.")
        position += len(head) + 2
        if size == 0:
            break
        chunks.append(raw[position : position + size])
        position += size + 2
    lines = raw[position:].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return b"".join(chunks), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _named_checksum(call: S3Call, trailers: dict[str, str]) -> tuple[str, str] | None:
    """The checksum that the uploader sent, as (algorithm, base64)."""
    values = {name.lower(): value for name, value in call.request.headers.items()} | trailers
    for algorithm in checksums.ALGORITHMS:
        value = values.get(_PREFIX + algorithm.lower())
        if value is not None:
            return algorithm, value
    return None


def _check_known(algorithm: str) -> None:
    if algorithm not in checksums.ALGORITHMS:
        raise invalid_request("Checksum algorithm provided is unsupported. Please try again.")


def _check_md5(call: S3Call, body: bytes) -> None:
    given = call.request.header("content-md5")
    if not given:
        return
    try:
        claimed = base64.b64decode(given, validate=True)
    except binascii.Error:
        raise CloudError(400, "InvalidDigest", "The Content-MD5 you specified was invalid.") from None
    if claimed != hashlib.md5(body, usedforsecurity=False).digest():
        raise bad_digest("Content-MD5")


def _upload(call: S3Call) -> Upload:
    upload_id = call.request.query["uploadId"]
    upload = call.bucket.uploads.get(upload_id)
    if upload is None or upload.key != call.request.key:
        raise no_such_upload(upload_id)
    return upload


def _completed_numbers(body: bytes) -> list[int]:
    malformed = CloudError(400, "MalformedXML", "The XML you provided was not well-formed.")
    try:
        root = ET.fromstring(body)  # noqa: S314 - expat expands no external entity; the caller is signed
    except ET.ParseError:
        raise malformed from None
    texts = [element.text or "" for element in root.iter() if element.tag.endswith("PartNumber")]
    numbers = [int(text) for text in texts if text.isdecimal()]
    if len(numbers) != len(texts):
        raise malformed
    if numbers != sorted(set(numbers)):
        message = "The list of parts was not in ascending order."
        raise CloudError(400, "InvalidPartOrder", message)
    return numbers


def _part_etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _stored_headers(call: S3Call, stored: ObjectVersion) -> Headers:
    headers = storage_headers(call, stored)
    if stored.checksum is not None and not stored.part_sizes:
        headers.append((stored.checksum.header, stored.checksum.value))
        headers.append(("x-amz-checksum-type", stored.checksum.type))
    return headers
