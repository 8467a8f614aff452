"""How far a run is, how fast it goes and what slows it down: one model for bars, lines and JSON.

Pure: counts and time come in. No share and no time left are claimed before the
listing is complete, since until then nobody knows how much there is.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple

from s3haul.core.stats import Stats
from s3haul.core.text import human_bytes, human_count, human_duration, show

WINDOW = 10.0  # seconds that the rates look back
HORIZON = 60.0  # seconds that the estimate of the time left looks back
SETTLED = 3.0  # seconds before which no time left is claimed
SILENCE = 30.0  # seconds without any progress that are worth a word
_STEP = 0.5  # seconds between two samples
_LONGEST = 99 * 86400.0  # an estimate beyond it says nothing
_REASONS_SHOWN = 2
_CAUSE_LENGTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The run at one moment. Bytes are those of bodies that this run fetches, rates are per second. `arrived`
    are the bytes that came or were found in place, of the `total` that will not be lost.

    `resumed` are bytes of earlier runs in objects that this run continues. `share` (0 to 1) and `remaining`
    (seconds) are None as long as they cannot be known. `silent` counts the seconds since anything ended,
    arrived or was listed.
    """

    elapsed: float
    listing_complete: bool
    objects: int
    selected: int
    failed: int
    skipped: int
    unchanged: int
    found_in_place: int
    resumed: int
    encoded: int
    bytes: int
    to_fetch: int
    arrived: int
    total: int
    byte_rate: float
    object_rate: float
    share: float | None
    remaining: float | None
    throttled: bool
    retries: dict[str, int]
    silent: float
    last_retry: str

    @property
    def more(self) -> str:
        """What follows a total that will grow."""
        return "" if self.listing_complete else "+"

    def notes(self) -> list[str]:
        """What a person must know besides the counts: losses, throttling, retries."""
        notes = [f"{human_count(self.failed)} failed"] if self.failed else []
        notes += [f"{human_count(self.skipped)} skipped"] if self.skipped else []
        notes += ["throttled"] if self.throttled else []
        notes += [retry_note(self.retries)] if self.retries else []
        return notes

    def savings(self) -> list[str]:
        """What need not be fetched, and which names are not the keys' own."""
        savings = [f"{human_count(self.unchanged)} unchanged"] if self.unchanged else []
        savings += [f"{human_count(self.found_in_place)} in place"] if self.found_in_place else []
        savings += [f"{human_bytes(self.resumed)} resumed"] if self.resumed else []
        savings += [f"{human_count(self.encoded, 'name')} encoded"] if self.encoded else []
        return savings

    @property
    def stall(self) -> str:
        """That nothing arrives, and the last thing that went wrong; "" in a run that moves."""
        if self.silent < SILENCE:
            return ""
        cause = f": last {self.last_retry}" if self.last_retry else ""
        return f"nothing arrived for {human_duration(self.silent)}{cause}"

    def as_object(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "elapsed_seconds": round(self.elapsed, 3),
            "listing_complete": self.listing_complete,
            "objects": {
                "ended": self.objects,
                "selected": self.selected,
                "failed": self.failed,
                "skipped": self.skipped,
                "unchanged": self.unchanged,
                "found_in_place": self.found_in_place,
                "encoded": self.encoded,
                "per_second": round(self.object_rate, 1),
            },
            "bytes": {
                "received": self.bytes,
                "to_fetch": self.to_fetch,
                "resumed": self.resumed,
                "per_second": round(self.byte_rate),
            },
            "share": None if self.share is None else round(self.share, 4),
            "remaining_seconds": None if self.remaining is None else round(self.remaining, 1),
            "throttled": self.throttled,
            "retries": self.retries,
            "silent_seconds": round(self.silent, 1),
            "last_retry": self.last_retry,
        }


def retry_note(retries: dict[str, int]) -> str:
    """`253 retries (server-error)`; of several reasons the most frequent ones."""
    frequent = sorted(retries, key=lambda reason: (-retries[reason], reason))
    named = ", ".join(frequent[:_REASONS_SHOWN]) + (", ..." if len(frequent) > _REASONS_SHOWN else "")
    total = sum(retries.values())
    return f"{total:,} {'retry' if total == 1 else 'retries'} ({named})"


class _Sample(NamedTuple):
    time: float
    received: int
    advanced: int  # bytes that are received, found in place, or given up
    ended: int
    throttles: int


class Meter:
    """Reads the counts of a run from time to time; `read` is cheap enough for every quarter of a second."""

    def __init__(self, stats: Stats, now: float) -> None:
        self._stats = stats
        self._started = now
        self._moved = now
        self._seen = (0, 0, 0, 0)
        self._samples = deque([self._sample(now)])

    def read(self, now: float) -> Reading:
        """The run at `now` (seconds of a clock that never goes back)."""
        stats, current = self._stats, self._sample(now)
        seen = (stats.received, stats.finished, stats.selected, stats.resumed)
        if seen != self._seen:
            self._seen, self._moved = seen, now
        recent = self._base(now - WINDOW)
        due = max(stats.selected_bytes - stats.already_bytes - stats.resumed, 0)
        arrived = stats.received + stats.found_bytes
        total = max(due - stats.lost_bytes, arrived)
        reading = Reading(
            elapsed=now - self._started,
            listing_complete=stats.listing_complete,
            objects=stats.finished,
            selected=stats.selected,
            failed=stats.failed_count,
            skipped=stats.skipped_count,
            unchanged=stats.already,
            found_in_place=stats.found,
            resumed=max(stats.resumed, 0),
            encoded=stats.encoded,
            bytes=stats.received,
            to_fetch=total - stats.found_bytes,
            arrived=arrived,
            total=total,
            byte_rate=_rate(current.received - recent.received, now - recent.time),
            object_rate=_rate(current.ended - recent.ended, now - recent.time),
            share=self._share(arrived, total),
            remaining=self._remaining(current, due),
            throttled=current.throttles > recent.throttles,
            retries=dict(stats.retries),
            silent=now - self._moved,
            last_retry=self._last_retry(),
        )
        if now - self._samples[-1].time >= _STEP:
            self._samples.append(current)
        while len(self._samples) > 1 and self._samples[1].time <= now - HORIZON:
            self._samples.popleft()
        return reading

    def _sample(self, now: float) -> _Sample:
        stats = self._stats
        advanced = stats.received + stats.found_bytes + stats.lost_bytes
        return _Sample(now, stats.received, advanced, stats.finished, stats.throttles)

    def _base(self, moment: float) -> _Sample:
        """The last sample that is not younger than `moment`, else the first."""
        for sample in reversed(self._samples):
            if sample.time <= moment:
                return sample
        return self._samples[0]

    def _share(self, arrived: int, total: int) -> float | None:
        if not self._stats.listing_complete:
            return None
        if total > 0:
            return max(arrived / total, 0.0)
        return self._stats.finished / self._stats.selected if self._stats.selected else 1.0

    def _remaining(self, current: _Sample, due: int) -> float | None:
        """The longer of what the bytes and what the objects need at their present rates."""
        base = self._base(current.time - HORIZON)
        span = current.time - base.time
        if not self._stats.listing_complete or span < SETTLED or current.time - self._moved > WINDOW:
            return None
        byte_rate = _rate(current.advanced - base.advanced, span)
        object_rate = _rate(current.ended - base.ended, span)
        times = []
        if (left := due - current.advanced) > 0:
            times.append(left / byte_rate if byte_rate else _LONGEST)
        if (objects := self._stats.selected - current.ended) > 0 and object_rate:
            times.append(objects / object_rate)
        longest = max(times, default=0.0)
        return longest if longest < _LONGEST else None

    def _last_retry(self) -> str:
        last = self._stats.last_retry
        if last is None:
            return ""
        message = show(last.message)
        cut = message if len(message) <= _CAUSE_LENGTH else message[: _CAUSE_LENGTH - 3] + "..."
        return f"{last.reason} ({cut})" if cut else last.reason


def _rate(amount: int, seconds: float) -> float:
    return max(amount, 0) / seconds if seconds > 0 else 0.0
