"""One run of a benchmark: an ordinary haul of the sample, with its time, its processor time and its requests."""

import asyncio
import resource
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from s3haul.aws.session import OpenStore
from s3haul.bench.plan import Sample, Setting
from s3haul.bench.result import Run
from s3haul.bench.sinks import opened_sink
from s3haul.bench.store import SampleStore
from s3haul.core.stats import Stats
from s3haul.engine.run import Job, haul
from s3haul.journal import SourceIdentity
from s3haul.options import SourceOptions
from s3haul.store.protocol import RequestTiming


class Stopwatch:
    """Collects the timings of requests; `observe` is called in the threads of the transport."""

    def __init__(self) -> None:
        self._seen: list[RequestTiming] = []

    def observe(self, timing: RequestTiming) -> None:
        self._seen.append(timing)

    def taken(self) -> list[RequestTiming]:
        """What came since the last call."""
        seen, self._seen = self._seen, []
        return seen


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
    """Haul the sample once, for `seconds` at most. Raises `S3HaulError` for what would end a haul."""
    store, stats, cut_short = SampleStore(opened.store, sample.refs), Stats(), False
    stopwatch.taken()
    with opened_sink(setting.sink, directory) as destination:
        job = Job(
            store=store,
            credentials=opened.credentials,
            destination=destination,
            source=source,
            identity=SourceIdentity(source.bucket, source.base, opened.effective.endpoint),
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
    # Small objects that are refused show here only; KMS's refusals are 400s, which the store has seen some of.
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


def _processor_seconds() -> float:
    """Of this process, in all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Ticks(NamedTuple):
    """Of all processors since the machine was started, in whatever unit it counts."""

    idle: int
    total: int


def machine_ticks(stat: Path = Path("/proc/stat")) -> Ticks | None:
    """As Linux counts them, None elsewhere. Time that another machine took from this one is busy, too."""
    try:
        words = stat.read_text("ascii").partition("\n")[0].split()
    except OSError:
        return None
    counted = [int(word) for word in words[1:9]]  # user, nice, system, idle, iowait, irq, softirq, steal
    return Ticks(sum(counted[3:5]), sum(counted))


def busy_share(before: Ticks | None, after: Ticks | None) -> float | None:
    """Between two looks; None where they are too close together to tell."""
    if before is None or after is None or after.total <= before.total:
        return None
    return 1.0 - (after.idle - before.idle) / (after.total - before.total)
