"""Which blocks of one object have landed, with their CRCs, and what these say of longer segments. Pure.

Compact: an object of 50 TB has 100,000 blocks.
"""

from array import array
from collections.abc import Iterator

from s3haul.core.checksums import CRCS, Data
from s3haul.core.ranges import RangePlan
from s3haul.models import Block


class BlockMap:
    """`algorithm` is one of `CRCS`; `landed` counts bytes. Spans of blocks are (first, end exclusive)."""

    def __init__(self, plan: RangePlan, algorithm: str) -> None:
        self.algorithm = algorithm
        self.landed = 0
        self._plan = plan
        self._crc = CRCS[algorithm]
        self._values = array("Q", bytes(8 * len(plan.blocks)))
        self._here = bytearray(len(plan.blocks))

    def land(self, number: int, value: int) -> Block:
        """A block is in the file, with this CRC."""
        start = self._plan.start(number)
        size = self._plan.start(number + 1) - start
        if not self._here[number]:
            self._here[number] = 1
            self.landed += size
        self._values[number] = value
        return Block(start, size, value)

    def drop(self, first: int, end: int) -> int:
        """These blocks have to be fetched again; how many bytes of them had landed."""
        before = self.landed
        for number in range(first, end):
            if self._here[number]:
                self._here[number] = 0
                self.landed -= self._plan.start(number + 1) - self._plan.start(number)
        return before - self.landed

    def missing(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The spans of missing blocks within a span, in order, as they are now."""
        while (begin := self._here.find(0, first, end)) >= 0:
            first = self.missing_end(begin, end)
            yield begin, first

    def missing_end(self, first: int, end: int) -> int:
        """Where the missing blocks that begin with `first` end."""
        found = self._here.find(1, first, end)
        return end if found < 0 else found

    def landed_end(self, first: int, end: int) -> int:
        """Where the landed blocks that begin with `first` end; `first` if that is missing."""
        found = self._here.find(0, first, end)
        return end if found < 0 else found

    def digest(self, first: int, end: int) -> bytes:
        """The raw CRC of a span that has landed as a whole, as S3 stores it."""
        value = 0
        for number in range(first, end):
            size = self._plan.start(number + 1) - self._plan.start(number)
            value = self._crc.combine(value, self._values[number], size)
        return value.to_bytes(self._crc.size, "big")


class BlockStream:
    """Cuts the bytes of consecutive blocks, as they come, into these blocks.

    `position` is the next byte of the object, `pending` counts those of a block that is not whole yet.
    """

    def __init__(self, plan: RangePlan, algorithm: str, first: int) -> None:
        self.position = plan.start(first)
        self.pending = 0
        self._plan = plan
        self._update = CRCS[algorithm].update
        self._block = first
        self._edge = plan.start(first + 1)
        self._crc = 0

    def take(self, data: Data) -> list[tuple[int, int]]:
        """The blocks that are whole now, with their CRCs."""
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
