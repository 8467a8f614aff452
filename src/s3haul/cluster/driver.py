"""The driver: keeps the workers busy, retries failed attempts,
gives up shards that always fail, reports the progress.

It can be killed at any time. Its state is in RUN: markers say which shards are done, claims which
attempt numbers are used. The next driver continues from there. `Schedule` decides which shard is
next, and does no I/O.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.executor import Ended, Executor
from s3haul.cluster.plan import Attempt, ShardRecord, ShardSize
from s3haul.cluster.records import RunDescription
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import S3HaulError
from s3haul.events import ignore

MOST_ATTEMPTS = 5  # by one driver
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a shard is tried again
REFUSED_SHARDS = 2  # so many different ones, none finished meanwhile: the node is avoided
AVOIDED_FOR = 600.0  # seconds
WAIT = 0.2  # seconds, for an attempt to end
READ_EVERY = 2.0  # seconds between two readings of the reports
HUNG_AFTER = 300.0  # seconds without a report


class ErrorSummary(NamedTuple):
    """Why an attempt failed. `id` is the error id if the attempt reported one, else empty."""

    what: str
    id: str = ""


_NO_ERROR = ErrorSummary("")


class Retry(NamedTuple):
    """A shard that is tried again at the time `due` of the driver's clock."""

    due: float
    shard: int


@dataclass(slots=True)
class Schedule:
    """Which shard is tried next. `waiting` are those that are not done, in the order in which they start.

    If an attempt fails, the shard is tried again, after the others. A shard that fails too often is given up
    ("poisoned"), and the run continues without it.

    If several nodes run attempts, a shard is tried again on another node than the one that reported an error,
    and a node on which one shard after another fails (its disk is read-only, it cannot assume the role) is
    avoided for a while. Otherwise such a node, which fails at once and so is always idle, would use up the
    attempts of all shards. `failed_on` has for each node the shards that failed there with an error id since
    the last one that it finished, and when.
    """

    waiting: deque[int]
    most_attempts: int = MOST_ATTEMPTS
    running: set[int] = field(default_factory=set)
    retries: list[Retry] = field(default_factory=list)
    failures: dict[int, int] = field(default_factory=dict)
    poisoned: dict[int, ErrorSummary] = field(default_factory=dict)
    failed_on: dict[str, dict[int, float]] = field(default_factory=dict)
    in_a_row: int = 0  # consecutive attempts that failed with the id of `last`; a finished shard resets it
    last: ErrorSummary = _NO_ERROR

    @property
    def open(self) -> int:
        """Shards that are not done and not given up."""
        return len(self.waiting) + len(self.retries) + len(self.running)

    def next(self, now: float) -> int | None:
        """The shard to try now, if any; it is running from now on."""
        due = min(self.retries, default=None)
        if self.waiting:
            shard = self.waiting.popleft()
        elif due is not None and due.due <= now:
            self.retries.remove(due)
            shard = due.shard
        else:
            return None
        self.running.add(shard)
        return shard

    def finished(self, shard: int, node: str = "") -> None:
        """The shard has its marker. `node` ran the attempt; it is "" if that is not known."""
        self.running.discard(shard)
        self.failed_on.pop(node, None)
        self.in_a_row, self.last = 0, _NO_ERROR

    def failed(self, shard: int, error: ErrorSummary, now: float, node: str = "") -> bool:
        """The attempt ended without a marker. Returns whether the shard will be tried again.
        `node` as for `finished`."""
        self.running.discard(shard)
        if node and error.id:
            self.failed_on.setdefault(node, {})[shard] = now
        count = self.failures[shard] = self.failures.get(shard, 0) + 1
        same = bool(error.id) and error.id == self.last.id
        self.in_a_row, self.last = self.in_a_row + 1 if same else int(bool(error.id)), error
        if count >= self.most_attempts:
            self.poisoned[shard] = error
            return False
        self.retries.append(Retry(now + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (count - 1)), shard))
        return True

    def refusing(self, now: float) -> frozenset[str]:
        """The nodes that no attempt should run on."""
        return frozenset(
            node
            for node, failed in self.failed_on.items()
            if sum(now - at < AVOIDED_FOR for at in failed.values()) >= REFUSED_SHARDS
        )

    def avoided(self, shard: int, now: float) -> frozenset[str]:
        """The nodes that the next attempt at this shard should not run on."""
        return self.refusing(now) | {node for node, failed in self.failed_on.items() if shard in failed}

    def hopeless(self, slots: int) -> bool:
        """Whether all attempts fail for the same reason, for example a role that was deleted.
        `slots` are those of all nodes."""
        return self.in_a_row >= max(3, 2 * slots)


def longest_first(records: Iterable[ShardRecord]) -> list[int]:
    """The shards with the most work first, so that the run does not wait for one of them at its end."""
    size = ShardSize()
    work = {each.shard: each.objects / size.objects + each.bytes / size.bytes for each in records}
    return sorted(work, key=lambda shard: -work[shard])


def sharers(*, slots: int, open_shards: int) -> int:
    """How many shards share the rate limits: as many as can run at a time, fewer at the end of a run."""
    return max(1, min(slots, open_shards))


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
    """Runs the shards that are not done yet. `hung_after` is in seconds;
    `warn` gets messages for the user."""

    def __init__(
        self,
        directory: RunDirectory,
        run: RunDescription,
        executor: Executor,
        *,
        most_attempts: int = MOST_ATTEMPTS,
        hung_after: float = HUNG_AFTER,
        warn: Callable[[str], None] = ignore,
        progress: Callable[[Progress], None] = ignore,
    ) -> None:
        self._directory, self._executor, self._hung_after = directory, executor, hung_after
        self._warn, self._progress = warn, progress
        self._records = directory.read_index(run)
        self._running: dict[Attempt, _Running] = {}
        self._retried = 0
        done = directory.done()
        self._done = [self._records[number] for number in done]
        left = longest_first(record for record in self._records if record.shard not in done)
        self._schedule = Schedule(deque(left), most_attempts)
        self._sharers = 0
        self._read_at = 0.0

    def drive(self) -> Progress:
        """Run until every shard is done or given up. Raises `S3HaulError` if no attempt can succeed."""
        while self._schedule.open:
            slots = self._executor.slots(self._schedule.refusing(time.monotonic()))
            self._share_limits(slots)
            self._start(slots)
            for ended in self._executor.ended(WAIT):
                self._end(ended)
            if time.monotonic() >= self._read_at:
                self._read_at = time.monotonic() + READ_EVERY
                self._read_reports()
                self._progress(self.state())
            if self._schedule.hopeless(self._executor.slots()):
                raise self._hopeless()
        self._progress(self.state())
        return self.state()

    def state(self) -> Progress:
        running = self._running.values()
        return Progress(
            shards=len(self._records),
            done=len(self._done),
            running=len(running),
            retried=self._retried,
            poisoned=len(self._schedule.poisoned),
            objects=sum(record.objects for record in self._done) + sum(each.objects for each in running),
            bytes=sum(record.bytes for record in self._done) + sum(each.bytes for each in running),
        )

    def _share_limits(self, slots: int) -> None:
        """Write for the workers how many share the rate limits."""
        count = sharers(slots=slots, open_shards=self._schedule.open)
        if count != self._sharers:
            self._sharers = count
            self._directory.set_sharers(count)

    def _start(self, slots: int) -> None:
        """Start attempts until all slots are in use."""
        while len(self._running) < slots:
            now = time.monotonic()
            shard = self._schedule.next(now)
            if shard is None:
                return
            if self._directory.is_done(shard):  # by a worker of an earlier driver
                self._finish(shard)
                continue
            attempt = self._directory.claim(shard)
            self._running[attempt] = _Running(now)
            self._executor.start(attempt, self._schedule.avoided(shard, now))

    def _end(self, ended: Ended) -> None:
        attempt, finished, how, node, error_id = ended
        if self._running.pop(attempt, None) is None:
            return
        if finished or self._directory.is_done(attempt.shard):
            self._finish(attempt.shard, node if finished else "")
            return
        report = self._directory.last_report(attempt)
        known = report is not None and report.ended
        error = (
            ErrorSummary(report.error, report.error_id) if report and known else ErrorSummary(how, error_id)
        )
        self._fail(attempt, error, report.node if report else node, node)

    def _finish(self, shard: int, node: str = "") -> None:
        self._schedule.finished(shard, node)
        self._done.append(self._records[shard])

    def _fail(self, attempt: Attempt, error: ErrorSummary, host: str, node: str = "") -> None:
        """An attempt failed on a host; `node` is the name that the executor has for it."""
        now = time.monotonic()
        refusing = self._schedule.refusing(now)
        again = self._schedule.failed(attempt.shard, error, now, node)
        self._retried += again
        self._log("retry" if again else "poisoned", attempt, error, host)
        failures = self._schedule.failures[attempt.shard]
        next_step = "is tried again" if again else f"is given up after {failures} attempts"
        place = f" on {host}" if host else ""
        reason = f"{error.what}{f' [{error.id}]' if error.id else ''}"
        self._warn(f"Shard {attempt.shard} {next_step}: attempt {attempt.number}{place} failed ({reason})")
        if self._schedule.refusing(now) - refusing:
            self._log("avoided", attempt, error, host)
            self._warn(
                f"Node {host} refuses: one shard after another failed there ({reason}). While there are others, it gets"
                f" no shards for {AVOIDED_FOR / 60:.0f} minutes"
            )

    def _log(self, event: str, attempt: Attempt, error: ErrorSummary, host: str) -> None:
        fields = {"time": round(time.time(), 3), "event": event, **attempt._asdict(), **error._asdict()}
        self._directory.log(fields | {"node": host})

    def _read_reports(self) -> None:
        """Read the reports; kill attempts that have stopped reporting."""
        now = time.monotonic()
        for attempt, running in list(self._running.items()):
            report = self._directory.last_report(attempt)
            if report is not None and report.sequence != running.sequence:
                self._running[attempt] = _Running(now, report.sequence, report.objects, report.bytes)
                continue
            started = running.sequence >= 0 or self._executor.starts_at_once
            if started and now - running.changed >= self._hung_after:
                self._executor.kill(attempt)
                del self._running[attempt]
                silent = ErrorSummary(f"it has not reported for {now - running.changed:.0f} s")
                self._fail(attempt, silent, report.node if report else "")

    def _hopeless(self) -> S3HaulError:
        last = self._schedule.last
        return DIAGNOSES[last.id].error(
            f"{self._schedule.in_a_row} attempts in a row failed for the same reason: {last.what}",
            hint=f"s3haul cluster check {self._directory.root} looks at it in a worker's place",
            id=last.id,
        )
