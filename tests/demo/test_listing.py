"""ListObjectsV2 with all its parameters, through boto and as raw XML."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.harness import Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.s3_list import _names

KEYS = ["a", "a/", "a/1", "a/2", "a/b/3", "a0", "b", "b/x", "z\u00e9", "\u20ac", "\ue000", "\U0001f4e6"]


@pytest.fixture
def s3(cloud: Cloud, clients: Clients) -> Any:
    for number, key in enumerate(reversed(KEYS)):
        cloud.put(seed.BUCKET, key, b"x" * number)
    return clients.s3()


def listed(s3: Any, **ask: Any) -> tuple[list[str], list[str]]:
    """Keys and common prefixes over all pages."""
    keys, prefixes = [], []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=seed.BUCKET, **ask):
        keys += [entry["Key"] for entry in page.get("Contents", [])]
        prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        assert page["KeyCount"] == len(page.get("Contents", [])) + len(page.get("CommonPrefixes", []))
    return keys, prefixes


def test_keys_come_in_utf8_byte_order(s3: Any) -> None:
    assert sorted(KEYS, key=str.encode) == KEYS
    assert listed(s3) == (KEYS, [])


@pytest.mark.parametrize("size", [1, 2, 5, 12, 1000])
def test_pages_of_any_size_give_every_key_once(s3: Any, size: int) -> None:
    assert listed(s3, PaginationConfig={"PageSize": size}) == (KEYS, [])


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_delimiter_rolls_keys_up_into_common_prefixes(s3: Any, size: int) -> None:
    ask = {"Delimiter": "/", "PaginationConfig": {"PageSize": size}}
    keys, prefixes = listed(s3, **ask)
    assert keys == ["a", "a0", "b", "z\u00e9", "\u20ac", "\ue000", "\U0001f4e6"]
    assert prefixes == ["a/", "b/"]
    assert listed(s3, Prefix="a/", **ask) == (["a/", "a/1", "a/2"], ["a/b/"])


def test_a_prefix_is_a_prefix_of_characters_not_of_components(s3: Any) -> None:
    assert listed(s3, Prefix="a") == (KEYS[:6], [])
    assert listed(s3, Prefix="a/b") == (["a/b/3"], [])
    assert listed(s3, Prefix="nothing") == ([], [])


def test_start_after_is_exclusive_and_filters_common_prefixes(s3: Any) -> None:
    assert listed(s3, StartAfter="a/2") == (KEYS[4:], [])
    assert listed(s3, StartAfter="a/21") == (KEYS[4:], [])
    assert listed(s3, StartAfter="a/1", Delimiter="/")[1] == ["b/"]
    assert listed(s3, StartAfter="a/2", Prefix="b") == (["b", "b/x"], [])


def test_a_page_echoes_its_parameters(s3: Any) -> None:
    page = s3.list_objects_v2(Bucket=seed.BUCKET, Prefix="a", Delimiter="/", StartAfter="a", MaxKeys=1)
    assert (page["Name"], page["Prefix"], page["Delimiter"], page["StartAfter"]) == (
        seed.BUCKET,
        "a",
        "/",
        "a",
    )
    assert (page["MaxKeys"], page["KeyCount"], page["IsTruncated"]) == (1, 1, True)
    following = s3.list_objects_v2(
        Bucket=seed.BUCKET, Prefix="a", ContinuationToken=page["NextContinuationToken"]
    )
    assert following["ContinuationToken"] == page["NextContinuationToken"]
    assert following["IsTruncated"] is False
    assert "NextContinuationToken" not in following


def test_max_keys_is_capped_at_a_thousand_and_may_be_zero(cloud: Cloud, s3: Any) -> None:
    for number in range(1100):
        cloud.put(seed.BUCKET, f"many/{number:05d}", b"")
    page = s3.list_objects_v2(Bucket=seed.BUCKET, Prefix="many/", MaxKeys=5000)
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (1000, 1000, True)
    none = s3.list_objects_v2(Bucket=seed.BUCKET, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)


def test_an_entry_tells_checksum_class_owner_and_restore(cloud: Cloud, s3: Any) -> None:
    now = 1_900_000_000.0
    cloud.put(seed.BUCKET, "e/1", b"x", storage_class="GLACIER", restore=now, last_modified=1_700_000_000.0)
    cloud.put(seed.BUCKET, "e/2", b"xy", checksum="SHA256", part_sizes=(1, 1), restore="ongoing")
    cloud.put(seed.BUCKET, "e/3", b"x", checksum=None)
    ask = {"Bucket": seed.BUCKET, "Prefix": "e/"}
    first, second, third = s3.list_objects_v2(
        **ask, FetchOwner=True, OptionalObjectAttributes=["RestoreStatus"]
    )["Contents"]
    assert (first["ChecksumAlgorithm"], first["ChecksumType"]) == (["CRC64NVME"], "FULL_OBJECT")
    assert (first["Size"], first["StorageClass"], first["Owner"]["ID"]) == (1, "GLACIER", seed.ACCOUNT_A)
    assert first["LastModified"].timestamp() == 1_700_000_000
    assert first["ETag"].startswith('"')
    assert first["RestoreStatus"]["IsRestoreInProgress"] is False
    assert first["RestoreStatus"]["RestoreExpiryDate"].timestamp() == now
    assert (second["ChecksumAlgorithm"], second["ChecksumType"]) == (["SHA256"], "COMPOSITE")
    assert second["RestoreStatus"] == {"IsRestoreInProgress": True}
    assert "ChecksumAlgorithm" not in third
    bare = s3.list_objects_v2(**ask)["Contents"][0]
    assert "Owner" not in bare
    assert "RestoreStatus" not in bare


def test_a_bad_token_and_a_bad_number_are_invalid_arguments(s3: Any) -> None:
    for ask in ({"ContinuationToken": "garbage"}, {"ContinuationToken": "1+/%%%"}, {"MaxKeys": "many"}):
        with pytest.raises(ClientError) as caught:
            s3.list_objects_v2(Bucket=seed.BUCKET, **ask)
        assert caught.value.response["Error"]["Code"] == "InvalidArgument"


def test_url_encoding_transports_characters_that_xml_cannot(cloud: Cloud, clients: Clients) -> None:
    key = "c\x01 +%2F/\u00e9~*(1)"
    cloud.put(seed.BUCKET, key, b"")
    encoded = clients.raw("GET", f"/{seed.BUCKET}?list-type=2&encoding-type=url").text
    assert "<Key>c%01+%2B%252F/%C3%A9~*%281%29</Key>" in encoded
    ET.fromstring(encoded)
    plain = clients.raw("GET", f"/{seed.BUCKET}?list-type=2").text
    assert "<Key>c&#x1; +%2F/\u00e9~*(1)</Key>" in plain
    with pytest.raises(ET.ParseError):
        ET.fromstring(plain)
    wrong = clients.raw("GET", f"/{seed.BUCKET}?list-type=2&encoding-type=base64")
    assert (wrong.status, wrong.code) == (400, "InvalidArgument")


def test_an_empty_bucket_is_a_page_without_entries(clients: Clients) -> None:
    page = clients.s3().list_objects_v2(Bucket=seed.BUCKET)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)
    assert "Contents" not in page


def test_new_and_deleted_keys_show_at_once(cloud: Cloud, s3: Any) -> None:
    cloud.put(seed.BUCKET, "new", b"")
    cloud.mark_deleted(seed.BUCKET, "a0")
    assert set(listed(s3)[0]) == {*KEYS, "new"} - {"a0"}


@settings(max_examples=200)
@given(
    keys=st.sets(st.text("ab/\ud7ff\ue000\U0010ffff", min_size=1, max_size=6), max_size=20),
    prefix=st.text("ab/", max_size=2),
    delimiter=st.sampled_from(["", "/", "b"]),
    after=st.text("ab/", max_size=4),
)
def test_rolled_up_names_agree_with_a_plain_scan(
    keys: set[str], prefix: str, delimiter: str, after: str
) -> None:
    cloud = seed.standard_cloud()
    for key in keys:
        cloud.put(seed.BUCKET, key, b"", checksum=None)
    expected: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix) or key <= after:
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        name = key if cut < 0 else key[: cut + len(delimiter)]
        rolled_before = cut >= 0 and (name in expected or after.startswith(name))
        if not rolled_before:
            expected.append(name)
    found = [name for name, _ in _names(cloud.buckets[seed.BUCKET], prefix, delimiter, after)]
    assert found == expected
