"""The blocks of a large object in its file: which have arrived, their CRCs, and the digests of segments made of them.

CRCs of blocks are combined into those of segments. Other digests are computed in order within a segment,
several segments at a time: ranges arrive in any order, so blocks are read back, mostly from the page cache, as soon as
they follow the last hashed byte. No I/O here.
"""

from array import array
from collections.abc import Awaitable, Callable, Iterator

from s3haul.core.checksums import CRCS, Data, Hasher, new_hasher
from s3haul.core.ranges import RangePlan
from s3haul.models import Block

# Passes the bytes from a first to an end (exclusive) to an update function, in a thread.
ReadInto = Callable[[Callable[[Data], None], int, int], Awaitable[None]]


class BlockMap:
    """Which blocks of one object are in its file, with their CRCs. Compact, since an object of 50 TB has 100,000 blocks.

    `algorithm` is one of `CRCS`; `stored_bytes` counts bytes. A span of blocks is (first, end), the end exclusive."""

    def __init__(self, plan: RangePlan, algorithm: str) -> None:
        self.algorithm = algorithm
        self.stored_bytes = 0
        self._plan = plan
        self._crc = CRCS[algorithm]
        self._values = array("Q", bytes(8 * len(plan.blocks)))
        self._here = bytearray(len(plan.blocks))

    def store(self, number: int, value: int) -> Block:
        """Note that a block is in the file, with this CRC."""
        start = self._plan.start(number)
        size = self._plan.start(number + 1) - start
        if not self._here[number]:
            self._here[number] = 1
            self.stored_bytes += size
        self._values[number] = value
        return Block(start, size, value)

    def drop(self, first: int, end: int) -> int:
        """Forget the blocks of a span; returns how many bytes of them were in the file."""
        before = self.stored_bytes
        for number in range(first, end):
            if self._here[number]:
                self._here[number] = 0
                self.stored_bytes -= self._plan.start(number + 1) - self._plan.start(number)
        return before - self.stored_bytes

    def missing(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The spans of missing blocks within a span, in order."""
        while (begin := self._here.find(0, first, end)) >= 0:
            first = self.missing_end(begin, end)
            yield begin, first

    def missing_end(self, first: int, end: int) -> int:
        """The first block from `first` on that is in the file; `end` if there is none."""
        found = self._here.find(1, first, end)
        return end if found < 0 else found

    def stored_end(self, first: int, end: int) -> int:
        """The first block from `first` on that is missing; `end` if there is none."""
        found = self._here.find(0, first, end)
        return end if found < 0 else found

    def digest(self, first: int, end: int) -> bytes:
        """The raw CRC of a span whose blocks are all in the file, in the form that S3 stores."""
        value = 0
        for number in range(first, end):
            size = self._plan.start(number + 1) - self._plan.start(number)
            value = self._crc.combine(value, self._values[number], size)
        return value.to_bytes(self._crc.size, "big")


class BlockStream:
    """Splits a stream of bytes into consecutive blocks and computes their CRCs.

    `position` is the offset of the next byte in the object; `pending` counts the bytes of the incomplete block.
    """

    def __init__(self, plan: RangePlan, algorithm: str, first: int) -> None:
        self.position = plan.start(first)
        self.pending = 0
        self._plan = plan
        self._update = CRCS[algorithm].update
        self._block = first
        self._edge = plan.start(first + 1)
        self._crc = 0

    def add(self, data: Data) -> list[tuple[int, int]]:
        """Take bytes; returns the blocks that they complete, with their CRCs."""
        whole: list[tuple[int, int]] = []
        view = memoryview(data)
        while len(view) >= (here := self._edge - self.position) > 0:
            whole.append((self._block, self._update(view[:here], self._crc)))
            view = view[here:]
            self.position, self.pending, self._crc = self._edge, 0, 0
            self._block += 1
            self._edge = self._plan.start(self._block + 1)
        if view:
            self._crc = self._update(view, self._crc)
            self.position += len(view)
            self.pending += len(view)
        return whole


class Hashing:
    """The running digests of one file. After `claim` or `resting` returned a segment, call `advance` with it."""

    def __init__(self, plan: RangePlan, block_map: BlockMap, algorithm: str, read_into: ReadInto) -> None:
        self._plan, self._block_map, self._algorithm, self._read_into = plan, block_map, algorithm, read_into
        self._hashers: list[Hasher] = []
        self._next: list[int] = []
        self._busy: set[int] = set()
        for number in range(len(plan.segments)):
            self._hashers.append(self._new())
            self._next.append(plan.segment(number)[0])

    def claim(self, block: int) -> int | None:
        """The segment that can be hashed further now that this block is written; None if there is none, or it is busy."""
        number = self._plan.segment_of(block)
        if number in self._busy or self._next[number] != block:
            return None
        self._busy.add(number)
        return number

    def resting(self) -> list[int]:
        """All segments that can be hashed further, for the start."""
        firsts = enumerate(self._next)
        found = [number for number, first in firsts if self._stored_end(number, first) > first]
        self._busy.update(found)
        return found

    async def advance(self, number: int) -> None:
        """Hash the written blocks of a segment, up to the first one that is missing."""
        try:
            while (end := self._stored_end(number, first := self._next[number])) > first:
                start, stop = self._plan.start(first), self._plan.start(end)
                await self._read_into(self._hashers[number].update, start, stop)
                self._next[number] = end
        finally:
            self._busy.discard(number)

    def restart(self, number: int) -> None:
        """Start a segment again: it will be fetched again."""
        self._hashers[number] = self._new()
        self._next[number] = self._plan.segment(number)[0]

    def digests(self) -> list[bytes]:
        """The digests of all segments, once everything is written and hashed."""
        return [hasher.digest() for hasher in self._hashers]

    def _stored_end(self, number: int, first: int) -> int:
        return self._block_map.stored_end(first, self._plan.segment(number)[1])

    def _new(self) -> Hasher:
        return new_hasher(self._algorithm)
