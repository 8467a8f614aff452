"""The plan: a listing cut into shards, and the files of the plan. Pure:
entries or bytes in, shards or bytes out.

A shard is a range of the listing with every key in it by name: its worker fetches exactly what was planned. A
shard is full when its share of objects and its share of bytes together come to one, so shards are about equal
in work. Entries come in one by one, in UTF-8 order.

A key that is also a directory of other keys ("a" beside "a/b") is shadowed: it gets another path than it
would have alone. A worker sees only the keys of its shard, so the plan says which keys are shadowed. Usually
that is known before the shard is cut; if the other key comes after the cut, it is in the list `late`.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from s3haul.core.keypath import ShadowFilter
from s3haul.errors import SourceError
from s3haul.models import ObjectRef, UnusableEntry

MEBIBYTE = 1 << 20
RECORD = 192  # bytes of each line of the index, so that a worker can read one line without the others
_LEVEL = 6  # of gzip
_REF, _SHADOWED, _UNUSABLE = "ref", "shadowed", "unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSize:
    """The size of a full shard: so many objects, or so many bytes, or a mixture of both."""

    objects: int = 10_000
    bytes: int = 4096 * MEBIBYTE

    def share(self, size: int) -> float:
        """The part of a shard that one object of `size` bytes takes."""
        return 1.0 / self.objects + size / self.bytes


class Attempt(NamedTuple):
    """One attempt at one shard. Every attempt has a higher number than those before it,
    also after a restart of the driver."""

    shard: int
    number: int


@dataclass(slots=True)
class Shard:
    """Planned objects in key order. `shadowed` are the shadowed keys that were known when the shard was cut;
    `unusable` are entries of the listing that name no object."""

    number: int
    refs: list[ObjectRef] = field(default_factory=list)
    shadowed: set[str] = field(default_factory=set)
    unusable: list[UnusableEntry] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """The number of its keys."""
        return len(self.refs) + len(self.unusable)

    @property
    def bytes(self) -> int:
        return sum(ref.size for ref in self.refs)


class LateShadow(NamedTuple):
    """A key that was found to be shadowed after its shard had been cut."""

    shard: int
    key: str


class _Place(NamedTuple):
    """A listed key, and its shard; None if it is not selected."""

    key: str
    shard: Shard | None


class Cutter:
    """Takes the entries of a listing, returns shards."""

    def __init__(self, size: ShardSize) -> None:
        self._size = size
        self._shadows: ShadowFilter[_Place] = ShadowFilter(key=lambda place: place.key)
        self._shard = Shard(0)
        self._filled = 0.0
        self.late: list[LateShadow] = []

    def add(self, ref: ObjectRef, *, selected: bool = True) -> Iterator[Shard]:
        """Add the next entry; yields a shard if one is complete.
        An entry that is not selected only shadows others."""
        share = self._size.share(ref.size)
        if selected and self._shard.objects and self._filled + share > 1.0:
            yield self._cut()
        if selected:
            self._shard.refs.append(ref)
            self._filled += share
        for place, shadowed in self._shadows.push(_Place(ref.key, self._shard if selected else None)):
            if shadowed and place.shard is self._shard:
                self._shard.shadowed.add(place.key)
            elif shadowed and place.shard is not None:
                self.late.append(LateShadow(place.shard.number, place.key))

    def add_unusable(self, entry: UnusableEntry) -> Iterator[Shard]:
        """Add an entry that names no object."""
        if self._shard.objects >= self._size.objects:
            yield self._cut()
        self._shard.unusable.append(entry)
        self._filled += 1.0 / self._size.objects

    def end(self) -> Iterator[Shard]:
        """The listing has ended: yields the last shard."""
        if self._shard.objects:
            yield self._cut()

    def _cut(self) -> Shard:
        full, self._shard, self._filled = self._shard, Shard(self._shard.number + 1), 0.0
        return full


class ShardRecord(NamedTuple):
    """The entry of a shard in the index: the numbers of its keys and bytes, and the SHA-256 of its file."""

    shard: int
    objects: int
    bytes: int
    sha256: str


def damaged_plan(what: str) -> SourceError:
    """The error for a file of the plan that was changed or is missing."""
    return SourceError(
        f"The plan is damaged: {what}.",
        hint="copy the run's directory again, or make a new plan: s3haul cluster plan",
        id="S3H-RUN-03",
    )


def gzipped(lines: Iterable[str]) -> bytes:
    """A gzip file of these lines; the same lines give the same bytes."""
    return gzip.compress("".join(f"{line}\n" for line in lines).encode("ascii"), _LEVEL, mtime=0)


def json_lines(data: bytes) -> list[Any]:
    """The JSON values in the lines of a gzip file. Raises ValueError for anything else."""
    try:
        return [json.loads(line) for line in gzip.decompress(data).splitlines()]
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error


def encode_shard(shard: Shard) -> tuple[bytes, ShardRecord]:
    """The file of a shard, and its record."""
    lines: list[dict[str, object]] = [
        {_REF: ref, _SHADOWED: True} if ref.key in shard.shadowed else {_REF: ref} for ref in shard.refs
    ]
    lines += [{_UNUSABLE: entry} for entry in shard.unusable]
    data = gzipped(json.dumps(line, separators=(",", ":")) for line in lines)
    return data, ShardRecord(shard.number, shard.objects, shard.bytes, hashlib.sha256(data).hexdigest())


def decode_shard(data: bytes, record: ShardRecord) -> Shard:
    """The shard in a file. Raises `SourceError` unless the file is the one of the record."""
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise damaged_plan(f"the file of shard {record.shard} is not the one that was written")
    shard = Shard(record.shard)
    try:
        for entry in json_lines(data):
            if _UNUSABLE in entry:
                shard.unusable.append(UnusableEntry(*entry[_UNUSABLE]))
                continue
            ref = ObjectRef(*entry[_REF])
            shard.refs.append(ref)
            if entry.get(_SHADOWED):
                shard.shadowed.add(ref.key)
    except (ValueError, TypeError, KeyError) as error:
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
    """The file of the keys that were found to be shadowed after their shard had been cut."""
    return "".join(json.dumps(each) + "\n" for each in late).encode("ascii")


def late_keys(data: bytes, shard: int) -> set[str]:
    """The keys of one shard in that file. Raises `SourceError`."""
    try:
        return {key for number, key in map(json.loads, data.splitlines()) if number == shard}
    except (ValueError, TypeError) as error:
        raise damaged_plan("the list of late shadowed keys cannot be read") from error
