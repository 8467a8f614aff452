"""Writes down how a run goes, for the report: looks at the counts once a second, writes to the journal now and then.

It costs the same whatever the run does, and the run asks it nothing.
"""

import asyncio

from s3haul.core.stats import Stats
from s3haul.core.timings import Sample, Series, Timings
from s3haul.engine.context import Context
from s3haul.journal.course import Course

LOOK = 1.0  # seconds
WRITE = 30.0  # seconds, which a run that is killed loses of its course


class Recorder:
    """For one run, whose number in the journal is `run`."""

    def __init__(self, ctx: Context, run: int, stats: Stats, timings: Timings) -> None:
        self._ctx, self._run, self._stats, self._timings = ctx, run, stats, timings
        self._series = Series()
        self._began = self._last = ctx.clock()
        self._before = self._counts()

    async def watch(self) -> None:
        """Until cancelled."""
        due = self._began + WRITE
        while True:
            await asyncio.sleep(LOOK)
            self._look()
            if self._last >= due:
                due = self._last + WRITE
                self._write()

    def ended(self, key: str, size: int, began: float) -> None:
        """An object ended on the general path, whose turn came at `began`."""
        self._timings.ended(key, size, self._ctx.clock() - began)

    def end(self) -> None:
        """Write what is left. The journal is open still."""
        self._look()
        self._write()

    def _look(self) -> None:
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
        return stats.received, stats.ended, stats.selected, retries, stats.throttles, stats.renewals

    def _write(self) -> None:
        course = Course(
            samples=self._series.samples,
            slowest=self._timings.slowest(),
            prefixes=self._timings.prefixes(),
            retries=dict(self._stats.retries),
        )
        self._ctx.journal.put_course(self._run, course)


def _percentile(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
