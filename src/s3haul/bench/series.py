"""The runs of one benchmark, in their order and within their time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from s3haul.aws.session import OpenStore
from s3haul.bench.bottleneck import fastest
from s3haul.bench.measure import Stopwatch, measure
from s3haul.bench.plan import BenchOptions, Sample, Setting
from s3haul.bench.result import Row, Run
from s3haul.errors import SourceError
from s3haul.options import SourceOptions


class RunEnded(NamedTuple):
    """Run `number` of `planned`, for whoever watches; `setting` is None for the one that warms up."""

    number: int
    planned: int
    setting: Setting | None
    run: Run


@dataclass
class Series:
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
