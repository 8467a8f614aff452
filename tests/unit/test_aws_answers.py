"""Headers and parsed bodies are converted to records, also what the SDK does not know."""

import json
from datetime import UTC, datetime

import pytest

from s3haul.models import Checksum, ObjectMeta, Part, PartLayout
from s3haul.s3 import documents, responses


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ()),
        (
            {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "FULL_OBJECT"},
            (Checksum("CRC32", "FULL_OBJECT", "AAAAAA=="),),
        ),
        (
            {"x-amz-checksum-sha256": "abc-3", "x-amz-checksum-type": "COMPOSITE"},
            (Checksum("SHA256", "COMPOSITE", "abc-3"),),
        ),
        (
            {"x-amz-checksum-sha256": "abc", "x-amz-checksum-type": "COMPOSITE"},
            (Checksum("SHA256", "COMPOSITE", "abc"),),
        ),
        ({"x-amz-checksum-sha1": "abc=-12"}, (Checksum("SHA1", "COMPOSITE", "abc=-12"),)),
        # What moto sends beside it.
        (
            {"x-amz-checksum-sha256": "abc=", "x-amz-checksum-algorithm": "SHA256"},
            (Checksum("SHA256", "FULL_OBJECT", "abc="),),
        ),
        ({"x-amz-checksum-sha1": "abc="}, (Checksum("SHA1", "FULL_OBJECT", "abc="),)),
        ({"x-amz-checksum-sha1": ""}, ()),
        (
            {"x-amz-checksum-sha1": "abc=", "x-amz-checksum-type": "full_object"},
            (Checksum("SHA1", "FULL_OBJECT", "abc="),),
        ),
        ({"x-amz-checksum-xxhash128": "v"}, (Checksum("XXHASH128", "FULL_OBJECT", "v"),)),
        (
            {"x-amz-checksum-md5": "m", "x-amz-checksum-xxhash3": "x", "x-amz-checksum-mode": "ENABLED"},
            (Checksum("MD5", "FULL_OBJECT", "m"), Checksum("XXHASH3", "FULL_OBJECT", "x")),
        ),
    ],
)
def test_every_checksum_header_is_reported_with_its_type(headers, expected):
    assert responses.object_meta(200, headers).checksums == expected


def test_the_headers_of_a_kms_object_are_all_kept():
    headers = {
        "content-length": "10",
        "content-range": "bytes 5-14/100",
        "etag": '"e-2"',
        "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "x-amz-version-id": "v1",
        "x-amz-mp-parts-count": "2",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "arn:key",
        "x-amz-server-side-encryption-bucket-key-enabled": "true",
        "x-amz-storage-class": "INTELLIGENT_TIERING",
        "x-amz-archive-status": "DEEP_ARCHIVE_ACCESS",
    }
    assert responses.object_meta(206, headers) == ObjectMeta(
        status=206,
        length=10,
        size=100,
        etag='"e-2"',
        last_modified=1_700_000_000.0,
        version_id="v1",
        range_start=5,
        parts_count=2,
        sse="aws:kms",
        kms_key_id="arn:key",
        bucket_key=True,
        storage_class="INTELLIGENT_TIERING",
    )


@pytest.mark.parametrize(
    ("headers", "start", "size"),
    [
        ({"content-length": "10"}, None, 10),
        ({}, None, None),
        ({"content-length": "-1"}, None, None),
        ({"content-length": "ten"}, None, None),
        ({"content-length": "10", "content-range": "bytes 0-9/*"}, 0, None),
        ({"content-length": "10", "content-range": "lines 0-9/10"}, None, 10),
        ({"content-length": "10", "content-range": "bytes 9/10"}, None, 10),
        ({"content-length": "10", "content-range": "Bytes 5-14/100"}, 5, 100),
        ({"content-length": "10", "content-range": "bytes=5-14/100"}, 5, 100),
        ({"content-length": "10", "content-range": "bytes  5 - 14 / 100"}, 5, 100),
    ],
)
def test_a_range_is_read_in_every_form_and_an_invalid_one_is_unknown(headers, start, size):
    meta = responses.object_meta(200, headers)
    assert (meta.range_start, meta.size) == (start, size)


@pytest.mark.parametrize(
    ("answer", "empty"),
    [
        ({"ResponseMetadata": {}}, True),
        ({"EncodingType": "url"}, True),
        ({"IsTruncated": False}, False),
        ({"KeyCount": 0, "Name": "b"}, False),
    ],
)
def test_a_response_that_is_not_a_listing_is_detected(answer, empty):
    assert responses.list_page(answer).empty_answer is empty


@pytest.mark.parametrize(
    ("restore", "restored"),
    [
        ({}, False),
        ({"IsRestoreInProgress": True}, False),
        ({"IsRestoreInProgress": False, "RestoreExpiryDate": datetime(2030, 1, 1, tzinfo=UTC)}, True),
    ],
)
def test_an_entry_says_whether_a_restore_is_finished(restore, restored):
    row = {"Key": "k", "Size": 3, "ETag": '"e"', "StorageClass": "GLACIER", "RestoreStatus": restore}
    (entry,) = responses.list_page(
        {"Contents": [row], "IsTruncated": True, "NextContinuationToken": "t"}
    ).entries
    assert entry.restored is restored
    assert (entry.storage_class, entry.size, entry.last_modified) == ("GLACIER", 3, 0.0)


@pytest.mark.parametrize(
    ("restore", "restored"),
    [
        ("", False),
        ('ongoing-request="true"', False),
        ('ongoing-request="false", expiry-date="Fri, 21 Dec 2030 00:00:00 GMT"', True),
    ],
)
def test_a_head_says_whether_a_restore_is_finished(restore, restored):
    headers = {"content-length": "3", "x-amz-storage-class": "GLACIER", "x-amz-restore": restore}
    assert responses.object_meta(200, headers).restored is restored


def attributes(*parts: tuple[int, int], size: int, algorithm: str = "SHA256") -> dict:
    rows = [
        {"PartNumber": number, "Size": length, f"Checksum{algorithm}": f"d{number}"}
        for number, length in parts
    ]
    checksum = {f"Checksum{algorithm}": "v", "ChecksumType": "COMPOSITE"}
    return {"Checksum": checksum, "ObjectParts": {"Parts": rows}, "ObjectSize": size}


def test_parts_of_several_pages_make_one_layout():
    pages = [attributes((1, 5), (2, 6), size=14), attributes((3, 3), size=14)]
    parts = (Part(1, 0, 5, "d1"), Part(2, 5, 6, "d2"), Part(3, 11, 3, "d3"))
    assert documents.part_layout(pages) == PartLayout("SHA256", parts)


@pytest.mark.parametrize(
    "pages",
    [
        [],
        [{}],
        [{"ObjectParts": {"TotalPartsCount": 3}, "Checksum": {"ChecksumCRC64NVME": "v"}}],
        [attributes((1, 5), (3, 6), size=11)],
        [attributes((1, 5), (2, 6), size=12)],
        [{**attributes((1, 5), size=5), "Checksum": {"ChecksumType": "COMPOSITE"}}],
    ],
)
def test_parts_that_do_not_cover_the_object_give_no_layout(pages):
    assert documents.part_layout(pages) is None


def test_what_the_owner_stored_with_an_object_is_kept_by_its_name():
    headers = {"content-type": "text/csv", "x-amz-meta-b": "2", "x-amz-meta-a": "é\udc80", "x-amz-meta": "no"}
    meta = responses.object_meta(200, headers)
    assert meta.content_type == "text/csv"
    assert json.loads(meta.user_metadata) == {"a": "é\udc80", "b": "2"}
    assert meta.user_metadata.isascii()


def test_more_metadata_than_s3_takes_is_left_out():
    kept = responses.object_meta(200, {"x-amz-meta-a": "x" * (responses.MOST_METADATA - 20)}).user_metadata
    left = responses.object_meta(200, {"x-amz-meta-a": "x" * responses.MOST_METADATA}).user_metadata
    assert (len(kept) > 8000, left, responses.object_meta(200, {}).user_metadata) == (True, "", "")


def test_a_version_without_an_id_or_a_possible_size_is_never_an_entry():
    version = {"Key": "k", "VersionId": "v", "Size": 1, "IsLatest": True}
    page = responses.version_page(
        {"Versions": [version, {**version, "Size": -1}, {**version, "Size": 1 << 70}]}
    )
    assert [entry.ref.size for entry in page.entries] == [1]
    assert len(page.unusable) == 2
    for without in ({**version, "VersionId": ""}, {"Key": "k", "Size": 1}):
        with pytest.raises(KeyError, match="VersionId"):
            responses.version_page({"Versions": [without]})
