"""The driver: keeps the workers busy, retries failed attempts, gives up shards that always fail, reports the progress.

It can be killed at any time. Its state is in RUN: markers say which shards are done, claims which attempt numbers are
used. The next driver continues from there.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.executor import Ended, Executor
from s3haul.cluster.plan import ShardRecord, ShardSize
from s3haul.cluster.records import RunDescription, encode_sharers, sharers
from s3haul.cluster.schedule import AVOIDED_FOR, MOST_ATTEMPTS, Attempt, ErrorSummary, Schedule
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import S3HaulError

WAIT = 0.2  # seconds, for an attempt to end
READ_EVERY = 2.0  # seconds between two readings of the reports
HUNG_AFTER = 300.0  # seconds without a report


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverOptions:
    """`hung_after` is in seconds."""

    most_attempts: int = MOST_ATTEMPTS
    hung_after: float = HUNG_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of all shards."""

    shards: int
    done: int
    running: int
    retried: int
    poisoned: int
    objects: int
    bytes: int


@dataclass(slots=True)
class _Running:
    """A running attempt: its last report, and when that changed."""

    changed: float
    sequence: int = -1
    objects: int = 0
    bytes: int = 0


class Driver:
    """Runs the shards that are not done yet. `tell` gets messages for the user."""

    def __init__(
        self,
        directory: RunDirectory,
        run: RunDescription,
        executor: Executor,
        options: DriverOptions,
        *,
        tell: Callable[[str], None] = lambda _: None,
        progress: Callable[[Progress], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory, self._run, self._executor, self._options = directory, run, executor, options
        self._tell, self._progress, self._clock = tell, progress, clock
        self._records = directory.read_index(run)
        self._running: dict[Attempt, _Running] = {}
        self._retried = 0
        done = directory.done()
        self._ended = [self._records[number] for number in done]
        left = longest_first(record for record in self._records if record.shard not in done)
        self.schedule = Schedule.of(left, directory.latest_attempts(), options.most_attempts)
        self._sharers = 0
        self._read_at = 0.0

    def drive(self) -> Progress:
        """Run until every shard is done or given up. Raises `S3HaulError` if no attempt can succeed."""
        while not self.schedule.ended:
            slots = self._executor.slots(self.schedule.refusing(self._clock()))
            self._share(slots)
            self._start(slots)
            for ended in self._executor.ended(WAIT):
                self._settle(ended)
            if self._clock() >= self._read_at:
                self._read_at = self._clock() + READ_EVERY
                self._read_reports()
            if self.schedule.hopeless(self._executor.slots()):
                raise self._hopeless()
        self._progress(self.state())
        return self.state()

    def state(self) -> Progress:
        running = self._running.values()
        return Progress(
            shards=self._run.shards,
            done=len(self._ended),
            running=len(running),
            retried=self._retried,
            poisoned=len(self.schedule.poisoned),
            objects=sum(record.objects for record in self._ended) + sum(each.objects for each in running),
            bytes=sum(record.bytes for record in self._ended) + sum(each.bytes for each in running),
        )

    def _start(self, slots: int) -> None:
        while len(self._running) < slots:
            now = self._clock()
            attempt = self.schedule.next(now)
            if attempt is None:
                return
            if self._directory.is_done(attempt.shard):  # by a worker of an earlier driver
                self.schedule.found_done(attempt.shard)
                self._ended.append(self._records[attempt.shard])
                continue
            attempt = self._directory.claim_next(attempt)
            self.schedule.started(attempt)
            self._running[attempt] = _Running(now)
            self._executor.start(attempt, self.schedule.avoided(attempt.shard, now))

    def _share(self, slots: int) -> None:
        """Write for the workers how many share the rate limits."""
        count = sharers(slots=slots, open_shards=self.schedule.open)
        if count != self._sharers:
            self._sharers = count
            self._directory.set_limits(encode_sharers(count))

    def _settle(self, ended: Ended) -> None:
        attempt, finished, how, node, error_id = ended
        if self._running.pop(attempt, None) is None:
            return
        if finished or self._directory.is_done(attempt.shard):
            self.schedule.finished(attempt, node if finished else "")
            self._ended.append(self._records[attempt.shard])
            return
        report = self._directory.last_report(attempt)
        known = report is not None and report.ended
        error = (
            ErrorSummary(report.error, report.error_id) if report and known else ErrorSummary(how, error_id)
        )
        self._failed(attempt, error, report.node if report else node, node)

    def _failed(self, attempt: Attempt, error: ErrorSummary, host: str, node: str = "") -> None:
        """An attempt failed on a host; `node` is the name that the executor has for it."""
        now = self._clock()
        before = self.schedule.refusing(now)
        again = self.schedule.failed(attempt, error, now, node)
        self._retried += again
        what = (
            "is tried again"
            if again
            else f"is given up after {self.schedule.failures[attempt.shard]} attempts"
        )
        self._log("retry" if again else "poisoned", attempt, error, host)
        place = f" on {host}" if host else ""
        reason = f"{error.what}{f' [{error.id}]' if error.id else ''}"
        self._tell(f"Shard {attempt.shard} {what}: attempt {attempt.number}{place} failed ({reason})")
        if self.schedule.refusing(now) - before:
            self._log("avoided", attempt, error, host)
            self._tell(
                f"Node {host} refuses: one shard after another failed there ({reason}). While there are others, it gets"
                f" no shards for {AVOIDED_FOR / 60:.0f} minutes"
            )

    def _log(self, event: str, attempt: Attempt, error: ErrorSummary, host: str) -> None:
        fields = {"time": round(time.time(), 3), "event": event, **attempt._asdict(), **error._asdict()}
        self._directory.log(json.dumps(fields | {"node": host}))

    def _read_reports(self) -> None:
        """Read the reports; kill attempts that have stopped reporting."""
        now = self._clock()
        for attempt, running in list(self._running.items()):
            report = self._directory.last_report(attempt)
            if report is not None and report.sequence != running.sequence:
                self._running[attempt] = _Running(now, report.sequence, report.objects, report.bytes)
                continue
            started = running.sequence >= 0 or self._executor.starts_at_once
            if started and now - running.changed >= self._options.hung_after:
                self._executor.kill(attempt)
                del self._running[attempt]
                silent = ErrorSummary(f"it has not reported for {now - running.changed:.0f} s")
                self._failed(attempt, silent, report.node if report else "")
        self._progress(self.state())

    def _hopeless(self) -> S3HaulError:
        last = self.schedule.last
        return DIAGNOSES[last.id].error(
            f"{self.schedule.in_a_row} attempts in a row failed for the same reason: {last.what}",
            hint=f"s3haul cluster check {self._directory.root} looks at it in a worker's place",
            id=last.id,
        )


def longest_first(records: Iterable[ShardRecord]) -> list[int]:
    """The shards with the most work first, so that the run does not wait for one of them at its end."""
    size = ShardSize()
    work = {each.shard: each.objects / size.objects + each.bytes / size.bytes for each in records}
    return sorted(work, key=lambda shard: -work[shard])
