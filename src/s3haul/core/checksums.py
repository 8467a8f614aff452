"""Checksums that S3 stores: which one to verify an object by, and running digests. No I/O.

A FULL_OBJECT value is a digest of the whole body. A COMPOSITE value is the digest of the concatenated raw
digests of the parts, so it says nothing about the body's own digest, and can be checked only by who knows
where the parts begin. The type is what the ChecksumType field says. The "-N" that may follow a composite
value does not decide, since S3 leaves it out of some responses (GetObjectAttributes, ranges over the whole
object); only where a response has no ChecksumType, `s3.responses` goes by it.

An object with several stored checksums is verified by the first one of `_ALGORITHMS` that is well formed:
all of them find damage.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from awscrt import checksums as crt

from s3haul.models import Checksum

Data = bytes | bytearray | memoryview

_TYPES = frozenset({"FULL_OBJECT", "COMPOSITE"})

MAX_PARTS = 10_000  # of a multipart upload


class Hasher(Protocol):
    """A running digest; `digest` may be called at any time and does not end it."""

    def update(self, data: Data, /) -> None: ...

    def digest(self) -> bytes: ...


class Mismatch(NamedTuple):
    """The bytes are not those that S3 stored; `expected` and `got` are base64, `part` counts from 1.

    `part` is None where the value of the whole object differs.
    """

    algorithm: str
    expected: str
    got: str
    part: int | None = None

    def __str__(self) -> str:
        what = "the object" if self.part is None else f"part {self.part}"
        return f"the {self.algorithm} of {what} is {self.got}, S3 stores {self.expected}"


class FullObject(NamedTuple):
    """Verifiable by one raw `digest` over the whole body."""

    checksum: Checksum
    digest: bytes

    @property
    def algorithm(self) -> str:
        return self.checksum.algorithm


class Composite(NamedTuple):
    """Verifiable by the digests of the parts, of which `digest` is the digest; `parts` is their number,
    where the value has it."""

    checksum: Checksum
    digest: bytes
    parts: int | None

    @property
    def algorithm(self) -> str:
        return self.checksum.algorithm


class Unverifiable(NamedTuple):
    """No stored checksum can be checked, and why.

    `reason` is no-checksum, unsupported-algorithm, unknown-type, malformed-checksum or
    unknown-parts. The third and fourth are no property of an honest object: who receives
    malformed-checksum should request it again, and not take the object as if S3 stored none.
    """

    reason: str
    sentence: str


class _Crc:
    """A CRC function as a running digest, in the big-endian form that S3 stores."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[Data, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: Data, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """awscrt's, which takes bytes only: a copy, and still faster than any hash below."""

    __slots__ = ("_hash",)

    def __init__(self, new: Callable[[], crt.XXHash]) -> None:
        self._hash = new()

    def update(self, data: Data, /) -> None:
        self._hash.update(bytes(data))

    def digest(self) -> bytes:
        return bytes(self._hash.finalize())


class Crc(NamedTuple):
    """A CRC as a function that starts at 0 and goes on from a value,
    and the value of two segments in sequence."""

    update: Callable[[Data, int], int]
    combine: Callable[[int, int, int], int]  # of the first, of the second, length of the second
    size: int  # bytes of a raw digest, at most 8


# The standard library's crc32 is faster than awscrt's.
CRCS: Mapping[str, Crc] = {
    "CRC64NVME": Crc(crt.crc64nvme, crt.combine_crc64nvme, 8),
    "CRC32C": Crc(crt.crc32c, crt.combine_crc32c, 4),
    "CRC32": Crc(zlib.crc32, crt.combine_crc32, 4),
}


class _Algorithm(NamedTuple):
    size: int  # bytes of a raw digest
    new: Callable[[], Hasher]


# In order of preference: what is known for longest first, and of these what costs least. `new` returns a
# `Hasher`, which must take memoryviews and give a digest at any time.
_ALGORITHMS: Mapping[str, _Algorithm] = {
    **{name: _Algorithm(crc.size, partial(_Crc, crc.update, crc.size)) for name, crc in CRCS.items()},
    "SHA256": _Algorithm(32, hashlib.sha256),
    "SHA1": _Algorithm(20, lambda: hashlib.sha1(usedforsecurity=False)),
    "SHA512": _Algorithm(64, hashlib.sha512),
    "MD5": _Algorithm(16, lambda: hashlib.md5(usedforsecurity=False)),
    "XXHASH128": _Algorithm(16, lambda: _XxHash(crt.XXHash.new_xxhash3_128)),
    "XXHASH3": _Algorithm(8, lambda: _XxHash(crt.XXHash.new_xxhash3_64)),
    "XXHASH64": _Algorithm(8, lambda: _XxHash(crt.XXHash.new_xxhash64)),
}


def new_hasher(algorithm: str) -> Hasher:
    """A running digest. Raises `KeyError` for an algorithm that is not known here;
    `choose_checksum` names none of these."""
    return _ALGORITHMS[algorithm].new()


def choose_checksum(checksums: Sequence[Checksum], size: int) -> FullObject | Composite | Unverifiable:
    """What an object of `size` bytes can be verified by.

    A malformed value never verifies anything: a well-formed one of another algorithm is taken, else the
    answer is `Unverifiable`. CRC64NVME exists as FULL_OBJECT only, so it needs no type; without a type,
    nothing can be said of the others.
    """
    if not checksums:
        return Unverifiable("no-checksum", "S3 stores no checksum of the object")
    if len(checksums) == 1 and checksums[0].algorithm in _ALGORITHMS:
        return _classify(checksums[0], size)
    by_algorithm = {one.algorithm: one for one in checksums}
    supported = [by_algorithm[name] for name in _ALGORITHMS if name in by_algorithm]
    if not supported:
        names = ", ".join(sorted(by_algorithm))
        return Unverifiable("unsupported-algorithm", f"S3 stores a checksum that cannot be computed: {names}")
    checked = [_classify(checksum, size) for checksum in supported]
    return next((one for one in checked if not isinstance(one, Unverifiable)), checked[0])


def _classify(checksum: Checksum, size: int) -> FullObject | Composite | Unverifiable:
    kind = checksum.type or ("FULL_OBJECT" if checksum.algorithm == "CRC64NVME" else "")
    if kind not in _TYPES:
        return Unverifiable(
            "unknown-type", f"the {checksum.algorithm} that S3 stores is of no known type: {checksum.type!r}"
        )
    text, dash, count = checksum.value.partition("-")
    digest = _raw(checksum.algorithm, text)
    parts = _part_count(count, size) if dash else None
    if digest is None or (dash and (parts is None or kind == "FULL_OBJECT")):
        return Unverifiable(
            "malformed-checksum",
            f"the {checksum.algorithm} that S3 sends is malformed: {checksum.value[:100]!r}",
        )
    if kind == "FULL_OBJECT":
        return FullObject(checksum, digest)
    return Composite(checksum, digest, parts)


def _part_count(text: str, size: int) -> int | None:
    """The N of "-N", or None where no object of `size` bytes can have so many parts."""
    count = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PARTS)) else 0
    return count if 1 <= count <= min(max(size, 1), MAX_PARTS) else None


def _raw(algorithm: str, text: str) -> bytes | None:
    """The raw digest behind its base64 form, or None where it cannot be one of `algorithm`."""
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return raw if len(raw) == _ALGORITHMS[algorithm].size else None


def raw_digest(algorithm: str, text: str) -> bytes | None:
    """The raw digest behind that of a part (base64, a "-N" is ignored); None for "" and what is malformed."""
    return _raw(algorithm, text.partition("-")[0])


def text_of(digest: bytes) -> str:
    """A raw digest in the form in which S3 shows it: base64."""
    return base64.b64encode(digest).decode("ascii")
