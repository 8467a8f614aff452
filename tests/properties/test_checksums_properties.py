"""For every body, cut and flip: verifiers agree with brute force and miss nothing."""

import hashlib
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from s3haul.core.checksums import choose_checksum, new_hasher, text_of
from s3haul.core.verification import WholeVerifier, composite_verifier
from s3haul.models import Checksum

CRCS = ["CRC32", "CRC32C", "CRC64NVME"]
ALGORITHMS = [*CRCS, "SHA1", "SHA256", "SHA512", "MD5"]
POLYNOMIALS = {"CRC32": 0xEDB88320, "CRC32C": 0x82F63B78, "CRC64NVME": 0x9A6C9329AC4BC9B5}

algorithms = st.sampled_from(ALGORITHMS)
bodies = st.binary(max_size=200)


def reference(algorithm, data):
    """The digest by the definition of a reflected CRC, bit by bit, or by hashlib."""
    if algorithm not in CRCS:
        return hashlib.new(algorithm.lower(), data, usedforsecurity=False).digest()
    size = 8 if algorithm == "CRC64NVME" else 4
    ones = value = (1 << 8 * size) - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIALS[algorithm] if value & 1 else 0)
    return (value ^ ones).to_bytes(size, "big")


def cut(body, places):
    edges = sorted({place % (len(body) + 1) for place in places} | {0, len(body)})
    return [body[start:end] for start, end in pairwise(edges)] or [b""]


def feed(verifier, chunks):
    for chunk in chunks:
        verifier.update(memoryview(chunk))
    return verifier.finish()


def stored_full(algorithm, body):
    value = text_of(reference(algorithm, body))
    return choose_checksum((Checksum(algorithm, "FULL_OBJECT", value),), len(body))


def stored_composite(algorithm, parts):
    value = text_of(reference(algorithm, b"".join(reference(algorithm, part) for part in parts)))
    return choose_checksum((Checksum(algorithm, "COMPOSITE", f"{value}-{len(parts)}"),), sum(map(len, parts)))


def verifier_of(algorithm, parts, digests=()):
    return composite_verifier(
        stored_composite(algorithm, parts), sum(map(len, parts)), [len(part) for part in parts], digests
    )


def flipped(body, bit):
    damaged = bytearray(body)
    damaged[bit // 8 % len(body)] ^= 1 << bit % 8
    return bytes(damaged)


places = st.lists(st.integers(0, 1000), max_size=8)


@given(algorithms, bodies)
def test_every_digest_follows_its_definition(algorithm, body):
    hasher = new_hasher(algorithm)
    hasher.update(body)
    assert hasher.digest() == reference(algorithm, body)


@given(algorithms, bodies, places)
def test_any_cut_of_the_stream_gives_the_same_verdict(algorithm, body, chunks):
    assert feed(WholeVerifier(stored_full(algorithm, body)), cut(body, chunks)) is None


@given(algorithms, st.binary(min_size=1, max_size=200), st.integers(0, 1600), places)
def test_one_flipped_bit_is_found_in_a_full_object(algorithm, body, bit, chunks):
    stored = stored_full(algorithm, body)
    assert feed(WholeVerifier(stored), cut(flipped(body, bit), chunks)) is not None


@given(algorithms, bodies, places, places, st.booleans())
def test_any_cut_of_a_composite_stream_gives_the_verdict_of_brute_force(
    algorithm, body, boundaries, chunks, digests_known
):
    parts = cut(body, boundaries)
    digests = [text_of(reference(algorithm, part)) for part in parts] if digests_known else []
    assert feed(verifier_of(algorithm, parts, digests), cut(body, chunks)) is None


@given(algorithms, st.binary(min_size=1, max_size=200), places, places, st.integers(0, 1600))
def test_one_flipped_bit_is_found_and_its_part_is_named(algorithm, body, boundaries, chunks, bit):
    parts = cut(body, boundaries)
    digests = [text_of(reference(algorithm, part)) for part in parts]
    ends = list(accumulate(len(part) for part in parts))
    part = next(number for number, end in enumerate(ends, 1) if bit // 8 % len(body) < end)
    damaged = cut(flipped(body, bit), chunks)
    assert feed(verifier_of(algorithm, parts, digests), damaged).part == part
    assert feed(verifier_of(algorithm, parts), damaged).part is None


@given(st.binary(min_size=6, max_size=200), st.integers(2, 1000), st.sampled_from([-1, 1]))
def test_a_part_boundary_one_byte_off_is_found(body, place, step):
    boundary = 2 + place % (len(body) - 4)
    parts = [body[:boundary], body[boundary:]]
    stored = stored_composite("SHA256", parts)
    verifier = composite_verifier(stored, len(body), [boundary + step, len(body) - boundary - step])
    assert feed(verifier, [body]) is not None


@given(bodies, places, st.integers(0, 1000))
def test_a_cut_short_composite_stream_is_found(body, boundaries, length):
    parts = cut(body, boundaries)
    short = body[: length % (len(body) + 1)]
    if short != body:
        assert feed(verifier_of("SHA256", parts), [short]) is not None
    assert feed(verifier_of("SHA256", parts), [body, b"x"]) is not None
