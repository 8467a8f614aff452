"""Which checksum headers come with which read: the matrix recorded from S3."""

import base64
import hashlib
import zlib
from collections.abc import Iterator

import pytest
from awscrt import checksums as crt

from demo.harness import Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.content import Generated, Literal
from s3haul.demo.server import DemoServer

PARTS = (300, 200, 77)
BODY = Generated(5, sum(PARTS)).read(0, 577)
SLICES = (BODY[:300], BODY[300:500], BODY[500:])


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def crc64(data: bytes) -> bytes:
    return crt.crc64nvme(data).to_bytes(8, "big")


FULL = b64(crc64(BODY))
PART_VALUES = [b64(sha256(piece)) for piece in SLICES]
COMPOSITE = b64(sha256(b"".join(sha256(piece) for piece in SLICES)))


@pytest.fixture(scope="module")
def reader() -> Iterator[Clients]:
    cloud = seed.standard_cloud()
    put(cloud, "full", "CRC64NVME", PARTS)
    put(cloud, "composite", "SHA256", PARTS)
    put(cloud, "full-one", "CRC64NVME", (577,))
    put(cloud, "composite-one", "SHA256", (577,))
    put(cloud, "single", "SHA256", ())
    put(cloud, "none", None, ())
    put(cloud, "none-parts", None, PARTS)
    with DemoServer(cloud) as server:
        clients = Clients(server)
        yield clients
        clients.close()


def put(cloud: Cloud, key: str, algorithm: str | None, parts: tuple[int, ...]) -> None:
    cloud.put(seed.BUCKET, key, BODY, checksum=algorithm, part_sizes=parts)


def read(reader: Clients, method: str, target: str, **headers: str) -> tuple[int, str, str]:
    """Status, checksum value and type of one read in checksum mode."""
    sent = {"x-amz-checksum-mode": "ENABLED"} | headers
    answer = reader.raw(method, f"/{seed.BUCKET}/{target}", headers=sent)
    values = [
        value
        for name, value in answer.headers.items()
        if name.startswith("x-amz-checksum-") and name != "x-amz-checksum-type"
    ]
    assert len(values) <= 1
    return answer.status, "".join(values), answer.headers.get("x-amz-checksum-type", "")


WHOLE = [
    ("full", FULL, "FULL_OBJECT"),
    ("composite", COMPOSITE + "-3", "COMPOSITE"),
    ("composite-one", b64(sha256(sha256(BODY))) + "-1", "COMPOSITE"),
    ("single", b64(sha256(BODY)), "FULL_OBJECT"),
    ("none", "", ""),
]


@pytest.mark.parametrize(("key", "value", "kind"), WHOLE)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_whole_read_carries_the_objects_value(
    reader: Clients, method: str, key: str, value: str, kind: str
) -> None:
    assert read(reader, method, key) == (200, value, kind)


PART_NUMBERS = [
    ("full", 2, "", ""),
    ("composite", 1, PART_VALUES[0], "COMPOSITE"),
    ("composite", 2, PART_VALUES[1], "COMPOSITE"),
    ("composite", 3, PART_VALUES[2], "COMPOSITE"),
    ("full-one", 1, FULL, "FULL_OBJECT"),
    ("composite-one", 1, b64(sha256(BODY)), "COMPOSITE"),
    ("single", 1, b64(sha256(BODY)), "FULL_OBJECT"),
    ("none-parts", 1, "", ""),
]


@pytest.mark.parametrize(("key", "part", "value", "kind"), PART_NUMBERS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_part_carries_its_own_value_only_where_the_checksum_is_composite(
    reader: Clients, method: str, key: str, part: int, value: str, kind: str
) -> None:
    assert read(reader, method, f"{key}?partNumber={part}") == (206, value, kind)


RANGES = [
    ("full", "bytes=0-576", 206, FULL, "FULL_OBJECT"),
    ("full", "bytes=0-9999", 206, FULL, "FULL_OBJECT"),
    ("full", "bytes=-9999", 206, FULL, "FULL_OBJECT"),
    ("full", "bytes=0-", 206, FULL, "FULL_OBJECT"),
    ("full", "bytes=0-99", 206, "", ""),
    ("full", "bytes=300-499", 206, "", ""),
    ("composite", "bytes=0-576", 206, COMPOSITE, "COMPOSITE"),
    ("composite", "bytes=-9999", 206, COMPOSITE, "COMPOSITE"),
    ("composite", "bytes=300-499", 206, PART_VALUES[1], "COMPOSITE"),
    ("composite", "bytes=500-", 206, PART_VALUES[2], "COMPOSITE"),
    ("composite", "bytes=300-498", 206, "", ""),
    ("composite", "bytes=301-499", 206, "", ""),
    ("composite", "bytes=1-0", 200, COMPOSITE + "-3", "COMPOSITE"),
    ("composite", "bytes=a", 200, COMPOSITE + "-3", "COMPOSITE"),
    ("composite", "bytes=0-1,4-5", 200, COMPOSITE + "-3", "COMPOSITE"),
    ("full", "bytes=-", 200, FULL, "FULL_OBJECT"),
]


@pytest.mark.parametrize(("key", "given", "status", "value", "kind"), RANGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_range_carries_a_value_only_where_it_covers_the_object_or_one_part(
    reader: Clients, method: str, key: str, given: str, status: int, value: str, kind: str
) -> None:
    assert read(reader, method, key, Range=given) == (status, value, kind)


def test_no_checksum_comes_without_checksum_mode(reader: Clients) -> None:
    answer = reader.raw("GET", f"/{seed.BUCKET}/full")
    assert not [name for name in answer.headers if name.startswith("x-amz-checksum")]


@pytest.mark.parametrize(
    ("key", "part", "first", "last"),
    [("composite", 1, 0, 299), ("composite", 2, 300, 499), ("full", 3, 500, 576), ("single", 1, 0, 576)],
)
def test_a_part_is_a_range_of_the_object_and_says_how_many_there_are(
    reader: Clients, key: str, part: int, first: int, last: int
) -> None:
    answer = reader.raw("GET", f"/{seed.BUCKET}/{key}?partNumber={part}")
    assert (answer.status, answer.body) == (206, BODY[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/577"
    assert answer.headers.get("x-amz-mp-parts-count") == (None if key == "single" else "3")


def test_attributes_list_the_parts_of_a_composite_object_and_its_value_without_the_count(
    clients_for_attributes: Clients,
) -> None:
    s3 = clients_for_attributes.s3()
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    got = s3.get_object_attributes(Bucket=seed.BUCKET, Key="composite", ObjectAttributes=wanted)
    assert got["Checksum"] == {"ChecksumSHA256": COMPOSITE, "ChecksumType": "COMPOSITE"}
    assert got["ObjectSize"] == 577
    assert got["StorageClass"] == "STANDARD"
    assert '"' not in got["ETag"]
    parts = got["ObjectParts"]
    assert [(p["PartNumber"], p["Size"], p["ChecksumSHA256"]) for p in parts["Parts"]] == [
        (number + 1, PARTS[number], PART_VALUES[number]) for number in range(3)
    ]
    assert (parts["TotalPartsCount"], parts["IsTruncated"]) == (3, False)


def test_attributes_page_through_the_parts(clients_for_attributes: Clients) -> None:
    s3 = clients_for_attributes.s3()
    ask = {"Bucket": seed.BUCKET, "Key": "composite", "ObjectAttributes": ["ObjectParts"], "MaxParts": 2}
    first = s3.get_object_attributes(**ask)["ObjectParts"]
    assert [part["PartNumber"] for part in first["Parts"]] == [1, 2]
    assert (first["IsTruncated"], first["NextPartNumberMarker"], first["MaxParts"]) == (True, 2, 2)
    second = s3.get_object_attributes(**ask, PartNumberMarker=first["NextPartNumberMarker"])["ObjectParts"]
    assert [part["PartNumber"] for part in second["Parts"]] == [3]
    assert second["IsTruncated"] is False


@pytest.mark.parametrize("key", ["full", "none-parts"])
def test_attributes_only_count_the_parts_where_the_checksum_is_not_composite(
    clients_for_attributes: Clients, key: str
) -> None:
    got = clients_for_attributes.s3().get_object_attributes(
        Bucket=seed.BUCKET, Key=key, ObjectAttributes=["ObjectParts", "Checksum"]
    )
    assert got["ObjectParts"] == {"TotalPartsCount": 3}
    assert ("Checksum" in got) == (key == "full")


@pytest.fixture(scope="module")
def clients_for_attributes(reader: Clients) -> Clients:
    policy = reader.server.cloud.roles[seed.ROLE_ARN].policies[0]
    policy["Statement"][1]["Action"] = ["s3:GetObject", "s3:GetObjectAttributes"]
    return reader


def test_every_algorithm_gives_the_known_check_value(cloud: Cloud) -> None:
    text = b"123456789"
    known = {
        "CRC32": bytes.fromhex("cbf43926"),
        "CRC32C": bytes.fromhex("e3069283"),
        "CRC64NVME": bytes.fromhex("ae8b14860a799888"),
        "SHA1": hashlib.sha1(text).digest(),
        "SHA256": hashlib.sha256(text).digest(),
        "SHA512": hashlib.sha512(text).digest(),
        "MD5": hashlib.md5(text).digest(),
        "XXHASH64": bytes.fromhex("8cb841db40e6ae83"),
    }
    for algorithm, raw in known.items():
        stored = cloud.put(seed.BUCKET, algorithm, text, checksum=algorithm)
        assert stored.checksum is not None
        assert (algorithm, stored.checksum.value) == (algorithm, b64(raw))
    assert b64(zlib.crc32(text).to_bytes(4, "big")) == b64(known["CRC32"])


def test_generated_content_reads_the_same_in_any_pieces() -> None:
    content = Generated(9, 200_000)
    whole = content.read(0, 200_000)
    assert len(whole) == 200_000
    for start, length in (
        (0, 1),
        (65_535, 2),
        (65_536, 65_536),
        (131_072, 99_999),
        (199_999, 5),
        (100, 150_000),
    ):
        assert content.read(start, length) == whole[start : start + length]
    blocks = {whole[at : at + 65_536] for at in range(0, 196_608, 65_536)}
    assert len(blocks) == 3
    for other in (11, 10 + (1 << 20)):
        assert Generated(10, 100).read(0, 100) != Generated(other, 100).read(0, 100)


def test_a_default_multipart_type_is_composite_except_for_crc64nvme(cloud: Cloud) -> None:
    kinds = {}
    for algorithm in ("CRC32", "CRC64NVME", "SHA256"):
        stored = cloud.put(seed.BUCKET, "k", Literal(BODY), checksum=algorithm, part_sizes=PARTS)
        assert stored.checksum is not None
        kinds[algorithm] = stored.checksum.type
    assert kinds == {"CRC32": "COMPOSITE", "CRC64NVME": "FULL_OBJECT", "SHA256": "COMPOSITE"}
