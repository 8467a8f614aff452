"""The plan's files: a shard as gzipped JSON lines, the index with a record of fixed length a shard. Pure, bytes only.

A record of fixed length lets a worker read its own line of an index of a hundred thousand shards and nothing else.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from s3haul.cluster.cutting import LateShadow, Shard
from s3haul.errors import SourceError
from s3haul.models import ObjectRef, UnusableEntry

RECORD = 192  # bytes
_LEVEL = 6
_REF, _SHADOWED, _UNUSABLE = "ref", "shadowed", "unusable"


class ShardRecord(NamedTuple):
    """What the index says of a shard: how many keys and bytes, and the SHA-256 of its file."""

    shard: int
    objects: int
    bytes: int
    sha256: str


def damaged_plan(what: str) -> SourceError:
    """The error for a file of the plan that is not as it was written."""
    return SourceError(
        f"The plan is damaged: {what}.",
        hint="copy the run's directory again, or make a new plan: s3haul cluster plan",
        id="S3H-RUN-03",
    )


def encode_shard(shard: Shard) -> tuple[bytes, ShardRecord]:
    """The file of a shard, and its record."""
    lines: list[dict[str, object]] = [
        {_REF: ref, _SHADOWED: True} if ref.key in shard.shadowed else {_REF: ref} for ref in shard.refs
    ]
    lines += [{_UNUSABLE: entry} for entry in shard.unusable]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    data = gzip.compress(text.encode("ascii"), _LEVEL, mtime=0)
    return data, ShardRecord(shard.number, shard.objects, shard.bytes, hashlib.sha256(data).hexdigest())


def decode_shard(data: bytes, record: ShardRecord) -> Shard:
    """The shard of a file. Raises `SourceError` unless it is the one that the record was made of."""
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise damaged_plan(f"the file of shard {record.shard} is not the one that was written")
    shard = Shard(record.shard)
    try:
        for line in gzip.decompress(data).splitlines():
            entry = json.loads(line)
            if _UNUSABLE in entry:
                shard.unusable.append(UnusableEntry(*entry[_UNUSABLE]))
                continue
            ref = ObjectRef(*entry[_REF])
            shard.refs.append(ref)
            if entry.get(_SHADOWED):
                shard.shadowed.add(ref.key)
    except (ValueError, TypeError, KeyError, OSError, EOFError, zlib.error) as error:
        raise damaged_plan(f"the file of shard {record.shard} cannot be read ({error})") from error
    return shard


def encode_record(record: ShardRecord) -> bytes:
    """One line of the index, `RECORD` bytes long."""
    text = json.dumps(record._asdict(), separators=(",", ":")).encode("ascii")
    return text.ljust(RECORD - 1) + b"\n"


def decode_record(line: bytes, number: int) -> ShardRecord:
    """The record of shard `number`. Raises `SourceError`."""
    try:
        record = ShardRecord(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise damaged_plan(f"line {number + 1} of the index cannot be read") from error
    if record.shard != number or len(line) != RECORD:
        raise damaged_plan(f"line {number + 1} of the index is not about shard {number}")
    return record


def encode_late(late: Iterable[LateShadow]) -> bytes:
    """The file of the keys that turned out to be shadowed after their shard had been cut."""
    return "".join(json.dumps(each) + "\n" for each in late).encode("ascii")


def late_keys(data: bytes, shard: int) -> set[str]:
    """Those of one shard. Raises `SourceError`."""
    try:
        return {key for number, key in map(json.loads, data.splitlines()) if number == shard}
    except (ValueError, TypeError) as error:
        raise damaged_plan("the list of late shadowed keys cannot be read") from error
