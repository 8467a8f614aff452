"""GetObject and HeadObject: bytes, headers, preconditions, and every refusal with AWS's code."""

import gzip
import hashlib
from email.utils import formatdate

import pytest

from demo.harness import USER_B, Answer, Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.content import Generated

BODY = bytes(range(100))
KEY = f"/{seed.BUCKET}/k"


@pytest.fixture(autouse=True)
def stored(cloud: Cloud) -> None:
    cloud.put(seed.BUCKET, "k", BODY, last_modified=1_700_000_000.0, content_type="text/x-test")
    cloud.put(seed.BUCKET, "empty", b"")


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.text


def test_a_kms_object_comes_with_its_encryption_headers(cloud: Cloud, clients: Clients) -> None:
    cloud.put(seed.BUCKET, "by-bucket-key", BODY, bucket_key=True, metadata=(("note", "x"),))
    for method in ("GET", "HEAD"):
        answer = clients.raw(method, KEY)
        assert answer.headers["x-amz-server-side-encryption"] == "aws:kms"
        assert answer.headers["x-amz-server-side-encryption-aws-kms-key-id"] == seed.KMS_KEY_ARN
        assert "x-amz-server-side-encryption-bucket-key-enabled" not in answer.headers
        assert answer.headers["content-length"] == "100"
        assert answer.headers["content-type"] == "text/x-test"
        assert answer.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        assert answer.headers["accept-ranges"] == "bytes"
        assert "x-amz-version-id" not in answer.headers
        assert answer.body == (BODY if method == "GET" else b"")
    answer = clients.raw("HEAD", f"/{seed.BUCKET}/by-bucket-key")
    assert answer.headers["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    assert answer.headers["x-amz-meta-note"] == "x"


def test_an_etag_is_an_md5_only_without_kms(cloud: Cloud) -> None:
    first, second = (cloud.put(seed.BUCKET, "same", BODY).etag for _ in range(2))
    assert first != second
    plain = [cloud.put(seed.BUCKET, "plain", b"", sse="AES256").etag for _ in range(2)]
    assert plain == ["d41d8cd98f00b204e9800998ecf8427e"] * 2
    parts = cloud.put(seed.BUCKET, "parts", b"aabb", sse="AES256", part_sizes=(2, 2)).etag
    digests = hashlib.md5(b"aa").digest() + hashlib.md5(b"bb").digest()
    assert parts == hashlib.md5(digests).hexdigest() + "-2"
    assert cloud.put(seed.BUCKET, "parts", b"aabb", part_sizes=(2, 2)).etag.endswith("-2")


RANGES = [
    ("bytes=0-0", 206, 0, 1),
    ("bytes=10-19", 206, 10, 20),
    ("bytes=90-", 206, 90, 100),
    ("bytes=90-999", 206, 90, 100),
    ("bytes=-5", 206, 95, 100),
    ("bytes=-999", 206, 0, 100),
    ("bytes=1-0", 200, 0, 100),
    ("bytes=a", 200, 0, 100),
    ("bytes=0-1,3-4", 200, 0, 100),
    ("lines=0-1", 200, 0, 100),
]


@pytest.mark.parametrize(("given", "status", "first", "end"), RANGES)
def test_a_range_gives_its_bytes_and_one_without_meaning_is_ignored(
    clients: Clients, given: str, status: int, first: int, end: int
) -> None:
    answer = clients.raw("GET", KEY, headers={"Range": given})
    assert (answer.status, answer.body) == (status, BODY[first:end])
    expected = f"bytes {first}-{end - 1}/100" if status == 206 else None
    assert answer.headers.get("content-range") == expected


@pytest.mark.parametrize("given", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_outside_the_object_is_416_with_the_real_size(clients: Clients, given: str) -> None:
    answer = clients.raw("GET", KEY, headers={"Range": given})
    refused(answer, 416, "InvalidRange")
    assert answer.message == "The requested range is not satisfiable"
    assert f"<RangeRequested>{given}</RangeRequested><ActualObjectSize>100<" in answer.text
    assert clients.raw("HEAD", KEY, headers={"Range": given}).status == 416


@pytest.mark.parametrize("given", ["bytes=0-0", "bytes=0-", "bytes=-1"])
def test_any_range_of_an_empty_object_is_416(clients: Clients, given: str) -> None:
    answer = clients.raw("GET", f"/{seed.BUCKET}/empty", headers={"Range": given})
    refused(answer, 416, "InvalidRange")
    assert "<ActualObjectSize>0<" in answer.text


def test_an_empty_object_is_a_200_without_bytes(clients: Clients) -> None:
    answer = clients.raw("GET", f"/{seed.BUCKET}/empty")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


def test_a_part_that_does_not_exist_is_416_with_the_number_of_parts(clients: Clients) -> None:
    answer = clients.raw("GET", KEY + "?partNumber=2")
    refused(answer, 416, "InvalidPartNumber")
    assert "<PartNumberRequested>2</PartNumberRequested><ActualPartCount>1<" in answer.text
    refused(clients.raw("GET", KEY + "?partNumber=0"), 400, "InvalidArgument")


def test_range_and_part_number_exclude_each_other(clients: Clients) -> None:
    answer = clients.raw("GET", KEY + "?partNumber=1", headers={"Range": "bytes=0-1"})
    refused(answer, 400, "InvalidRequest")
    assert answer.message == "Cannot specify both Range header and partNumber query parameter"


def test_if_match_guards_against_a_changed_object(cloud: Cloud, clients: Clients) -> None:
    etag = clients.raw("HEAD", KEY).headers["etag"]
    assert clients.raw("GET", KEY, headers={"If-Match": etag}).status == 200
    assert clients.raw("GET", KEY, headers={"If-Match": "*"}).status == 200
    cloud.change(seed.BUCKET, "k")
    answer = clients.raw("GET", KEY, headers={"If-Match": etag})
    refused(answer, 412, "PreconditionFailed")
    assert answer.message == "At least one of the pre-conditions you specified did not hold"
    assert "<Condition>If-Match</Condition>" in answer.text
    changed = clients.raw("GET", KEY)
    assert (len(changed.body), changed.body != BODY, changed.headers["etag"] != etag) == (100, True, True)


@pytest.mark.parametrize(
    ("header", "moment", "status"),
    [
        ("If-Modified-Since", 1_700_000_000, 304),
        ("If-Modified-Since", 1_699_999_999, 200),
        ("If-Unmodified-Since", 1_700_000_000, 200),
        ("If-Unmodified-Since", 1_699_999_999, 412),
    ],
)
def test_dates_are_compared_by_the_second(clients: Clients, header: str, moment: int, status: int) -> None:
    answer = clients.raw("GET", KEY, headers={header: formatdate(moment, usegmt=True)})
    assert answer.status == status


def test_if_none_match_of_the_same_etag_is_304_without_a_body(clients: Clients) -> None:
    etag = clients.raw("HEAD", KEY).headers["etag"]
    answer = clients.raw("GET", KEY, headers={"If-None-Match": etag})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)


def test_an_encryption_header_on_a_read_is_a_400(clients: Clients) -> None:
    headers = {"x-amz-server-side-encryption": "aws:kms"}
    refused(clients.raw("GET", KEY, headers=headers), 400, "InvalidArgument")
    head = clients.raw("HEAD", KEY, headers=headers)
    assert (head.status, head.body) == (400, b"")


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_is_403_until_it_is_restored(
    cloud: Cloud, clients: Clients, storage_class: str
) -> None:
    now = cloud.clock()
    states = (None, "ongoing", now + 60, now - 60)
    for state, status in zip(states, (403, 403, 200, 403), strict=True):
        cloud.put(seed.BUCKET, "cold", BODY, storage_class=storage_class, restore=state)
        answer = clients.raw("GET", f"/{seed.BUCKET}/cold")
        assert answer.status == status
        if status == 403:
            refused(answer, 403, "InvalidObjectState")
            assert f"<StorageClass>{storage_class}</StorageClass>" in answer.text
        head = clients.raw("HEAD", f"/{seed.BUCKET}/cold")
        assert (head.status, head.headers["x-amz-storage-class"]) == (200, storage_class)
        assert ("x-amz-restore" in head.headers) == (state is not None)


def test_glacier_instant_retrieval_is_readable_and_an_archive_tier_is_not(
    cloud: Cloud, clients: Clients
) -> None:
    cloud.put(seed.BUCKET, "instant", BODY, storage_class="GLACIER_IR")
    cloud.put(seed.BUCKET, "tier", BODY, storage_class="INTELLIGENT_TIERING", archive_status="ARCHIVE_ACCESS")
    assert clients.raw("GET", f"/{seed.BUCKET}/instant").body == BODY
    answer = clients.raw("GET", f"/{seed.BUCKET}/tier")
    refused(answer, 403, "InvalidObjectState")
    assert "<AccessTier>ARCHIVE_ACCESS</AccessTier>" in answer.text
    head = clients.raw("HEAD", f"/{seed.BUCKET}/tier")
    assert head.headers["x-amz-archive-status"] == "ARCHIVE_ACCESS"


def test_versions_keep_old_bytes_and_delete_markers_hide_them(cloud: Cloud, clients: Clients) -> None:
    cloud.buckets[seed.BUCKET].versioned = True
    cloud.roles[seed.ROLE_ARN].policies[0]["Statement"][1]["Action"] = ["s3:GetObject", "s3:GetObjectVersion"]
    old, new = (cloud.put(seed.BUCKET, "v", body).version_id for body in (b"old", b"new"))
    target = f"/{seed.BUCKET}/v"
    assert clients.raw("GET", target).headers["x-amz-version-id"] == new
    assert clients.raw("GET", f"{target}?versionId={old}").body == b"old"
    refused(clients.raw("GET", f"{target}?versionId=none"), 404, "NoSuchVersion")
    cloud.mark_deleted(seed.BUCKET, "v")
    refused(clients.raw("GET", target), 404, "NoSuchKey")
    marker = cloud.buckets[seed.BUCKET].objects["v"][-1].version_id
    refused(clients.raw("GET", f"{target}?versionId={marker}"), 405, "MethodNotAllowed")
    assert clients.raw("GET", f"{target}?versionId={new}").body == b"new"
    assert "<Key>v</Key>" not in clients.raw("GET", f"/{seed.BUCKET}?list-type=2").text


def test_an_encoded_object_goes_out_as_stored(cloud: Cloud, clients: Clients) -> None:
    packed = gzip.compress(b"text", mtime=0)
    cloud.put(seed.BUCKET, "gz", packed, content_encoding="gzip")
    answer = clients.raw("GET", f"/{seed.BUCKET}/gz", headers={"Accept-Encoding": "gzip"})
    assert (answer.body, answer.headers["content-encoding"]) == (packed, "gzip")


def test_a_head_error_has_no_body(clients: Clients) -> None:
    answer = clients.raw("HEAD", KEY + "-missing")
    assert (answer.status, answer.body) == (404, b"")


def test_what_is_not_served_is_not_implemented(clients: Clients) -> None:
    for method, target in (("GET", "/"), ("GET", f"/{seed.BUCKET}"), ("DELETE", KEY), ("POST", KEY)):
        refused(clients.raw(method, target), 501, "NotImplemented")


def test_a_large_generated_object_streams_in_ranges_and_whole(cloud: Cloud, clients: Clients) -> None:
    content = Generated(1, 5_000_001)
    cloud.put(seed.BUCKET, "large", content)
    answer = clients.raw("GET", f"/{seed.BUCKET}/large")
    assert answer.body == content.read(0, 5_000_001)
    headers = {"Range": "bytes=1000000-3999999"}
    assert (
        clients.raw("GET", f"/{seed.BUCKET}/large", headers=headers).body == answer.body[1_000_000:4_000_000]
    )


def test_a_connection_serves_many_requests(clients: Clients) -> None:
    connection = clients.connection()
    role = clients.role()
    connection.connect()
    first = connection.sock
    for target, status in ((KEY, 200), (KEY + "x", 404), (KEY, 200)):
        for method in ("GET", "HEAD"):
            connection.request(method, target, headers=clients.signed(method, target, credentials=role))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
    assert connection.sock is first


def test_calls_are_recorded_with_what_tests_ask_about(clients: Clients) -> None:
    role = clients.role()
    clients.raw("GET", KEY, credentials=role, headers={"Range": "bytes=0-9", "If-Match": "*"})
    clients.raw("GET", KEY + "?partNumber=1", credentials=role)
    clients.raw("GET", KEY + "x", credentials=USER_B)
    first, second, third = clients.server.calls
    assert (first.operation, first.bucket, first.key) == ("GetObject", seed.BUCKET, "k")
    assert (first.status, first.range, first.if_match, first.sent) == (206, "bytes=0-9", "*", 10)
    assert first.access_key_id == role.access_key
    assert (second.part, second.sent) == ("1", 100)
    assert (third.status, third.code) == (403, "AccessDenied")
    assert clients.server.count("GetObject") == 3
    assert clients.server.count("GetObject", "k") == 2
    assert clients.server.count("GetObject", status=403) == 1
