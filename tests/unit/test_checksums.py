"""Known digests, the choice among stored checksums, and the message for each kind of damage."""

import base64
import hashlib
import zlib

import pytest

from s3haul.core.checksums import (
    Composite,
    FullObject,
    Mismatch,
    Unverifiable,
    choose_checksum,
    new_hasher,
    text_of,
)
from s3haul.core.verification import SegmentVerifier, WholeVerifier, composite_verifier
from s3haul.models import Checksum

CHECK = b"123456789"
KNOWN = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    "SHA512": "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad"
    "27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
    "MD5": "25f9e794323b453885f5181f1b624d0b",
    "XXHASH64": "8cb841db40e6ae83",
}
PREFERENCE = ["CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1", "SHA512", "MD5", "XXHASH64"]


def digest_of(algorithm, data):
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return hasher.digest()


def full(algorithm, data=CHECK):
    return Checksum(algorithm, "FULL_OBJECT", text_of(digest_of(algorithm, data)))


def composite(algorithm, parts, suffix=True):
    value = text_of(digest_of(algorithm, b"".join(digest_of(algorithm, part) for part in parts)))
    return Checksum(algorithm, "COMPOSITE", f"{value}-{len(parts)}" if suffix else value)


def crc(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("algorithm", KNOWN)
def test_the_check_string_has_its_published_digest(algorithm):
    assert digest_of(algorithm, CHECK).hex() == KNOWN[algorithm]


@pytest.mark.parametrize(("algorithm", "size"), [("XXHASH3", 8), ("XXHASH128", 16)])
def test_the_other_xxhashes_have_their_size_and_notice_a_changed_byte(algorithm, size):
    assert len(digest_of(algorithm, CHECK)) == size
    assert digest_of(algorithm, CHECK) != digest_of(algorithm, CHECK[:-1] + b"8")


@pytest.mark.parametrize("algorithm", KNOWN)
def test_reading_the_digest_does_not_end_the_hash(algorithm):
    hasher = new_hasher(algorithm)
    hasher.update(CHECK[:4])
    assert hasher.digest() == digest_of(algorithm, CHECK[:4])
    hasher.update(memoryview(bytearray(CHECK))[4:])
    assert hasher.digest().hex() == KNOWN[algorithm]


@pytest.mark.parametrize("algorithm", ["XXHASH256", "crc32", "", "CRC128"])
def test_an_unsupported_algorithm_has_no_hasher(algorithm):
    with pytest.raises(KeyError):
        new_hasher(algorithm)


# --- the choice of the checksum ---


def test_of_several_checksums_the_preferred_one_is_used_in_any_order():
    stored = [full(algorithm) for algorithm in PREFERENCE]
    for first in range(len(PREFERENCE)):
        for given in (stored[first:], stored[first:][::-1]):
            chosen = choose_checksum(tuple(given), 9)
            assert isinstance(chosen, FullObject)
            assert chosen.algorithm == PREFERENCE[first]


def test_a_full_object_checksum_is_decoded():
    assert choose_checksum((full("CRC32"),), 9) == FullObject(full("CRC32"), bytes.fromhex(KNOWN["CRC32"]))


@pytest.mark.parametrize(("suffix", "parts"), [(True, 2), (False, None)])
def test_a_composite_value_may_come_with_or_without_its_count(suffix, parts):
    stored = composite("SHA256", [b"abc", b"de"], suffix)
    chosen = choose_checksum((stored,), 5)
    assert isinstance(chosen, Composite)
    assert chosen.parts == parts
    assert (
        chosen.digest
        == hashlib.sha256(hashlib.sha256(b"abc").digest() + hashlib.sha256(b"de").digest()).digest()
    )


def test_the_type_is_taken_from_its_field_and_not_from_the_value():
    without_dash = composite("CRC32", [b"abc", b"de"], suffix=False)
    assert isinstance(choose_checksum((without_dash,), 5), Composite)
    untyped = Checksum("CRC32", "", composite("CRC32", [b"abc", b"de"]).value)
    assert choose_checksum((untyped,), 5).reason == "unknown-type"


def test_crc64nvme_needs_no_type_since_it_has_only_one():
    stored = Checksum("CRC64NVME", "", full("CRC64NVME").value)
    assert choose_checksum((stored,), 9) == FullObject(stored, bytes.fromhex(KNOWN["CRC64NVME"]))


def test_an_object_without_checksum_is_unverifiable():
    assert choose_checksum((), 9).reason == "no-checksum"


def test_an_unsupported_checksum_is_named():
    verdict = choose_checksum((Checksum("XXHASH256", "FULL_OBJECT", "AAAAAAAAAAA="),), 9)
    assert verdict.reason == "unsupported-algorithm"
    assert "XXHASH256" in verdict.sentence


def test_a_supported_checksum_beside_an_unsupported_one_is_used():
    stored = (Checksum("XXHASH256", "FULL_OBJECT", "AA=="), full("SHA1"))
    assert choose_checksum(stored, 9).algorithm == "SHA1"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "====",
        "y/Q5J",
        "y/Q5Jg",
        "y_Q5Jg==",
        "y/Q5Jg==\n",
        "ÿ/Q5Jg==",
        "rosUhgp5mIg=",  # 8 bytes for a CRC32
        "y/Q5Jg==-",
        "y/Q5Jg==-0",
        "y/Q5Jg==--1",
        "y/Q5Jg==-x",
        "y/Q5Jg==-²",
        "y/Q5Jg==-10",  # more parts than the object has bytes
        "y/Q5Jg==-10001",
        "y/Q5Jg==-" + "9" * 5000,
    ],
)
def test_a_malformed_value_is_neither_verified_nor_ignored(value):
    verdict = choose_checksum((Checksum("CRC32", "COMPOSITE", value),), 9)
    assert isinstance(verdict, Unverifiable)
    assert verdict.reason == "malformed-checksum"
    assert len(verdict.sentence) < 300


def test_a_full_object_value_with_a_count_is_malformed():
    assert (
        choose_checksum((Checksum("CRC32", "FULL_OBJECT", "y/Q5Jg==-1"),), 9).reason == "malformed-checksum"
    )


def test_a_valid_checksum_is_used_in_place_of_a_malformed_one():
    stored = (Checksum("CRC64NVME", "FULL_OBJECT", "AA=="), full("SHA256"))
    assert choose_checksum(stored, 9).algorithm == "SHA256"


def test_an_unknown_type_is_unverifiable():
    verdict = choose_checksum((Checksum("CRC32", "PARTIAL", "y/Q5Jg=="),), 9)
    assert verdict.reason == "unknown-type"


def test_a_multipart_upload_of_no_bytes_has_one_part():
    stored = composite("CRC32", [b""])
    assert stored.value.endswith("-1")
    chosen = choose_checksum((stored,), 0)
    assert isinstance(chosen, Composite)
    assert composite_verifier(chosen, 0, [0]).finish() is None


# --- full object ---


@pytest.mark.parametrize("algorithm", KNOWN)
def test_the_stored_bytes_are_accepted_and_others_are_not(algorithm):
    wanted = choose_checksum((full(algorithm),), 9)
    good, bad = WholeVerifier(wanted), WholeVerifier(wanted)
    good.update(CHECK)
    bad.update(b"123456780")
    assert good.finish() is None
    assert bad.finish() == Mismatch(algorithm, full(algorithm).value, full(algorithm, b"123456780").value)


def test_a_composite_value_is_never_compared_with_the_digest_of_the_body():
    body = b"abcde"
    claimed = Checksum("CRC32", "COMPOSITE", full("CRC32", body).value)
    verifier = composite_verifier(choose_checksum((claimed,), 5), 5, [3, 2])
    verifier.update(body)
    assert verifier.finish() is not None


# --- composite ---

PARTS = [b"first part", b"second part!", b"third"]
BODY = b"".join(PARTS)
SIZES = [len(part) for part in PARTS]
DIGESTS = [crc(part) for part in PARTS]


def verify(body, sizes=SIZES, digests=(), stored=None):
    wanted = choose_checksum((stored or composite("CRC32", PARTS),), len(BODY))
    verifier = composite_verifier(wanted, len(BODY), sizes, digests)
    assert isinstance(verifier, SegmentVerifier)
    verifier.update(body)
    return verifier.finish()


@pytest.mark.parametrize("suffix", [True, False])
@pytest.mark.parametrize("digests", [(), DIGESTS, [f"{one}-1" for one in DIGESTS], ["", DIGESTS[1], ""]])
def test_the_stored_parts_are_accepted(digests, suffix):
    assert verify(BODY, digests=digests, stored=composite("CRC32", PARTS, suffix)) is None


def test_the_first_damaged_part_is_named():
    damaged = b"first part" + b"sEcond part!" + b"thirD"
    assert verify(damaged, digests=DIGESTS) == Mismatch("CRC32", DIGESTS[1], crc(b"sEcond part!"), part=2)


def test_damage_is_found_without_digests_of_the_parts():
    mismatch = verify(b"first part" + b"sEcond part!" + b"third")
    assert mismatch.part is None
    assert mismatch.expected == composite("CRC32", PARTS, suffix=False).value


def test_part_digests_that_belong_to_another_object_are_found_by_the_whole():
    others = [b"FIRST PART", *PARTS[1:]]
    mismatch = verify(b"".join(others), digests=[crc(part) for part in others])
    assert mismatch.part is None


@pytest.mark.parametrize("body", [BODY[:-1], BODY[: SIZES[0]], b"", BODY + b"!", BODY + BODY])
def test_missing_and_surplus_bytes_are_found(body):
    assert verify(body) is not None


def test_a_verdict_can_be_read_twice():
    wanted = choose_checksum((composite("CRC32", PARTS),), len(BODY))
    verifier = composite_verifier(wanted, len(BODY), SIZES, DIGESTS)
    verifier.update(BODY)
    assert verifier.finish() is None
    assert verifier.finish() is None


def test_the_part_of_a_one_part_upload_is_not_its_composite_value():
    stored = composite("CRC32", [BODY])
    assert stored.value != f"{crc(BODY)}-1"
    verifier = composite_verifier(choose_checksum((stored,), len(BODY)), len(BODY), [len(BODY)], [crc(BODY)])
    verifier.update(BODY)
    assert verifier.finish() is None


@pytest.mark.parametrize(
    ("sizes", "digests"),
    [
        ([], []),
        ([*SIZES[:2], 4], []),
        ([*SIZES[:2], 6], []),
        ([SIZES[0] + SIZES[1], SIZES[2]], []),  # two parts, but the value is for three
        ([len(BODY) + 1, -1, 0], []),
        (SIZES, DIGESTS[:2]),
    ],
)
def test_parts_that_cannot_be_those_of_the_object_verify_nothing(sizes, digests):
    wanted = choose_checksum((composite("CRC32", PARTS),), len(BODY))
    assert composite_verifier(wanted, len(BODY), sizes, digests).reason == "unknown-parts"


def test_a_malformed_part_digest_verifies_nothing():
    wanted = choose_checksum((composite("CRC32", PARTS),), len(BODY))
    verdict = composite_verifier(wanted, len(BODY), SIZES, [*DIGESTS[:2], "rosUhgp5mIg="])
    assert verdict.reason == "malformed-checksum"


def test_a_mismatch_reads_as_a_sentence():
    assert str(Mismatch("CRC32", "AAAA", "BBBB")) == "the CRC32 of the object is BBBB, S3 stores AAAA"
    assert str(Mismatch("SHA1", "AAAA", "BBBB", 3)) == "the SHA1 of part 3 is BBBB, S3 stores AAAA"
