"""Where a listing is cut into shards. Pure: entries come in one by one, in UTF-8 order; finished shards come out.

A shard is a range of the listing with every key in it by name: what its worker fetches is exactly what was planned.
Shards are about equal in work, which objects and bytes both make: a shard is full when its share of both comes to one.

A key below which other keys live ("a" beside "a/b") has another path than it would have alone, and a worker sees only
its own keys. So the plan tells which keys are shadowed. Mostly that is known before the shard is cut; where the
key below lies beyond the cut, it is told later, by `late`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from s3haul.core.keypath import ShadowFilter
from s3haul.models import ObjectRef, UnusableEntry

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSize:
    """What fills a shard: so many objects, or so many bytes, or a mixture of both."""

    objects: int = 10_000
    bytes: int = 4096 * MEBIBYTE

    def share(self, size: int) -> float:
        """The part of a shard that one object of `size` bytes takes."""
        return 1.0 / self.objects + size / self.bytes


@dataclass(slots=True)
class Shard:
    """Planned objects in key order. `shadowed` are the keys that were known to be so when the shard was cut;
    `unusable` are entries of the listing that name no object."""

    number: int
    refs: list[ObjectRef] = field(default_factory=list)
    shadowed: set[str] = field(default_factory=set)
    unusable: list[UnusableEntry] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """How many keys it accounts for."""
        return len(self.refs) + len(self.unusable)

    @property
    def bytes(self) -> int:
        return sum(ref.size for ref in self.refs)


class LateShadow(NamedTuple):
    """A key of a shard that had been cut before the key below it came."""

    shard: int
    key: str


class _Place(NamedTuple):
    """A listed key, and the shard that it went to; None for one that is not selected."""

    key: str
    shard: Shard | None


class Cutter:
    """Takes the entries of a listing, gives shards."""

    def __init__(self, size: ShardSize) -> None:
        self._size = size
        self._shadows: ShadowFilter[_Place] = ShadowFilter(key=lambda place: place.key)
        self._shard = Shard(0)
        self._filled = 0.0
        self.late: list[LateShadow] = []

    def add(self, ref: ObjectRef, *, selected: bool = True) -> Iterator[Shard]:
        """The next entry; the shard that it completes, if any. An entry that is not selected only shadows others."""
        share = self._size.share(ref.size)
        if selected and self._shard.objects and self._filled + share > 1.0:
            yield self._cut()
        if selected:
            self._shard.refs.append(ref)
            self._filled += share
        self._settle(_Place(ref.key, self._shard if selected else None))

    def add_unusable(self, entry: UnusableEntry) -> Iterator[Shard]:
        """An entry that names no object goes along with its neighbours."""
        if self._shard.objects >= self._size.objects:
            yield self._cut()
        self._shard.unusable.append(entry)
        self._filled += 1.0 / self._size.objects

    def end(self) -> Iterator[Shard]:
        """The listing has ended; what is left of it."""
        if self._shard.objects:
            yield self._cut()

    def _cut(self) -> Shard:
        full, self._shard, self._filled = self._shard, Shard(self._shard.number + 1), 0.0
        return full

    def _settle(self, place: _Place) -> None:
        for settled, shadowed in self._shadows.push(place):
            if not shadowed or settled.shard is None:
                continue
            if settled.shard is self._shard:
                settled.shard.shadowed.add(settled.key)
            else:
                self.late.append(LateShadow(settled.shard.number, settled.key))
