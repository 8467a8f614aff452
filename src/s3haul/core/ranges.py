"""How one object is fetched: by one plain GET, or in ranges; and which blocks of it are in its file. Pure.

    segment   what has one stored digest: the whole object, or each part of a COMPOSITE one
    block     what is hashed, kept on disk and resumed as one; never crosses the end of a segment
    request   consecutive blocks that one GET requests; never the whole object, to which S3 responds with a
              checksum of another form

Each GET of an SSE-KMS object without a Bucket Key is a Decrypt that the owner's quota pays for, so requests
are larger there. An object has at most 10,000 parts and 50 TB, which bounds the number of blocks.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from s3haul.models import Block, ObjectMeta
from s3haul.options import RangeOptions

if TYPE_CHECKING:  # for commands that only plan, and load no CRCs
    from s3haul.core.checksums import Crc, Data

MOST_BLOCKS = 100_000  # cut for their size; a part may add one more
REQUESTS = 16  # of one object, while they stay between the smallest and the largest
KMS_FACTOR = 4  # times the size, where a request costs a KMS call
_GRAIN = 1 << 20


@dataclass(frozen=True, slots=True)
class RangePlan:
    """`blocks` has the first byte of each block, `requests` and `segments` the first block of each.

    A segment may be empty (a part of no bytes); blocks and requests are not.
    """

    size: int
    blocks: Sequence[int]
    requests: Sequence[int]
    segments: Sequence[int]

    def start(self, block: int) -> int:
        """The first byte of a block; the size of the object for the one behind the last."""
        return self.blocks[block] if block < len(self.blocks) else self.size

    def request(self, number: int) -> tuple[int, int]:
        """The blocks of a request, the end exclusive."""
        return _span(self.requests, number, len(self.blocks))

    def segment(self, number: int) -> tuple[int, int]:
        """The blocks of a segment, the end exclusive."""
        return _span(self.segments, number, len(self.blocks))

    def segment_of(self, block: int) -> int:
        """The segment that a block belongs to."""
        return bisect_right(self.segments, block) - 1

    def block_at(self, start: int, size: int) -> int | None:
        """The block of just these bytes, or None where no block begins and ends there."""
        block = bisect_right(self.blocks, start) - 1
        fits = block >= 0 and self.start(block) == start and self.start(block + 1) == start + size
        return block if fits else None


def is_ranged(size: int, options: RangeOptions) -> bool:
    """Whether an object of `size` bytes is fetched in ranges, unless its plan has one request only."""
    return size > options.above


def plan_ranges(
    size: int, part_sizes: Sequence[int], options: RangeOptions, *, costs_kms: bool
) -> RangePlan | None:
    """The ranges of an object of `size` bytes, or None for one plain GET.

    `part_sizes` are those of a COMPOSITE checksum, in order, or nothing; `costs_kms` says that each request
    costs a KMS call.
    """
    if not is_ranged(size, options):
        return None
    least = -(-size // MOST_BLOCKS)
    most = options.block if least <= options.block else _rounded(least)
    factor = KMS_FACTOR if costs_kms else 1
    request = min(max(size // REQUESTS, options.smallest * factor), options.largest * factor)
    blocks: Sequence[int] = range(0, size, most)
    segments: Sequence[int] = (0,)
    if part_sizes:
        blocks, segments = _cut_parts(part_sizes, most)
    requests = _grouped(blocks, size, request)
    return RangePlan(size, blocks, requests, segments) if len(requests) > 1 else None


def costs_kms_call(meta: ObjectMeta) -> bool:
    """Whether each GET of the object costs a KMS call: under SSE-KMS, unless a Bucket Key saves it."""
    return meta.sse.startswith("aws:kms") and not meta.bucket_key


class BlockMap:
    """Which blocks of one object are in its file, with their CRCs. Compact,
    since an object of 50 TB has 100,000 blocks.

    `written_bytes` counts their bytes. A span of blocks is (first, end), the end exclusive."""

    def __init__(self, plan: RangePlan, crc: "Crc") -> None:
        self.written_bytes = 0
        self._plan = plan
        self._crc = crc
        self._values = array("Q", bytes(8 * len(plan.blocks)))
        self._here = bytearray(len(plan.blocks))

    def add(self, number: int, value: int) -> Block:
        """A block is in the file now, with this CRC."""
        start = self._plan.start(number)
        size = self._plan.start(number + 1) - start
        if not self._here[number]:
            self._here[number] = 1
            self.written_bytes += size
        self._values[number] = value
        return Block(start, size, value)

    def drop(self, first: int, end: int) -> int:
        """Forget the blocks of a span; returns how many bytes of them were in the file."""
        before = self.written_bytes
        for number in range(first, end):
            if self._here[number]:
                self._here[number] = 0
                self.written_bytes -= self._plan.start(number + 1) - self._plan.start(number)
        return before - self.written_bytes

    def missing(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The spans of missing blocks within a span, in order."""
        while (begin := self._here.find(0, first, end)) >= 0:
            first = self.missing_end(begin, end)
            yield begin, first

    def missing_end(self, first: int, end: int) -> int:
        """The first block from `first` on that is in the file; `end` if there is none."""
        found = self._here.find(1, first, end)
        return end if found < 0 else found

    def written_end(self, first: int, end: int) -> int:
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

    `position` is the offset of the next byte in the object;
    `pending` counts the bytes of the incomplete block.
    """

    def __init__(self, plan: RangePlan, crc: "Crc", first: int) -> None:
        self.position = plan.start(first)
        self.pending = 0
        self._plan = plan
        self._update = crc.update
        self._block = first
        self._edge = plan.start(first + 1)
        self._crc = 0

    def add(self, data: "Data") -> list[tuple[int, int]]:
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


def _cut_parts(part_sizes: Sequence[int], most: int) -> tuple[Sequence[int], Sequence[int]]:
    blocks: list[int] = []
    segments: list[int] = []
    for end, size in zip(accumulate(part_sizes), part_sizes, strict=True):
        segments.append(len(blocks))
        blocks += range(end - size, end, most)
    return tuple(blocks), tuple(segments)


def _grouped(blocks: Sequence[int], size: int, request: int) -> Sequence[int]:
    """The first block of each request of at least one block and, where it has more,
    at most `request` bytes."""
    if isinstance(blocks, range):
        return range(0, len(blocks), max(1, request // blocks.step))
    requests = [0]
    for block, end in enumerate(_ends(blocks, size)):
        if block > requests[-1] and end - blocks[requests[-1]] > request:
            requests.append(block)
    return tuple(requests)


def _ends(blocks: Sequence[int], size: int) -> Iterable[int]:
    yield from blocks[1:]
    yield size


def _span(firsts: Sequence[int], number: int, end: int) -> tuple[int, int]:
    return firsts[number], firsts[number + 1] if number + 1 < len(firsts) else end


def _rounded(size: int) -> int:
    """Up to a whole MiB."""
    return -(-size // _GRAIN) * _GRAIN
