"""Stored objects for tests, and what S3 answers to a GET of one: headers, ranges, parts, refusals.

Pure. The checksums are computed here, not by the package, so that they can disagree with it.
"""

import base64
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import awscrt.checksums

from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import Checksum, ObjectMeta
from s3haul.store.protocol import GetRequest

ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def refused(status: int, code: str, message: str = "") -> StoreError:
    """A `StoreError` as a transport makes it of an error answer."""
    return StoreError(Fault(FaultKind.HTTP, message or code, code=code, status=status, request_id="MEMORY"))


def digest(algorithm: str, data: bytes) -> bytes:
    """The raw digest of `data`, big-endian for CRCs."""
    match algorithm:
        case "CRC32":
            return zlib.crc32(data).to_bytes(4, "big")
        case "CRC32C":
            return int(awscrt.checksums.crc32c(data)).to_bytes(4, "big")
        case "CRC64NVME":
            return int(awscrt.checksums.crc64nvme(data)).to_bytes(8, "big")
        case _:
            return hashlib.new(algorithm.lower(), data, usedforsecurity=False).digest()


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One stored object. `digests` are those of its parts, for a COMPOSITE checksum only."""

    body: bytes
    etag: str
    last_modified: float = 1_700_000_000.0
    storage_class: str = "STANDARD"
    version_id: str | None = None
    checksums: tuple[Checksum, ...] = ()
    part_sizes: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()
    restored: bool = False
    sse: str = "aws:kms"
    kms_key_id: str = "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-4000-8000-000000000001"

    @property
    def composite(self) -> Checksum | None:
        return next((one for one in self.checksums if one.type == "COMPOSITE"), None)


def stored(
    body: bytes,
    *,
    algorithm: str | None = "CRC64NVME",
    part_sizes: Sequence[int] = (),
    composite: bool = False,
    **fields: object,
) -> StoredObject:
    """`body` as an upload would have stored it: with its checksum, its parts and an ETag that is no MD5."""
    parts = tuple(part_sizes)
    assert not parts or sum(parts) == len(body), "the parts do not make up the body"
    assert parts or not composite, "a composite checksum needs parts"
    suffix = f"-{len(parts)}" if parts else ""
    etag = f'"{hashlib.md5(b"kms" + body, usedforsecurity=False).hexdigest()}{suffix}"'
    checksums: tuple[Checksum, ...] = ()
    digests: tuple[str, ...] = ()
    if algorithm and composite:
        raw = [digest(algorithm, chunk) for chunk in cut(body, parts)]
        digests = tuple(text(one) for one in raw)
        checksums = (Checksum(algorithm, "COMPOSITE", text(digest(algorithm, b"".join(raw))) + suffix),)
    elif algorithm:
        checksums = (Checksum(algorithm, "FULL_OBJECT", text(digest(algorithm, body))),)
    made = StoredObject(body=body, etag=etag, checksums=checksums, part_sizes=parts, digests=digests)
    return replace(made, **fields)  # type: ignore[arg-type]


def cut(body: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield body[start : start + size]
        start += size


def meta_of(found: StoredObject) -> ObjectMeta:
    """The headers of a GET or HEAD of the whole object."""
    return ObjectMeta(
        status=200,
        length=len(found.body),
        size=len(found.body),
        etag=found.etag,
        last_modified=found.last_modified,
        version_id=found.version_id,
        checksums=found.checksums,
        sse=found.sse,
        kms_key_id=found.kms_key_id,
        storage_class=found.storage_class,
        restored=found.restored,
    )


def answer(found: StoredObject, request: GetRequest) -> tuple[ObjectMeta, bytes]:
    """Headers and body that S3 would send, or the `StoreError` of its refusal."""
    if request.if_match is not None and request.if_match != found.etag:
        raise refused(
            412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"
        )
    if found.storage_class in ARCHIVED and not found.restored:
        raise refused(403, "InvalidObjectState", "The operation is not valid for the object's storage class")
    if request.byte_range is not None:
        return one_range(found, *request.byte_range, meta_of(found))
    return meta_of(found), found.body


def one_range(found: StoredObject, first: int, last: int, meta: ObjectMeta) -> tuple[ObjectMeta, bytes]:
    """A 206. A range over the whole of a composite object carries its value without the "-N"."""
    if first >= len(found.body):
        raise refused(416, "InvalidRange", "The requested range is not satisfiable")
    data = found.body[first : last + 1]
    checksums: tuple[Checksum, ...] = ()
    if len(data) == len(found.body):
        checksums = tuple(one._replace(value=one.value.partition("-")[0]) for one in found.checksums)
    return meta._replace(status=206, length=len(data), range_start=first, checksums=checksums), data


def one_part(found: StoredObject, number: int, meta: ObjectMeta) -> tuple[ObjectMeta, bytes]:
    """A 206: part checksums of a composite object, none of a full-object one that has several parts."""
    sizes = found.part_sizes or (len(found.body),)
    if not 1 <= number <= len(sizes):
        raise refused(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
    start = sum(sizes[: number - 1])
    data = found.body[start : start + sizes[number - 1]]
    checksums = found.checksums if len(sizes) == 1 else ()
    if found.composite:
        checksums = (Checksum(found.composite.algorithm, "COMPOSITE", found.digests[number - 1]),)
    count = len(found.part_sizes) or None
    meta = meta._replace(status=206, length=len(data), checksums=checksums, parts_count=count)
    return meta._replace(range_start=start if data else None), data
