"""`bench`: one benchmark from its sample of the bucket to the bottleneck.
`bench.measure` makes each of its runs.

Fetches no more than its options allow, and leaves no files behind.
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
from s3haul.bench.measure import MEMORY, Stopwatch, has_room, measure
from s3haul.bench.plan import BenchOptions, Cost, DestinationKind, Sample, Setting, cost_of
from s3haul.bench.result import Listing, Report, Row, Run
from s3haul.core.text import human_bytes
from s3haul.engine.context import ReadContext, read_context
from s3haul.engine.listing import look_up
from s3haul.engine.parallel_listing import CurrentLister, ParallelListing
from s3haul.errors import DestinationError, SourceError
from s3haul.events import ignore
from s3haul.options import AccessOptions, SourceOptions, TransferOptions

_DEFAULT_ACCESS = AccessOptions()
_DEFAULT_BENCH = BenchOptions()
_DEFAULT_TRANSFER = TransferOptions()


class Planned(NamedTuple):
    """The sample and the cost of all runs, before the first one."""

    sample: Sample
    cost: Cost
    options: BenchOptions  # as given, without destinations that have too little space


class RunEnded(NamedTuple):
    """Run `number` of `planned` has ended; `setting` is None for the one that warms up."""

    number: int
    planned: int
    setting: Setting | None
    run: Run


async def bench(
    source: SourceOptions,
    directory: Path,
    options: BenchOptions = _DEFAULT_BENCH,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    on_plan: Callable[[Planned], bool | None] = ignore,
    on_run: Callable[[RunEnded], None] = ignore,
) -> Report | None:
    """Measure how fast the source can be copied, to the disk of `directory` and to the other destinations.

    If `on_plan` returns False, nothing is measured and the result is None. Raises `S3HaulError`.
    """
    if DestinationKind.DISK in options.destinations and not await asyncio.to_thread(directory.is_dir):
        raise DestinationError(f"{directory} is not a directory.", hint="give one on the disk to measure")
    transfer = within_open_files(replace(transfer, concurrency=max(options.concurrency)), ignore)
    stopwatch = Stopwatch()
    async with open_store(access, source, transfer, on_event=ignore, on_timing=stopwatch.observe) as opened:
        sample, listing = await _sample(
            read_context(opened.store, source, opened.transfer, ignore, credentials=opened.credentials),
            options,
        )
        if not sample.refs:
            raise _nothing_to_measure(source, sample, options)
        options = _with_room(options, sample)
        cost = cost_of(sample, listing.pages, options, transfer.ranges)
        if on_plan(Planned(sample, cost, options)) is False:
            return None
        series = _Series(opened, source, options, sample, stopwatch, directory, on_run)
        await series.run()
        return _report(series, listing)


async def _sample(ctx: ReadContext, options: BenchOptions) -> tuple[Sample, Listing]:
    """The first objects of the listing that fit, and the duration of the listing."""
    sample, pages, keys, began = Sample(), 0, 0, time.monotonic()
    if not ctx.source.recursive:
        sample.add([await look_up(ctx)], options)
        return sample, Listing(pages=0, keys=0, seconds=0.0)
    listing = ParallelListing(ctx, CurrentLister(ctx), (ctx.source.prefix,), 1)
    async with aclosing(listing.pages()) as listed:
        async for page in listed:
            pages, keys = pages + 1, keys + len(page.refs)
            sample.add([ref for ref in page.refs if not ref.key.endswith("/")], options)
            if sample.full:
                break
    return sample, Listing(pages=pages, keys=keys, seconds=time.monotonic() - began)


def _with_room(options: BenchOptions, sample: Sample) -> BenchOptions:
    """The options without destinations that are too small. Raises `DestinationError` if none is left."""
    destinations = tuple(kind for kind in options.destinations if has_room(kind, sample.bytes))
    if not destinations:
        raise DestinationError(
            f"The sample, {human_bytes(sample.bytes)}, does not fit into {MEMORY}.",
            hint="a lower --max-bytes, or another of --destinations",
        )
    return replace(options, destinations=destinations)


def _nothing_to_measure(source: SourceOptions, sample: Sample, options: BenchOptions) -> SourceError:
    url = source.url
    if sample.too_large:
        room = human_bytes(options.max_bytes / options.runs)
        return SourceError(
            f"No object of {url} fits into one of {options.runs} runs: {room} each.",
            hint="a higher --max-bytes, or fewer --repetitions, --destinations and --concurrency",
            id="S3H-S3-19",
        )
    what = "an object that is not archived" if sample.archived else "any object"
    return SourceError(f"There is nothing to measure: no page of {url} has {what}.", id="S3H-S3-19")


@dataclass
class _Series:
    """All runs of one benchmark, in their order and within their time; `rows` grows as settings are measured,
    `scan` are those over concurrency."""

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
        """Warm up, scan concurrency and part size, then measure the other destinations with the fastest
        setting. Ends when time is over."""
        options = self.options
        first, *others = options.destinations
        part_size, *more_part_sizes = options.part_sizes
        run = await self._one(Setting(first, max(options.concurrency), part_size), warm_up=True)
        if run.failed and not run.objects:
            raise SourceError(
                "No object of the sample could be fetched: there is nothing to measure.",
                hint="s3haul check says why",
            )
        self.scan = await self._measured([Setting(first, each, part_size) for each in options.concurrency])
        best = fastest(self.scan).setting
        if more_part_sizes:
            parts = await self._measured([best._replace(part_size=size) for size in more_part_sizes])
            best = fastest([*self.scan, *parts]).setting
        for destination in others:
            await self._measured([best._replace(destination=destination)])

    async def _measured(self, settings: Sequence[Setting]) -> list[Row]:
        """All repetitions of each, in rounds: if the network changes meanwhile,
        it changes for all settings."""
        runs: dict[Setting, list[Run]] = {setting: [] for setting in settings}
        for setting in list(settings) * self.options.repetitions:
            if self.made == 1 or time.monotonic() < self._until:  # at least one run is measured
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


def _report(series: _Series, listing: Listing) -> Report:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    opened, source, sample = series.opened, series.source, series.sample
    evidence = Evidence(
        rows=series.rows,
        scan=series.scan,
        listing=listing,
        mean_size=sample.mean_size,
        processors=processors,
    )
    return Report(
        source=source.url,
        endpoint=opened.endpoint,
        region=opened.region,
        transport=opened.transport,
        version=__version__,
        time=time.time(),
        processors=processors,
        objects=len(sample.refs),
        bytes=sample.bytes,
        listing=listing,
        planned=series.options.runs,
        made=series.made,
        rows=series.rows,
        bottleneck=bottleneck(evidence),
    )
