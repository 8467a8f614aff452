"""Which shard is tried next, and what becomes of one that was not finished. Pure: time comes in.

Every attempt at a shard has a number of its own, higher than those before it, also over restarts of the driver. A worker
may die, hang or fail: the shard is tried again, later than the others. One that fails too often is given up
("poisoned"), and the run goes on without it.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_ATTEMPTS = 5  # by one driver
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a shard is tried again


class Attempt(NamedTuple):
    """One try at one shard."""

    shard: int
    number: int


class ErrorSummary(NamedTuple):
    """Why an attempt did not finish: `id` is an error id where the attempt itself could tell, else empty."""

    what: str
    id: str = ""


_NO_TROUBLE = ErrorSummary("")


class Retry(NamedTuple):
    """A shard that waits to be tried again, from `due` (the driver's clock) on."""

    due: float
    shard: int


@dataclass(slots=True)
class Schedule:
    """`waiting` are shards in the order in which they start; `latest` is the highest number of an attempt at a shard."""

    waiting: deque[int]
    latest: dict[int, int]
    most_attempts: int = MOST_ATTEMPTS
    running: set[Attempt] = field(default_factory=set)
    retries: list[Retry] = field(default_factory=list)
    failures: dict[int, int] = field(default_factory=dict)
    poisoned: dict[int, ErrorSummary] = field(default_factory=dict)
    done: int = 0
    in_a_row: int = 0  # attempts that ended as `last`, by its id, without a shard done in between
    last: ErrorSummary = _NO_TROUBLE

    @classmethod
    def of(
        cls, shards: Iterable[int], latest: Mapping[int, int], most_attempts: int = MOST_ATTEMPTS
    ) -> "Schedule":
        """For shards that are not done. Those with the most work should come first."""
        return cls(deque(shards), dict(latest), most_attempts)

    @property
    def ended(self) -> bool:
        """Whether every shard is done or poisoned."""
        return not (self.waiting or self.running or self.retries)

    @property
    def open(self) -> int:
        """Shards that are not done and not given up."""
        return len(self.waiting) + len(self.retries) + len(self.running)

    def next(self, now: float) -> Attempt | None:
        """The attempt that should start now, if any; the caller starts it and says so by `started`."""
        if not self.waiting:
            due = min(self.retries, default=None)
            if due is None or due.due > now:
                return None
            self.retries.remove(due)
            self.waiting.append(due.shard)
        shard = self.waiting[0]
        return Attempt(shard, self.latest.get(shard, 0) + 1)

    def started(self, attempt: Attempt) -> None:
        """It runs. Its number may be higher than `next` said."""
        self.waiting.popleft()
        self.latest[attempt.shard] = attempt.number
        self.running.add(attempt)

    def found_done(self, shard: int) -> None:
        """The shard that `next` named turned out to be finished by somebody else."""
        self.waiting.remove(shard)
        self.done += 1

    def finished(self, attempt: Attempt) -> None:
        """The shard has its marker."""
        self.running.discard(attempt)
        self.done += 1
        self.in_a_row, self.last = 0, _NO_TROUBLE

    def failed(self, attempt: Attempt, trouble: ErrorSummary, now: float) -> bool:
        """It ended without a marker; whether the shard will be tried again."""
        self.running.discard(attempt)
        count = self.failures[attempt.shard] = self.failures.get(attempt.shard, 0) + 1
        same = bool(trouble.id) and trouble.id == self.last.id
        self.in_a_row, self.last = self.in_a_row + 1 if same else int(bool(trouble.id)), trouble
        if count >= self.most_attempts:
            self.poisoned[attempt.shard] = trouble
            return False
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (count - 1))
        self.retries.append(Retry(now + pause, attempt.shard))
        return True

    def hopeless(self, slots: int) -> bool:
        """Whether attempts fail for one and the same reason that all of them meet, such as a role that is gone."""
        return self.in_a_row >= max(3, 2 * slots)
