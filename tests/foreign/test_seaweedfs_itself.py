"""What SeaweedFS does, as far as other tests rely on it: encryption at rest, checksums, credentials.

Where it departs from S3 in a way that a run meets, a test says exactly how. Plain botocore asks; nothing of
s3haul takes part.
"""

import os

import pytest

from contract.stored import digest, text
from foreign.asking import body_of, listed, refusal

FULL_OBJECT_ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME")
FIRST_PART = bytes(range(256)) * (5 * 1024 * 1024 // 256)
LAST_PART = b"the last part"


def by_directory(keys) -> list[str]:
    """The order of a walk through a directory tree."""
    return sorted(keys, key=lambda key: [part.encode() for part in key.split("/")])


@pytest.mark.parametrize("algorithm", FULL_OBJECT_ALGORITHMS)
def test_seaweedfs_keeps_a_checksum_over_all_parts(seaweedfs, algorithm):
    key = f"full/{algorithm}"
    seaweedfs.seed_multipart(key, [FIRST_PART, LAST_PART], algorithm, "FULL_OBJECT")
    answer = seaweedfs.client("s3").head_object(Bucket=seaweedfs.bucket, Key=key, ChecksumMode="ENABLED")
    assert answer[f"Checksum{algorithm}"] == text(digest(algorithm, FIRST_PART + LAST_PART))
    assert answer["ChecksumType"] == "FULL_OBJECT"


def test_seaweedfs_lists_a_directory_before_siblings_that_go_on_with_a_smaller_character(seaweedfs):
    """Not S3's order: `a/b` before `a-b`, because '/' ends a name there. Such a listing is out of order."""
    bucket = seaweedfs.fresh_bucket()
    keys = ["a!", "a-b", "a-b/c", "a.txt", "a/b", "a/b-c", "a/b/c", "ab", "b"]
    seaweedfs.seed(dict.fromkeys(keys, b""), bucket=bucket)
    s3 = seaweedfs.client("s3")
    assert listed(s3, bucket) == listed(s3, bucket, page_size=2) == by_directory(keys)
    assert by_directory(keys) == ["a/b", "a/b/c", "a/b-c", "a!", "a-b", "a-b/c", "a.txt", "ab", "b"]


def test_seaweedfs_hides_what_is_below_the_key_that_ends_a_page_if_nothing_else_follows(seaweedfs):
    """It says IsTruncated=false there, so no client can notice."""
    bucket = seaweedfs.fresh_bucket()
    seaweedfs.seed(dict.fromkeys(["a", "z", "z/1", "z/2"], b""), bucket=bucket)
    s3 = seaweedfs.client("s3")
    assert listed(s3, bucket) == ["a", "z", "z/1", "z/2"]
    assert listed(s3, bucket, page_size=2) == ["a", "z"]
    seaweedfs.seed({"zz": b""}, bucket=bucket)
    assert listed(s3, bucket, page_size=2) == ["a", "z", "z/1", "z/2", "zz"]


def test_seaweedfs_really_encrypts_at_rest(seaweedfs):
    seaweedfs.assert_encrypted_at_rest(os.urandom(64))


def test_seaweedfs_really_encrypts_the_parts_of_an_object(seaweedfs):
    needle = os.urandom(64)
    parts = [needle * (5 * 1024 * 1024 // len(needle)), needle]
    seaweedfs.seed_multipart("needle", parts, "SHA256", "COMPOSITE")
    assert body_of(seaweedfs.client("s3"), seaweedfs.bucket, "needle") == b"".join(parts)
    assert not seaweedfs.holds_at_rest(needle)


@pytest.mark.parametrize("kind", ["static", "session"])
def test_seaweedfs_lets_a_reader_list_and_read_and_no_more(seaweedfs, kind):
    seaweedfs.seed({"reader": b"body"})
    keys = seaweedfs.reader if kind == "static" else seaweedfs.assume()
    assert (keys.token is not None) == (kind == "session")
    s3 = seaweedfs.client("s3", keys)
    assert "reader" in listed(s3, seaweedfs.bucket)
    assert body_of(s3, seaweedfs.bucket, "reader") == b"body"
    denied = refusal(s3.put_object, Bucket=seaweedfs.bucket, Key="reader", Body=b"")
    assert denied == (403, "AccessDenied")
