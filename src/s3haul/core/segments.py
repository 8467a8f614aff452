"""What the segments of an object must hash to: the rules of FULL_OBJECT and COMPOSITE, on digests. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from s3haul.core.checksums import (
    CRCS,
    Composite,
    FullObject,
    Mismatch,
    Unverifiable,
    new_hasher,
    raw_digest,
    text_of,
)

FALLBACK = "CRC64NVME"  # hashed where S3 stores nothing that can be computed, for a later offline verify


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
        got = _over(self.algorithm, digests)
        if self.whole is None or got == self.whole:
            return [], None
        unknown = [number for number, wanted in enumerate(self.segments) if wanted is None]
        mismatch = Mismatch(self.algorithm, text_of(self.whole), text_of(got))
        return unknown or list(range(len(digests))), mismatch


def expected(
    wanted: FullObject | Composite | Unverifiable, part_digests: Sequence[str], parts: int
) -> Expected:
    """What must come out. `part_digests` are base64, "" where unknown, or nothing; a "-N" is ignored."""
    match wanted:
        case FullObject():
            return Expected(wanted.algorithm, (wanted.expected,))
        case Unverifiable():
            return Expected(FALLBACK, (None,))
        case Composite():
            raw = [raw_digest(wanted.algorithm, text) for text in part_digests] or [None] * parts
            return Expected(wanted.algorithm, tuple(raw), wanted.expected)


def _over(algorithm: str, digests: Sequence[bytes]) -> bytes:
    hasher = new_hasher(algorithm)
    assert hasher is not None, "only supported algorithms get here"
    for digest in digests:
        hasher.update(digest)
    return hasher.digest()
