"""What object bodies are made of: bytes in memory, or generated ones of any size that sit nowhere.

Generated content is a pure function of (seed, offset), and no two blocks of it are alike, so that a
client that mixes up ranges, parts or objects produces wrong bytes.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Protocol

_BLOCK = 65_536
_HEADER = struct.Struct(">QQ")
_SPAN = 1 << 20
_NOISE = hashlib.shake_256(b"s3haul demo content").digest(_SPAN + _BLOCK)


class Content(Protocol):
    """A body of a known size that any range can be read from."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, length: int) -> bytes:
        """The bytes from `start`; fewer than `length` only at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        return self.data[start : start + length]


@dataclass(frozen=True, slots=True)
class Generated:
    """Deterministic bytes: each 64 KiB block is its own number and seed, then noise."""

    seed: int
    size: int

    def read(self, start: int, length: int) -> bytes:
        end = min(start + length, self.size)
        if end <= start:
            return b""
        first = start // _BLOCK
        blocks = [self._block(number) for number in range(first, (end - 1) // _BLOCK + 1)]
        joined = blocks[0] if len(blocks) == 1 else b"".join(blocks)
        return joined[start - first * _BLOCK : end - first * _BLOCK]

    def _block(self, number: int) -> bytes:
        offset = (self.seed * 2_654_435_761 + number * 40_503) % _SPAN
        used = min(_BLOCK, self.size - number * _BLOCK)
        return _HEADER.pack(self.seed, number) + _NOISE[offset : offset + max(0, used - _HEADER.size)]


@dataclass(frozen=True, slots=True)
class Slice:
    """A range of another content."""

    whole: Content
    start: int
    size: int

    def read(self, start: int, length: int) -> bytes:
        return self.whole.read(self.start + start, min(length, self.size - start))


@dataclass(frozen=True, slots=True)
class Flipped:
    """Another content with the bits of one byte inverted."""

    whole: Content
    offset: int

    @property
    def size(self) -> int:
        return self.whole.size

    def read(self, start: int, length: int) -> bytes:
        data = self.whole.read(start, length)
        position = self.offset - start
        if not 0 <= position < len(data):
            return data
        changed = bytearray(data)
        changed[position] ^= 0xFF
        return bytes(changed)


@dataclass(frozen=True, slots=True)
class Joined:
    """One content after another."""

    head: Content
    tail: Content

    @property
    def size(self) -> int:
        return self.head.size + self.tail.size

    def read(self, start: int, length: int) -> bytes:
        first = self.head.read(start, length) if start < self.head.size else b""
        rest = length - len(first)
        if not rest:
            return first
        return first + self.tail.read(max(0, start - self.head.size), rest)


EMPTY = Literal(b"")


def seed_of(text: str) -> int:
    """A 64-bit seed for generated content."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
