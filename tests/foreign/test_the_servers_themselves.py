"""What the foreign servers do as S3 does it, as far as the other tests of this directory rely on it.

Plain botocore asks; nothing of s3haul takes part.
"""

from datetime import timedelta
from pathlib import Path

import botocore.auth
import botocore.crt.auth
import pytest
from botocore.compat import get_current_datetime

from contract.stored import digest, text
from contract.suite import ALGORITHMS, COMPOSITE_ALGORITHMS
from foreign.asking import body_of, listed, refusal
from foreign.clients import Credentials
from foreign.process import listening

FIRST_PART = bytes(range(256)) * (5 * 1024 * 1024 // 256)
LAST_PART = b"the last part"


@pytest.fixture(params=["ministack", "seaweedfs", "moto"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["ministack", "seaweedfs"])
def strict_server(request):
    """One that refuses what is wrong; moto takes it."""
    return request.getfixturevalue(request.param)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="what listens is read from Linux's /proc")
def test_every_listening_socket_is_on_loopback(server):
    sockets = listening(server.process.pid)
    assert ("127.0.0.1", int(server.endpoint.rpartition(":")[2])) in sockets
    assert {address for address, _port in sockets} == {"127.0.0.1"}


def test_an_object_says_that_it_is_encrypted_with_kms(server):
    bucket = server.fresh_bucket()
    server.seed({"one": b"body"}, bucket=bucket)
    server.seed_multipart("many", [FIRST_PART, LAST_PART], "SHA256", "COMPOSITE", bucket=bucket)
    s3 = server.client("s3")
    answers = [s3.get_object(Bucket=bucket, Key="one"), s3.get_object(Bucket=bucket, Key="many")]
    assert [answer["Body"].read() for answer in answers] == [b"body", FIRST_PART + LAST_PART]
    assert {answer["ServerSideEncryption"] for answer in answers} == {"aws:kms"}
    assert all(answer["SSEKMSKeyId"] for answer in answers)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_kind_of_checksum_is_checked_stored_and_returned_on_request(strict_server, algorithm):
    bucket = strict_server.bucket
    key = f"checksums/{algorithm}"
    strict_server.seed_checksummed(key, b"body", algorithm)
    s3 = strict_server.client("s3")
    field = f"Checksum{algorithm}"
    whole = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert whole[field] == text(digest(algorithm, b"body"))
    asked = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert (asked["Body"].read(), asked[field]) == (b"body", text(digest(algorithm, b"body")))
    wrong = {field: text(digest(algorithm, b"other"))}
    assert refusal(s3.put_object, Bucket=bucket, Key="wrong", Body=b"body", **wrong) == (400, "BadDigest")


@pytest.mark.parametrize("algorithm", COMPOSITE_ALGORITHMS)
def test_an_object_in_parts_has_a_checksum_of_checksums(strict_server, algorithm):
    key = f"composite/{algorithm}"
    strict_server.seed_multipart(key, [FIRST_PART, LAST_PART], algorithm, "COMPOSITE")
    answer = strict_server.client("s3").head_object(
        Bucket=strict_server.bucket, Key=key, ChecksumMode="ENABLED"
    )
    digests = digest(algorithm, FIRST_PART) + digest(algorithm, LAST_PART)
    assert answer[f"Checksum{algorithm}"] == text(digest(algorithm, digests)) + "-2"
    assert answer["ChecksumType"] == "COMPOSITE"


def test_a_range_is_206_with_its_place_and_416_behind_the_end(server):
    server.seed({"range": b"0123456789"})
    s3 = server.client("s3")
    answer = s3.get_object(Bucket=server.bucket, Key="range", Range="bytes=2-4")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (answer["Body"].read(), answer["ContentRange"]) == (b"234", "bytes 2-4/10")
    behind = refusal(s3.get_object, Bucket=server.bucket, Key="range", Range="bytes=10-12")
    assert behind == (416, "InvalidRange")


def test_a_precondition_is_honoured(server):
    server.seed({"match": b"body"})
    s3 = server.client("s3")
    etag = s3.head_object(Bucket=server.bucket, Key="match")["ETag"]
    assert body_of(s3, server.bucket, "match", IfMatch=etag) == b"body"
    changed = refusal(s3.get_object, Bucket=server.bucket, Key="match", IfMatch='"other"')
    assert changed == (412, "PreconditionFailed")


def test_every_version_can_be_read(server):
    bucket = server.fresh_bucket()
    s3 = server.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"old", b"new"):
        server.seed({"key": body}, bucket=bucket)
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    bodies = {one["IsLatest"]: body_of(s3, bucket, "key", VersionId=one["VersionId"]) for one in versions}
    assert bodies == {True: b"new", False: b"old"}
    assert body_of(s3, bucket, "key") == b"new"


def test_a_listing_comes_in_pages_and_in_utf8_order_where_no_directory_has_a_sibling_of_its_name(server):
    bucket = server.fresh_bucket()
    keys = [
        f"d{number % 3}/{name}" for number in range(9) for name in ("A", "a", "é", "\uffee", "\U0001f600")
    ]
    server.seed(dict.fromkeys(keys, b"x"), bucket=bucket)
    s3 = server.client("s3")
    in_order = sorted(set(keys), key=str.encode)
    assert listed(s3, bucket) == listed(s3, bucket, page_size=4) == in_order


def test_a_wrong_signature_is_refused(ministack, seaweedfs, moto):
    for server, keys in (
        (ministack, ministack.caller),
        (seaweedfs, seaweedfs.reader),
        (moto, moto.owner),
    ):
        forged = server.client("s3", Credentials(keys.access_key, "not the secret"))
        assert refusal(forged.list_objects_v2, Bucket=server.bucket) == (403, "SignatureDoesNotMatch")


def test_a_clock_that_is_twenty_minutes_late_is_refused(strict_server, monkeypatch):
    def late(**options):
        return get_current_datetime(**options) - timedelta(minutes=20)

    for signer in (botocore.auth, botocore.crt.auth):
        monkeypatch.setattr(signer, "get_current_datetime", late)
    keys = strict_server.caller if strict_server.name == "ministack" else strict_server.reader
    skewed = refusal(strict_server.client("s3", keys).list_objects_v2, Bucket=strict_server.bucket)
    assert skewed == (403, "RequestTimeTooSkewed")
