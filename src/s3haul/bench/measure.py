"""The runs of a benchmark: each is an ordinary haul of the sample, with its time, its processor time and its requests.

`Series` makes all of them, in their order and within their time; `measure` makes one.
"""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from s3haul.aws.session import OpenStore
from s3haul.bench.bottleneck import fastest
from s3haul.bench.plan import BenchOptions, Sample, Setting
from s3haul.bench.result import Row, Run
from s3haul.bench.sinks import opened_sink
from s3haul.core.retry import is_throttling, of_kms
from s3haul.core.stats import Stats
from s3haul.engine.run import Job, haul
from s3haul.errors import SourceError, StoreError
from s3haul.journal import SourceIdentity
from s3haul.models import ListPage, ObjectMeta, ObjectRef, PartLayout
from s3haul.options import SourceOptions
from s3haul.store.protocol import Consume, GetRequest, HeadRequest, ObjectStore, RequestTiming, WrappedStore

PAGE = 1000

T = TypeVar("T")


class Stopwatch:
    """Collects the timings of requests; `observe` is called in the threads of the transport."""

    def __init__(self) -> None:
        self._seen: list[RequestTiming] = []

    def observe(self, timing: RequestTiming) -> None:
        self._seen.append(timing)

    def taken(self) -> list[RequestTiming]:
        """The timings since the last call."""
        seen, self._seen = self._seen, []
        return seen


class RunEnded(NamedTuple):
    """Run `number` of `planned` has ended; `setting` is None for the one that warms up."""

    number: int
    planned: int
    setting: Setting | None
    run: Run


@dataclass
class Series:
    """All runs of one benchmark; `rows` grows as settings are measured, `scan` are those over concurrency."""

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
        """Warm up, scan concurrency and part size, then measure the other sinks with the fastest setting. Ends when time is over."""
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
        """All repetitions of each, in rounds: if the network changes meanwhile, it changes for all settings."""
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


async def measure(
    opened: OpenStore,
    source: SourceOptions,
    sample: Sample,
    setting: Setting,
    stopwatch: Stopwatch,
    *,
    directory: Path,
    seconds: float,
) -> Run:
    """Haul the sample once, for `seconds` at most. Raises `S3HaulError` as a haul does."""
    store, stats, cut_short = SampleStore(opened.store, sample.refs), Stats(), False
    stopwatch.taken()
    with opened_sink(setting.sink, directory) as destination:
        job = Job(
            store=store,
            credentials=opened.credentials,
            destination=destination,
            source=source,
            identity=SourceIdentity(source.bucket, source.base, opened.endpoint),
            options=setting.applied(opened.transfer),
            handle_signals=False,
        )
        processor, machine, began = _processor_seconds(), machine_ticks(), time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await haul(job, stats, stats.observe)
        except TimeoutError:
            cut_short = True
        took, used = time.monotonic() - began, _processor_seconds() - processor
        busy = busy_share(machine, machine_ticks())
    timings = stopwatch.taken()
    # `SampleStore` does not see small objects; the status does not tell KMS throttling from another 400.
    statuses = Counter(timing.status for timing in timings)
    return Run(
        seconds=took,
        cpu_seconds=used,
        machine_busy=busy,
        objects=stats.done,
        bytes=stats.received,
        failed=stats.failed_count + stats.skipped_count,
        retries=sum(stats.retries.values()),
        throttled_s3=max(store.throttles["s3"], statuses[503] + statuses[429]),
        throttled_kms=max(store.throttles["kms"], statuses[400] if store.throttles["kms"] else 0),
        cut_short=cut_short,
        timings=timings,
    )


class SampleStore(WrappedStore):
    """A store that lists the sample and nothing else. `throttles` counts 503 and similar, by service: "kms" or "s3"."""

    def __init__(self, store: ObjectStore, refs: Sequence[ObjectRef]) -> None:
        super().__init__(store)
        self._refs = refs
        self.throttles: Counter[str] = Counter()

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:  # noqa: ARG002 - the protocol's
        first = int(token or 0)
        entries = tuple(self._refs[first : first + PAGE])
        end = first + len(entries)
        more = end < len(self._refs)
        return ListPage(entries, truncated=more, token=str(end) if more else None, key_count=len(entries))

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        return await self._counted(super().load(request, consume))

    async def head(self, request: HeadRequest) -> ObjectMeta:
        return await self._counted(super().head(request))

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        return await self._counted(super().part_layout(key, version_id=version_id))

    async def _counted(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except StoreError as error:
            fault = error.fault
            if is_throttling(fault):
                self.throttles["kms" if of_kms(fault) else "s3"] += 1
            raise


def _processor_seconds() -> float:
    """Of this process, in all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Ticks(NamedTuple):
    """Time of all processors since the machine was started, in units of the system."""

    idle: int
    total: int


def machine_ticks(stat: Path = Path("/proc/stat")) -> Ticks | None:
    """As Linux counts them, None elsewhere. Steal time (of other virtual machines) counts as busy."""
    try:
        words = stat.read_text("ascii").partition("\n")[0].split()
    except OSError:
        return None
    counted = [int(word) for word in words[1:9]]  # user, nice, system, idle, iowait, irq, softirq, steal
    return Ticks(sum(counted[3:5]), sum(counted))


def busy_share(before: Ticks | None, after: Ticks | None) -> float | None:
    """The busy share of the time between two readings; None if there is no time between them."""
    if before is None or after is None or after.total <= before.total:
        return None
    return 1.0 - (after.idle - before.idle) / (after.total - before.total)
