"""The checksums that S3 stores with an object: every algorithm, FULL_OBJECT and COMPOSITE.

Values are computed when first asked for and kept. COMPOSITE is the algorithm over the concatenated
raw digests of the parts; its "-N" is a matter of the answer, not of the value.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

from awscrt import checksums as crt

from s3haul.demo.content import Content, Literal

_CHUNK = 1 << 20

FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"


class Hasher(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A CRC as a hash; the digest is big-endian, as S3 shows it."""

    def __init__(self, function: Callable[[bytes, int], int], width: int) -> None:
        self._function = function
        self._width = width
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


class _XxHash:
    def __init__(self, make: Callable[[], crt.XXHash]) -> None:
        self._hash = make()

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def digest(self) -> bytes:
        return bytes(self._hash.finalize())


ALGORITHMS: dict[str, Callable[[], Hasher]] = {
    "CRC32": partial(_Crc, zlib.crc32, 4),
    "CRC32C": partial(_Crc, crt.crc32c, 4),
    "CRC64NVME": partial(_Crc, crt.crc64nvme, 8),
    "SHA1": partial(hashlib.sha1, usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": partial(hashlib.md5, usedforsecurity=False),
    "XXHASH64": partial(_XxHash, crt.XXHash.new_xxhash64),
    "XXHASH3": partial(_XxHash, crt.XXHash.new_xxhash3_64),
    "XXHASH128": partial(_XxHash, crt.XXHash.new_xxhash3_128),
}


def digest(algorithm: str, content: Content, start: int = 0, length: int | None = None) -> bytes:
    """The raw digest of a range of the content."""
    hasher = ALGORITHMS[algorithm]()
    end = content.size if length is None else start + length
    for position in range(start, end, _CHUNK):
        hasher.update(content.read(position, min(_CHUNK, end - position)))
    return hasher.digest()


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class StoredChecksum:
    """The checksum of one object. `type` is FULL_OBJECT or COMPOSITE; values are base64 without "-N"."""

    __slots__ = ("_content", "_part_sizes", "_parts", "_value", "algorithm", "type")

    def __init__(self, algorithm: str, kind: str, content: Content, part_sizes: tuple[int, ...] = ()) -> None:
        self.algorithm = algorithm
        self.type = kind
        self._content = content
        self._part_sizes = part_sizes
        self._value: str | None = None
        self._parts: list[str] | None = None

    @property
    def header(self) -> str:
        return f"x-amz-checksum-{self.algorithm.lower()}"

    @property
    def value(self) -> str:
        if self._value is None:
            self._value = text(self._whole())
        return self._value

    @property
    def part_values(self) -> list[str]:
        """Base64 digests of the parts, in order. Empty for an object that is no multipart upload."""
        if self._parts is None:
            self._parts = [text(raw) for raw in self._part_digests()]
        return self._parts

    def _whole(self) -> bytes:
        if self.type == FULL_OBJECT:
            return digest(self.algorithm, self._content)
        raw = b"".join(base64.b64decode(value) for value in self.part_values)
        return digest(self.algorithm, Literal(raw))

    def _part_digests(self) -> list[bytes]:
        start = 0
        digests = []
        for size in self._part_sizes:
            digests.append(digest(self.algorithm, self._content, start, size))
            start += size
        return digests


def default_type(algorithm: str, *, multipart: bool) -> str:
    """What S3 stores when the uploader names only the algorithm."""
    return COMPOSITE if multipart and algorithm != "CRC64NVME" else FULL_OBJECT
