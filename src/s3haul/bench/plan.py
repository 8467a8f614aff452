"""Which runs a benchmark makes, which objects they fetch, and what that costs. Pure.

First a run to warm up, then the scan: each concurrency (and part size) with the first destination; then the
other destinations with the fastest setting.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from s3haul.core.ranges import is_ranged, plan_ranges
from s3haul.models import ObjectRef
from s3haul.options import RangeOptions, TransferOptions

GIBIBYTE = 1 << 30
KEYS_PER_OBJECT = 10  # keys to look at for each object of the sample: most may be archived or too large


class DestinationKind(StrEnum):
    """Where the bytes go once they are verified."""

    NULL = "null"  # nowhere: measures everything before the disk
    MEMORY = "memory"  # files in memory
    DISK = "disk"  # files, made durable as in a run


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What to measure, and the limits. `max_bytes` and `max_seconds` are for all runs
    together, `max_objects` for one.

    A part size (bytes) of None leaves the ranges of large objects to the engine.
    """

    destinations: tuple[DestinationKind, ...] = tuple(DestinationKind)
    concurrency: tuple[int, ...] = (16, 64, 256)
    part_sizes: tuple[int | None, ...] = (None,)
    repetitions: int = 3
    max_objects: int = 5000
    max_bytes: int = 4 * GIBIBYTE
    max_seconds: float = 120.0

    @property
    def runs(self) -> int:
        """The number of all runs, with the one to warm up."""
        settings = len(self.concurrency) + len(self.part_sizes) - 1 + len(self.destinations) - 1
        return 1 + self.repetitions * settings


class Setting(NamedTuple):
    """What one measurement has in all its repetitions."""

    destination: DestinationKind
    concurrency: int
    part_size: int | None = None

    def applied(self, transfer: TransferOptions) -> TransferOptions:
        """The options of a run with this setting."""
        return replace(
            transfer, concurrency=self.concurrency, ranges=ranges_of(transfer.ranges, self.part_size)
        )


@dataclass(slots=True)
class Sample:
    """The objects that each run fetches: the first of the listing that fit. The others are only counted."""

    refs: list[ObjectRef] = field(default_factory=list)
    bytes: int = 0
    archived: int = 0
    too_large: int = 0
    full: bool = False

    def add(self, refs: Iterable[ObjectRef], options: BenchOptions) -> None:
        """Add the objects of the next page that fit."""
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
        self.full = looked_at >= KEYS_PER_OBJECT * options.max_objects

    @property
    def mean_size(self) -> float:
        return self.bytes / len(self.refs) if self.refs else 0.0


class Cost(NamedTuple):
    """The requests and bytes of all runs together, at most.
    Without a Bucket Key each GET costs a KMS Decrypt."""

    runs: int
    list_requests: int
    get_requests: int
    head_requests: int
    bytes: int


def cost_of(sample: Sample, pages: int, options: BenchOptions, ranges: RangeOptions) -> Cost:
    """The cost of all runs; `pages` of the listing were read already."""
    cut = [ranges_of(ranges, size) for size in options.part_sizes]
    gets = sum(max(_requests(ref.size, each) for each in cut) for ref in sample.refs)
    heads = sum(any(is_ranged(ref.size, each) for each in cut) for ref in sample.refs)
    runs = options.runs
    return Cost(runs, pages, runs * gets, runs * heads, runs * sample.bytes)


def ranges_of(ranges: RangeOptions, part_size: int | None) -> RangeOptions:
    """The options for ranges of exactly this size, if one is given;
    objects up to twice this size are still one GET."""
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
