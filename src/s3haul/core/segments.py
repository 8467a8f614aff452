"""Verifies bytes. A segment is what has one stored digest: the whole object, or each of its parts. Pure.

`WholeVerifier` and `SegmentVerifier` (for composite checksums) hash bytes that come in order, from S3 or from a file.
`Expected` says what segments must hash to; ranges hash their blocks themselves, and ask `Expected` alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

from s3haul.core.checksums import (
    CRCS,
    Composite,
    Data,
    FullObject,
    Mismatch,
    Unverifiable,
    new_hasher,
    raw_digest,
    text_of,
)

FALLBACK = "CRC64NVME"  # hashed where S3 stores nothing that can be computed, for a later offline verify

Wanted = FullObject | Composite | Unverifiable


class Expected(NamedTuple):
    """`segments` are their raw digests, None where unknown; `whole` that over all of them, if there is one."""

    algorithm: str
    segments: tuple[bytes | None, ...]
    whole: bytes | None = None

    @property
    def block_algorithm(self) -> str:
        """The CRC that blocks are hashed with: the stored one if it is a CRC, since those combine."""
        return self.algorithm if self.algorithm in CRCS else FALLBACK

    @property
    def combines(self) -> bool:
        """Whether the digest of a segment follows from those of its blocks."""
        return self.algorithm in CRCS

    def validate(self, digests: Sequence[bytes]) -> tuple[list[int], Mismatch | None]:
        """The segments to fetch again, and what is wrong; nothing where all is right."""
        wrong = [
            number
            for number, (wanted, got) in enumerate(zip(self.segments, digests, strict=True))
            if wanted is not None and wanted != got
        ]
        if wrong:
            wanted = self.segments[wrong[0]] or b""
            part = None if self.whole is None else wrong[0] + 1
            return wrong, Mismatch(self.algorithm, text_of(wanted), text_of(digests[wrong[0]]), part)
        if self.whole is None or self.whole == (got := _digest_of_digests(self.algorithm, digests)):
            return [], None
        unknown = [number for number, wanted in enumerate(self.segments) if wanted is None]
        mismatch = Mismatch(self.algorithm, text_of(self.whole), text_of(got))
        return unknown or list(range(len(digests))), mismatch


def expected(wanted: Wanted, part_digests: Sequence[str], parts: int) -> Expected:
    """What must come out. `part_digests` are base64, "" where unknown, or nothing; a "-N" is ignored."""
    match wanted:
        case FullObject():
            return Expected(wanted.algorithm, (wanted.expected,))
        case Unverifiable():
            return Expected(FALLBACK, (None,))
        case Composite():
            raw = [raw_digest(wanted.algorithm, text) for text in part_digests] or [None] * parts
            return Expected(wanted.algorithm, tuple(raw), wanted.expected)


class WholeVerifier:
    """Takes the bytes, in order, of an object whose one digest is stored, or none.

    Only bytes are compared: that as many came as were listed is for the caller to check, first.
    """

    def __init__(self, wanted: FullObject | Unverifiable) -> None:
        self._wanted = wanted if isinstance(wanted, FullObject) else None
        self._hasher = new_hasher(FALLBACK if self._wanted is None else self._wanted.checksum.algorithm)
        self.update = self._hasher.update
        self.digest = self._hasher.digest

    def finish(self) -> Mismatch | None:
        """What is wrong, if anything."""
        wanted, got = self._wanted, self.digest()
        if wanted is None or got == wanted.expected:
            return None
        return Mismatch(wanted.algorithm, text_of(wanted.expected), text_of(got))


class SegmentVerifier:
    """Takes the bytes, in order, of an object with a composite checksum. `sizes` are those of its segments.

    Only bytes are compared: that as many came as were listed is for the caller to check, first.
    """

    def __init__(self, expected: Expected, sizes: Sequence[int]) -> None:
        self._expected = expected
        self._sizes = sizes
        self._digests: list[bytes] = []
        self._hasher = new_hasher(expected.algorithm)
        self._left = sizes[0]

    def update(self, data: Data) -> None:
        """The next bytes. Those beyond the last segment go into it, so that they spoil its digest."""
        view = memoryview(data)
        while len(view) > self._left and len(self._digests) < len(self._sizes) - 1:
            self._hasher.update(view[: self._left])
            view = view[self._left :]
            self._end_segment()
        self._hasher.update(view)
        self._left -= len(view)

    def finish(self) -> Mismatch | None:
        """What is wrong, if anything, once all bytes have come."""
        while len(self._digests) < len(self._sizes):
            self._end_segment()
        return self._expected.validate(self._digests)[1]

    def _end_segment(self) -> None:
        self._digests.append(self._hasher.digest())
        if len(self._digests) < len(self._sizes):
            self._hasher = new_hasher(self._expected.algorithm)
            self._left = self._sizes[len(self._digests)]


def composite_verifier(
    wanted: Composite, size: int, sizes: Sequence[int], digests: Sequence[str] = ()
) -> SegmentVerifier | Unverifiable:
    """For an object of `size` bytes whose parts have these `sizes`, in order.

    `digests` are the parts' stored digests (base64, "" where unknown, a "-N" is ignored), or nothing.
    Parts that cannot be those of the object give `Unverifiable`: what S3 said of it is not consistent.
    """
    fits = bool(sizes) and min(sizes) >= 0 and sum(sizes) == size and wanted.parts in {None, len(sizes)}
    if not fits or (digests and len(digests) != len(sizes)):
        return Unverifiable(
            "unknown-parts", f"the {len(sizes)} parts that are known do not make up the stored object"
        )
    if any(text and raw_digest(wanted.algorithm, text) is None for text in digests):
        return Unverifiable(
            "malformed-checksum", f"the {wanted.algorithm} that S3 sends of a part is malformed"
        )
    return SegmentVerifier(expected(wanted, digests, len(sizes)), sizes)


def _digest_of_digests(algorithm: str, digests: Sequence[bytes]) -> bytes:
    hasher = new_hasher(algorithm)
    for digest in digests:
        hasher.update(digest)
    return hasher.digest()
