"""The objects of the demo bucket: about 2,000 ordinary ones and one of everything that is not ordinary.

Every size, checksum kind, storage class and key here is deterministic. All are SSE-KMS.
"""

import random
from itertools import product

from s3haul.demo.checksums import ALGORITHMS
from s3haul.demo.cloud import Cloud
from s3haul.demo.content import Generated, seed_of

KIB, MIB = 1 << 10, 1 << 20
_DAY = 86_400.0
_ORDINARY = 1_900
_LARGE = 40

# Keys that a careless client writes outside the destination, over one another, or to the terminal raw.
HOSTILE_KEYS = (
    "../../etc/passwd",
    "hostile/../../../escape",
    "a//b",
    "/lead",
    "//two-leads",
    "./x",
    "..",
    ".",
    "hostile/.",
    "hostile/..",
    "hostile/a/../b",
    "hostile/back\\slash",
    "hostile/..\\..\\windows",
    "hostile/ leading space",
    "hostile/trailing space ",
    "hostile/trailing dot.",
    "hostile/con.txt",
    "hostile/NUL",
    "hostile/percent%2Fencoded",
    "hostile/percent%252Ftwice",
    "hostile/plus+plus",
    "hostile/question?mark",
    "hostile/hash#mark",
    "hostile/amp&lt;<>\"'",
    "hostile/colon:semi;star*pipe|",
    "hostile/new\nline",
    "hostile/carriage\rreturn",
    "hostile/tab\there",
    "hostile/control\x01\x02\x1f\x7f",
    "hostile/c1\x85\x9b31m",
    "hostile/escape\x1b[31mred\x1b]0;title\x07",
    "hostile/bidi\u202egnp.exe",
    "hostile/emoji-\U0001f4e6\u2764\ufe0f",
    "hostile/nfc-\u00e9",
    "hostile/nfd-e\u0301",
    "hostile/Case",
    "hostile/case",
    "hostile/beside",
    "hostile/beside/child",
    "hostile/~",
    "-rf",
    ".s3haul/journal.db",
    "soap",
    "hostile/" + "x" * 255,
    "hostile/" + "y" * 256,
    "z" * 1024,
    "deep/" * 200 + "leaf",
)


def add_demo_objects(cloud: Cloud, bucket: str) -> None:
    """Fill the bucket. Takes well under 3 seconds: no body is held or hashed here."""
    now = cloud.clock()
    _add_ordinary(cloud, bucket, now)
    _add_multipart(cloud, bucket, now)
    _add_checksum_kinds(cloud, bucket, now)
    _add_special(cloud, bucket, now)
    for number, key in enumerate(HOSTILE_KEYS):
        cloud.put(bucket, key, Generated(seed_of(key), 100 + number), last_modified=now - 3 * _DAY)


def _add_ordinary(cloud: Cloud, bucket: str, now: float) -> None:
    dice = random.Random(20_160_713)  # noqa: S311 - sizes, not secrets
    kinds = ("csv", "json", "log", "parquet", "jpg")
    for number in range(_ORDINARY):
        kind = kinds[number % len(kinds)]
        key = f"{kind}/2016/{1 + number % 12:02d}/{1 + number % 28:02d}/part-{number:05d}.{kind}"
        size = dice.randint(1 * KIB, 64 * KIB)
        if number % (_ORDINARY // _LARGE) == 0:
            size = dice.randint(1 * MIB, 3 * MIB)
        modified = now - dice.uniform(1, 3000) * _DAY
        cloud.put(
            bucket, key, Generated(seed_of(key), size), last_modified=modified, bucket_key=number % 3 == 0
        )


def _add_multipart(cloud: Cloud, bucket: str, now: float) -> None:
    composite = [(name, "COMPOSITE") for name in ("CRC32", "CRC32C", "SHA1", "SHA256")]
    full = [(name, "FULL_OBJECT") for name in ("CRC32", "CRC32C", "CRC64NVME")]
    for algorithm, kind in composite + full:
        for count in (1, 3):
            sizes = (600 * KIB,) * (count - 1) + (123_457,)
            key = f"multipart/{algorithm}-{kind}-{count}.bin".lower()
            cloud.put(
                bucket,
                key,
                Generated(seed_of(key), sum(sizes)),
                checksum=algorithm,
                checksum_type=kind,
                part_sizes=sizes,
                last_modified=now - 10 * _DAY,
            )
    key = "multipart/uneven-sha256.bin"
    sizes = (700_001, 1, 300_000, 65_536, 7)
    cloud.put(bucket, key, Generated(seed_of(key), sum(sizes)), checksum="SHA256", part_sizes=sizes)
    key = "multipart/no-checksum.bin"
    sizes = (MIB, MIB, 77)
    cloud.put(bucket, key, Generated(seed_of(key), sum(sizes)), checksum=None, part_sizes=sizes)


def _add_checksum_kinds(cloud: Cloud, bucket: str, now: float) -> None:
    for algorithm, size in product(ALGORITHMS, (9, 70_000)):
        key = f"checksums/{algorithm.lower()}-{size}.bin"
        cloud.put(
            bucket,
            key,
            Generated(seed_of(key), size),
            checksum=algorithm,
            last_modified=now - 20 * _DAY,
        )
    key = "checksums/none.bin"
    cloud.put(bucket, key, Generated(seed_of(key), 40_000), checksum=None, last_modified=now - 4000 * _DAY)


def _add_special(cloud: Cloud, bucket: str, now: float) -> None:
    cloud.put(bucket, "empty/zero.bin", b"", last_modified=now - _DAY)
    cloud.put(bucket, "empty/zero-no-checksum.bin", b"", checksum=None)
    for key in ("dir/", "dir/sub/", "hostile/markers//"):
        cloud.put(bucket, key, b"", content_type="application/x-directory")
    cloud.put(bucket, "dir/sub/file.txt", b"a file below two markers\n", content_type="text/plain")
    cloud.put(bucket, "dir-with-data/", b"a marker that is not empty\n")
    for number in range(10):  # what the commands of the README name
        key = f"logs/{number:02d}.log"
        cloud.put(bucket, key, b"a line of a log\n" * (1 + number), last_modified=now - _DAY)
    key = "encoded/page.html.gz"
    cloud.put(bucket, key, _GZIPPED, content_type="text/html", content_encoding="gzip")
    key = "archive/frozen.bin"
    cloud.put(bucket, key, Generated(seed_of(key), 10_000), storage_class="GLACIER")
    key = "archive/restored.bin"
    cloud.put(bucket, key, Generated(seed_of(key), 10_000), storage_class="GLACIER", restore=now + 7 * _DAY)
    key = "archive/instant.bin"
    cloud.put(bucket, key, Generated(seed_of(key), 10_000), storage_class="GLACIER_IR")


# gzip of "<p>stored as it is</p>\n" with a fixed header: a client must not decode it.
_GZIPPED = bytes.fromhex(
    "1f8b0800000000000203b329b02b2ec92f4a4d51482c56c82c51c82cb6d12fb0e302003f0ac70617000000"
)
