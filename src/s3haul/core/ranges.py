"""How one object is fetched: by one plain GET, or cut into ranges. Pure.

    segment   what has one stored digest: the whole object, or each part of a COMPOSITE one
    block     what is hashed, kept on disk and resumed as one; never crosses the end of a segment
    request   consecutive blocks that one GET requests; never the whole object, to which S3 responds with a
              checksum of another form

Each GET of an SSE-KMS object without a Bucket Key is a Decrypt that the owner's quota pays for, so requests
are larger there. An object has at most 10,000 parts and 50 TB, which bounds the number of blocks.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from s3haul.models import ObjectMeta
from s3haul.options import RangeOptions

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


def plan_ranges(
    size: int, part_sizes: Sequence[int], options: RangeOptions, *, costs_kms: bool
) -> RangePlan | None:
    """The ranges of an object of `size` bytes, or None for one plain GET.

    `part_sizes` are those of a COMPOSITE checksum, in order, or nothing; `costs_kms` says that each request
    costs a KMS call.
    """
    if size <= options.above:
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


def _cut_parts(part_sizes: Sequence[int], most: int) -> tuple[Sequence[int], Sequence[int]]:
    blocks: list[int] = []
    segments: list[int] = []
    for end, size in zip(accumulate(part_sizes), part_sizes, strict=True):
        segments.append(len(blocks))
        blocks += range(end - size, end, most)
    return tuple(blocks), tuple(segments)


def _grouped(blocks: Sequence[int], size: int, request: int) -> Sequence[int]:
    """The first block of each request of at least one block and, where it has more, at most `request` bytes."""
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
