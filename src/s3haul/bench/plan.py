"""Which runs a benchmark makes, which objects they fetch, and what that costs. Pure.

One run for warming up, then the scan: each concurrency (and part size) to the first sink; then the other sinks, with
the setting that was fastest.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from s3haul.core.ranges import plan_ranges
from s3haul.models import ObjectRef
from s3haul.options import RangeOptions, TransferOptions

GIBIBYTE = 1 << 30
MOST_LOOKED_AT = 10  # times as many keys as a sample has; a bucket may be full of what is no use


class SinkKind(StrEnum):
    """Where the bytes go once they are verified."""

    NULL = "null"  # nowhere: the way from S3 alone
    MEMORY = "memory"  # files in memory
    DISK = "disk"  # files, made durable as in a haul


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What to measure and how much of it at most. `max_bytes` is for all runs together, `max_objects` for one.

    A part size (bytes) of None leaves the ranges of large objects to the engine.
    """

    sinks: tuple[SinkKind, ...] = tuple(SinkKind)
    concurrency: tuple[int, ...] = (16, 64, 256)
    part_sizes: tuple[int | None, ...] = (None,)
    repetitions: int = 3
    max_objects: int = 5000
    max_bytes: int = 4 * GIBIBYTE
    max_seconds: float = 120.0

    @property
    def runs(self) -> int:
        """How many there will be, the one for warming up included."""
        settings = len(self.concurrency) + len(self.part_sizes) - 1 + len(self.sinks) - 1
        return 1 + self.repetitions * settings


class Setting(NamedTuple):
    """What is the same in all repetitions of one measurement."""

    sink: SinkKind
    concurrency: int
    part_size: int | None = None

    def applied(self, transfer: TransferOptions) -> TransferOptions:
        """The options of a run with this setting."""
        return replace(
            transfer, concurrency=self.concurrency, ranges=ranges_of(transfer.ranges, self.part_size)
        )


@dataclass(slots=True)
class Sample:
    """The objects that each run fetches: the first ones of the listing that fit. The others are counted."""

    refs: list[ObjectRef] = field(default_factory=list)
    bytes: int = 0
    archived: int = 0
    too_large: int = 0
    full: bool = False

    def add(self, refs: Iterable[ObjectRef], options: BenchOptions) -> None:
        """Take of the next page what fits."""
        room = options.max_bytes // options.runs
        for ref in refs:
            if ref.archived:
                self.archived += 1
            elif ref.size > room:
                self.too_large += 1
            elif len(self.refs) == options.max_objects or self.bytes + ref.size > room:
                self.full = True
                return
            else:
                self.refs.append(ref)
                self.bytes += ref.size
        looked_at = len(self.refs) + self.archived + self.too_large
        self.full = looked_at >= MOST_LOOKED_AT * options.max_objects

    @property
    def mean_size(self) -> float:
        return self.bytes / len(self.refs) if self.refs else 0.0


class Cost(NamedTuple):
    """What all runs together ask for at most. Without a Bucket Key each GET is a KMS Decrypt, too."""

    runs: int
    list_requests: int
    get_requests: int
    head_requests: int
    bytes: int


def cost_of(sample: Sample, pages: int, options: BenchOptions, ranges: RangeOptions) -> Cost:
    """`pages` of the listing were read already."""
    cut = [ranges_of(ranges, size) for size in options.part_sizes]
    gets = sum(max(_requests(ref.size, each) for each in cut) for ref in sample.refs)
    heads = sum(ref.size > ranges.above for ref in sample.refs)
    runs = options.runs
    return Cost(runs, pages, runs * gets, runs * heads, runs * sample.bytes)


def ranges_of(ranges: RangeOptions, part_size: int | None) -> RangeOptions:
    """Ranges of just this size, where one is given; objects of up to two of them still come in one GET."""
    if part_size is None:
        return ranges
    return replace(
        ranges,
        above=min(ranges.above, 2 * part_size),
        smallest=part_size,
        largest=part_size,
        block=min(ranges.block, part_size),
    )


def _requests(size: int, ranges: RangeOptions) -> int:
    cut = plan_ranges(size, (), ranges, costs_kms=False)
    return len(cut.requests) if cut else 1
