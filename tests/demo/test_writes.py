"""Uploads over the wire as SDKs make them: single, chunked with trailer, multipart."""

import base64
import hashlib
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo.harness import OWNER_A, Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud

BODY = b"the body" * 1000


@pytest.fixture
def s3(clients: Clients) -> Any:
    return clients.s3(OWNER_A)


def test_a_put_of_todays_boto_stores_a_full_object_crc32(cloud: Cloud, s3: Any) -> None:
    s3.put_object(Bucket=seed.BUCKET, Key="k", Body=BODY, Metadata={"note": "x"}, ContentType="text/plain")
    stored = cloud.buckets[seed.BUCKET].current("k")
    assert stored is not None
    assert stored.content.read(0, 10_000) == BODY
    assert (stored.sse, stored.kms_key, stored.metadata) == ("aws:kms", seed.KMS_KEY_ARN, (("note", "x"),))
    got = s3.get_object(Bucket=seed.BUCKET, Key="k", ChecksumMode="ENABLED")
    assert got["ChecksumCRC32"] == base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
    assert (got["ChecksumType"], got["ContentType"]) == ("FULL_OBJECT", "text/plain")
    assert "ContentEncoding" not in got
    assert got["Body"].read() == BODY


def test_a_put_without_a_checksum_stores_crc64nvme(clients: Clients) -> None:
    s3 = clients.s3(OWNER_A, request_checksum_calculation="when_required")
    put = s3.put_object(Bucket=seed.BUCKET, Key="k", Body=BODY)
    assert (put["ChecksumType"], "ChecksumCRC64NVME" in put) == ("FULL_OBJECT", True)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_put_keeps_the_checksum_that_the_uploader_named(s3: Any, algorithm: str) -> None:
    put = s3.put_object(Bucket=seed.BUCKET, Key="k", Body=BODY, ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=seed.BUCKET, Key="k", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]


def test_a_put_with_a_wrong_checksum_or_md5_is_refused(clients: Clients) -> None:
    s3 = clients.s3(OWNER_A, request_checksum_calculation="when_required")
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=seed.BUCKET, Key="k", Body=BODY, ChecksumSHA256=wrong)
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=seed.BUCKET, Key="k", Body=BODY, ContentMD5=md5)


def test_storage_class_and_encryption_are_kept(s3: Any) -> None:
    ask = {"Bucket": seed.BUCKET, "Key": "k"}
    s3.put_object(**ask, Body=BODY, StorageClass="STANDARD_IA", ServerSideEncryption="AES256")
    head = s3.head_object(**ask)
    assert (head["StorageClass"], head["ServerSideEncryption"]) == ("STANDARD_IA", "AES256")
    assert head["ETag"] == f'"{hashlib.md5(BODY).hexdigest()}"'
    s3.put_object(
        **ask, Body=BODY, SSEKMSKeyId=seed.KMS_KEY_ARN, ServerSideEncryption="aws:kms", BucketKeyEnabled=True
    )
    head = s3.head_object(**ask)
    assert (head["SSEKMSKeyId"], head["BucketKeyEnabled"]) == (seed.KMS_KEY_ARN, True)
    with pytest.raises(ClientError, match=r"KMS\.NotFoundException"):
        s3.put_object(**ask, Body=BODY, SSEKMSKeyId="none", ServerSideEncryption="aws:kms")


def test_a_multipart_upload_stores_parts_and_a_composite_checksum(cloud: Cloud, s3: Any) -> None:
    ask = {"Bucket": seed.BUCKET, "Key": "m"}
    upload = s3.create_multipart_upload(**ask, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, size in ((1, 5000), (2, 3000)):
        done = s3.upload_part(
            **ask, UploadId=upload, PartNumber=number, Body=b"p" * size, ChecksumAlgorithm="SHA256"
        )
        parts.append({"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]})
    assert cloud.buckets[seed.BUCKET].current("m") is None
    s3.complete_multipart_upload(**ask, UploadId=upload, MultipartUpload={"Parts": parts})
    head = s3.head_object(**ask, ChecksumMode="ENABLED")
    raw = b"".join(hashlib.sha256(b"p" * size).digest() for size in (5000, 3000))
    assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(raw).digest()).decode() + "-2"
    assert (head["ContentLength"], head["ETag"][-3:]) == (8000, '-2"')
    assert s3.get_object(**ask, PartNumber=2)["Body"].read() == b"p" * 3000
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.complete_multipart_upload(**ask, UploadId=upload, MultipartUpload={"Parts": parts})


def test_a_multipart_upload_completes_only_with_its_parts_in_order(s3: Any) -> None:
    ask = {"Bucket": seed.BUCKET, "Key": "m"}
    ask["UploadId"] = s3.create_multipart_upload(**ask)["UploadId"]
    for number in (1, 2):
        s3.upload_part(**ask, PartNumber=number, Body=b"p")
    for numbers, code in (([2, 1], "InvalidPartOrder"), ([1, 3], "InvalidPart")):
        parts = {"Parts": [{"PartNumber": number, "ETag": "e"} for number in numbers]}
        with pytest.raises(ClientError) as caught:
            s3.complete_multipart_upload(**ask, MultipartUpload=parts)
        assert caught.value.response["Error"]["Code"] == code


def test_a_reader_may_not_write(clients: Clients) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        clients.s3().put_object(Bucket=seed.BUCKET, Key="k", Body=BODY)


def test_a_key_longer_than_s3_allows_is_refused(s3: Any) -> None:
    with pytest.raises(ClientError, match="KeyTooLongError"):
        s3.put_object(Bucket=seed.BUCKET, Key="k" * 1025, Body=BODY)
