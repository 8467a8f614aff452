"""What a run does once a second: its tick, a look at the disk,
at the file with changed limits, and at the counts.

Each task runs until cancelled. A thread that waits for a disk that hangs cannot be ended, and nobody can wait
for it: whoever owns the process must leave it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from s3haul.concurrency import in_thread
from s3haul.core.stats import Sample, Series, Stats, Timings
from s3haul.core.text import human_bytes
from s3haul.disk.limits_file import LimitsFile
from s3haul.engine.context import Context
from s3haul.engine.interruption import Interruption, RunLimits
from s3haul.errors import DestinationError, UsageError
from s3haul.events import Noted, Tick, Warned
from s3haul.journal.performance import Performance
from s3haul.options import LimitOptions, TransferOptions
from s3haul.store.rate_limited import fitting

DISK_HANGS = "S3H-DST-13"
EVERY = 1.0  # seconds
WRITE_EVERY = 30.0  # seconds of samples that a killed run loses, at most


async def tick(ctx: Context, wake: Callable[[], None], limits: RunLimits, interruption: Interruption) -> None:
    """Emit the tick, call `wake`, and end the run when its time is over."""
    while True:
        warn_of_limitations(ctx)
        await asyncio.sleep(EVERY)
        ctx.emit(Tick())
        wake()
        if limits.time_is_up(ctx.clock()):
            interruption.stop()


def warn_of_limitations(ctx: Context) -> None:
    """Warn about operations that the file system of the destination does not support."""
    for sentence in ctx.destination.unreported_limitations():
        ctx.emit(Warned(sentence, "S3H-DST-12"))


async def watch_disk(ctx: Context, leave: Callable[[DestinationError], None]) -> None:
    """Until cancelled. Calls `leave` with the `DestinationError` that it raises when the disk
    is silent for too long."""
    warned = False
    while True:
        await asyncio.sleep(EVERY)
        seconds = ctx.destination.under_way.longest()
        message = f"the disk of {ctx.destination.root} has not answered for {seconds:.0f} s"
        if seconds >= max(ctx.options.retry_timeout, ctx.options.stall_timeout):
            hint = "check the disk or the mount (dmesg, df), then run the same command again: it resumes"
            error = DestinationError(message, hint=hint, id=DISK_HANGS)
            leave(error)
            raise error
        silent = seconds >= ctx.options.stall_timeout
        if silent and not warned:
            ctx.emit(Warned(f"{message}; the run waits", DISK_HANGS))
        warned = silent


async def follow_limits(ctx: Context, options: TransferOptions) -> None:
    """Until cancelled: apply what the limits file says. `options` are those of the command line."""
    file = LimitsFile(ctx.destination.root)
    await in_thread(ctx.threads, file.clear)
    while True:
        await asyncio.sleep(EVERY)
        try:
            changed = await in_thread(ctx.threads, file.changed, ctx.rate_limited.limits)
        except UsageError as error:
            ctx.emit(Warned(error.message, error.id))
            continue
        if changed is not None:
            apply(ctx, options, changed)


def apply(ctx: Context, options: TransferOptions, limits: LimitOptions) -> None:
    """Apply these limits from now on."""
    ctx.rate_limited.limit(limits)
    if limits.concurrency is not None:
        most = min(options.concurrency, max(1, int(limits.concurrency)))
        options = replace(options, concurrency=most)
    fit = fitting(options, limits.bandwidth)
    ctx.limiter.allow(fit.concurrency)
    ctx.large_limiter.allow(fit.ranges.memory)
    ctx.emit(Noted(f"limits of this run from now on: {describe(limits)}"))


def describe(limits: LimitOptions) -> str:
    """The limits in words."""
    words = []
    if limits.concurrency is not None:
        words.append(f"{limits.concurrency:g} parallel requests")
    if limits.max_rps is not None:
        words.append(f"{limits.max_rps:g} requests/s")
    if limits.max_kms_rps is not None:
        words.append(f"{limits.max_kms_rps:g} KMS calls/s")
    if limits.bandwidth is not None:
        words.append(f"{human_bytes(int(limits.bandwidth))}/s")
    return ", ".join(words) or "none"


class Recorder:
    """Records how a run goes, for the report: looks at the counts once a second,
    writes to the journal now and then.

    `run` is the number of the run in the journal. It costs the same whatever the run does.
    """

    def __init__(self, ctx: Context, run: int, stats: Stats, timings: Timings) -> None:
        self._ctx, self._run, self._stats, self._timings = ctx, run, stats, timings
        self._series = Series()
        self._began = self._last = ctx.clock()
        self._before = self._counts()

    async def watch(self) -> None:
        """Until cancelled."""
        due = self._began + WRITE_EVERY
        while True:
            await asyncio.sleep(EVERY)
            self._add_sample()
            if self._last >= due:
                due = self._last + WRITE_EVERY
                self._write()

    def end(self) -> None:
        """Write what is left. The journal is open still."""
        self._add_sample()
        self._write()

    def _add_sample(self) -> None:
        now, counts = self._ctx.clock(), self._counts()
        received, ended, listed, retries, throttles, renewals = (
            max(0, count - before) for count, before in zip(counts, self._before, strict=True)
        )
        first_bytes = self._timings.take_first_bytes()
        self._series.add(
            Sample(
                start=self._last - self._began,
                seconds=now - self._last,
                bytes=received,
                objects=ended,
                listed=listed,
                limit=self._ctx.limiter.limit,
                retries=retries,
                throttles=throttles,
                renewals=renewals,
                first_byte=_percentile(first_bytes, 0.5),
                first_byte_high=_percentile(first_bytes, 0.99),
            )
        )
        self._last, self._before = now, counts

    def _counts(self) -> tuple[int, ...]:
        stats = self._stats
        retries = sum(stats.retries.values())
        return stats.received, stats.finished, stats.selected, retries, stats.throttles, stats.renewals

    def _write(self) -> None:
        performance = Performance(
            samples=self._series.samples,
            slowest=self._timings.slowest(),
            prefixes=self._timings.prefixes(),
            retries=dict(self._stats.retries),
        )
        self._ctx.journal.put_performance(self._run, performance)


def _percentile(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
