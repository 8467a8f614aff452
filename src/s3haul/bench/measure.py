"""One run of a benchmark: an ordinary haul of the sample, with its time, its processor time and its requests."""

import asyncio
import resource
import time
from pathlib import Path

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
        processor, began = _processor_seconds(), time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await haul(job, stats, stats.observe)
        except TimeoutError:
            cut_short = True
        took, used = time.monotonic() - began, _processor_seconds() - processor
    return Run(
        seconds=took,
        cpu_seconds=used,
        objects=stats.done,
        bytes=stats.received,
        failed=stats.failed_count + stats.skipped_count,
        retries=sum(stats.retries.values()),
        throttled_s3=store.throttles["s3"],
        throttled_kms=store.throttles["kms"],
        cut_short=cut_short,
        timings=stopwatch.taken(),
    )


def _processor_seconds() -> float:
    """Of this process, in all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
