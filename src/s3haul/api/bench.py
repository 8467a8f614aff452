"""One benchmark, assembled: a sample of the bucket, an ordinary haul of it for each run, and what follows.

Fetches no more than its options allow, and leaves nothing behind.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from s3haul import __version__
from s3haul.api.download import within_open_files
from s3haul.aws.session import OpenStore, open_store
from s3haul.bench.bottleneck import Evidence, bottleneck, fastest
from s3haul.bench.measure import Stopwatch, measure
from s3haul.bench.plan import BenchOptions, Cost, Sample, Setting, SinkKind, cost_of
from s3haul.bench.report import Report
from s3haul.bench.result import Listing, Row, Run
from s3haul.bench.sinks import MEMORY, has_room
from s3haul.core.text import human_bytes
from s3haul.engine.context import ReadContext, read_context
from s3haul.engine.listing import look_up
from s3haul.engine.parallel_listing import ParallelListing
from s3haul.errors import DestinationError, SourceError
from s3haul.options import AccessOptions, SourceOptions, TransferOptions

_DEFAULT_ACCESS = AccessOptions()
_DEFAULT_BENCH = BenchOptions()
_DEFAULT_TRANSFER = TransferOptions()


def _ignore(_told: object) -> None:
    """Nobody listens."""


class RunEnded(NamedTuple):
    """Run `number` of `planned`, for whoever watches; `setting` is None for the one that warms up."""

    number: int
    planned: int
    setting: Setting | None
    run: Run


class Planned(NamedTuple):
    """Before any object is asked for: the objects, and what all runs will cost."""

    sample: Sample
    cost: Cost
    options: BenchOptions  # as they were given, but without sinks that have no room


async def bench(
    source: SourceOptions,
    directory: Path,
    options: BenchOptions = _DEFAULT_BENCH,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    on_plan: Callable[[Planned], bool | None] = _ignore,
    on_run: Callable[[RunEnded], None] = _ignore,
) -> Report | None:
    """Measure how fast the source can be hauled. The disk measured is that of `directory`.

    `on_plan` may return False, which ends it there: then the result is None. Raises `S3HaulError`.
    """
    if SinkKind.DISK in options.sinks and not await asyncio.to_thread(directory.is_dir):
        raise DestinationError(f"{directory} is no directory.", hint="name one on the disk to measure")
    transfer = within_open_files(replace(transfer, concurrency=max(options.concurrency)), _ignore)
    stopwatch = Stopwatch()
    async with open_store(access, source, transfer, on_event=_ignore, on_timing=stopwatch.observe) as opened:
        sample, listing = await _sample(
            read_context(opened.store, source, opened.transfer, _ignore, credentials=opened.credentials),
            options,
        )
        if not sample.refs:
            raise _nothing_to_measure(source, sample, options)
        options = _with_room(options, sample)
        cost = cost_of(sample, listing.pages, options, transfer.ranges)
        if on_plan(Planned(sample, cost, options)) is False:
            return None
        bench = Bench(opened, source, options, sample, stopwatch, directory, on_run)
        await bench.run()
        return _report(opened, source, options, listing, bench)


@dataclass
class Bench:
    """The runs of one benchmark, in order; `rows` grows as settings are done."""

    opened: OpenStore
    source: SourceOptions
    options: BenchOptions
    sample: Sample
    stopwatch: Stopwatch
    directory: Path
    on_run: Callable[[RunEnded], None]
    scan: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.options.max_seconds

    async def run(self) -> None:
        """Warm up, scan, then the other sinks with what was fastest. Ends when time is over."""
        options = self.options
        first, *others = options.sinks
        warm_up = Setting(first, max(options.concurrency), options.part_sizes[0])
        run = await self._one(warm_up, warm_up=True)
        if run.failed and not run.objects:
            raise SourceError(
                "No object of the sample could be fetched: there is nothing to measure.",
                hint="s3haul check says why",
            )
        part_size = options.part_sizes[0]
        self.scan = await self._measured([Setting(first, each, part_size) for each in options.concurrency])
        best = fastest(self.scan).setting
        if len(options.part_sizes) > 1:
            parts = await self._measured([best._replace(part_size=size) for size in options.part_sizes[1:]])
            best = fastest([*self.scan, *parts]).setting
        for sink in others:
            await self._measured([best._replace(sink=sink)])

    async def _measured(self, settings: Sequence[Setting]) -> list[Row]:
        """All repetitions of each, in rounds, so that what changes meanwhile meets all of them."""
        runs: dict[Setting, list[Run]] = {setting: [] for setting in settings}
        for setting in list(settings) * self.options.repetitions:
            if self.made == 1 or time.monotonic() < self._until:  # one run at least is measured
                runs[setting].append(await self._one(setting))
        rows = [Row.of(setting, found) for setting, found in runs.items() if found]
        self.rows += rows
        return rows

    async def _one(self, setting: Setting, *, warm_up: bool = False) -> Run:
        run = await measure(
            self.opened,
            replace(self.source, prefix=self.source.base, recursive=True),
            self.sample,
            setting,
            self.stopwatch,
            directory=self.directory,
            seconds=max(1.0, self._until - time.monotonic()),
        )
        self.made += 1
        self.on_run(RunEnded(self.made, self.options.runs, None if warm_up else setting, run))
        return run


async def _sample(ctx: ReadContext, options: BenchOptions) -> tuple[Sample, Listing]:
    """The first objects of the listing that fit, and what that listing took."""
    sample, pages, keys, began = Sample(), 0, 0, time.monotonic()
    if not ctx.source.recursive:
        sample.add([await look_up(ctx)], options)
        return sample, Listing(pages=0, keys=0, seconds=0.0)
    async with aclosing(ParallelListing(ctx, (ctx.source.prefix,), 1).batches()) as batches:
        async for batch in batches:
            pages, keys = pages + 1, keys + len(batch.refs)
            sample.add([ref for ref in batch.refs if not ref.key.endswith("/")], options)
            if sample.full:
                break
    return sample, Listing(pages=pages, keys=keys, seconds=time.monotonic() - began)


def _with_room(options: BenchOptions, sample: Sample) -> BenchOptions:
    """Raises `DestinationError` where no sink has room."""
    sinks = tuple(kind for kind in options.sinks if has_room(kind, sample.bytes))
    if not sinks:
        raise DestinationError(
            f"The sample, {human_bytes(sample.bytes)}, does not fit into {MEMORY}.",
            hint="a lower --max-bytes, or another of --sinks",
        )
    return replace(options, sinks=sinks)


def _nothing_to_measure(source: SourceOptions, sample: Sample, options: BenchOptions) -> SourceError:
    url = f"s3://{source.bucket}/{source.prefix}"
    if sample.too_large:
        room = human_bytes(options.max_bytes / options.runs)
        return SourceError(
            f"No object of {url} fits into one of {options.runs} runs: {room} each.",
            hint="a higher --max-bytes, or fewer --repetitions, --sinks and --concurrency",
            id="S3H-S3-19",
        )
    what = "an object that is not archived" if sample.archived else "any object"
    return SourceError(f"There is nothing to measure: no page of {url} has {what}.", id="S3H-S3-19")


def _report(
    opened: OpenStore, source: SourceOptions, options: BenchOptions, listing: Listing, bench: Bench
) -> Report:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    sample = bench.sample
    evidence = Evidence(
        rows=bench.rows,
        scan=bench.scan,
        listing=listing,
        mean_size=sample.mean_size,
        processors=processors,
    )
    return Report(
        source=f"s3://{source.bucket}/{source.prefix}",
        endpoint=opened.effective.endpoint,
        region=opened.effective.region,
        transport=opened.transport,
        version=__version__,
        time=time.time(),
        processors=processors,
        objects=len(sample.refs),
        bytes=sample.bytes,
        listing=listing,
        planned=options.runs,
        made=bench.made,
        rows=bench.rows,
        bottleneck=bottleneck(evidence),
    )
