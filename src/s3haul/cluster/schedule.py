"""Decides which shard is tried next, and when a failed one is tried again. Pure: time is a parameter.

Every attempt at a shard has a higher number than those before it, also after a restart of the driver. If a worker dies,
hangs or fails, the shard is tried again, after the others. A shard that fails too often is given up ("poisoned"), and
the run continues without it.

If several nodes run attempts, a shard is tried again on another node than the one that reported an error, and a node on
which one shard after another fails (its disk is read-only, it cannot assume the role) is avoided for a while. Otherwise
such a node, which fails at once and so is always idle, would use up the attempts of all shards.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_ATTEMPTS = 5  # by one driver
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a shard is tried again
REFUSED_SHARDS = 2  # so many different ones, none finished meanwhile: the node is avoided
AVOIDED_FOR = 600.0  # seconds
NO_NODES: frozenset[str] = frozenset()


class Attempt(NamedTuple):
    """One attempt at one shard."""

    shard: int
    number: int


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
    """`waiting` are shards in the order in which they start; `latest` are the highest attempt numbers. `failed_on` has for
    each node the shards that failed there with an error id since the last one that it finished, and when."""

    waiting: deque[int]
    latest: dict[int, int]
    most_attempts: int = MOST_ATTEMPTS
    running: set[Attempt] = field(default_factory=set)
    retries: list[Retry] = field(default_factory=list)
    failures: dict[int, int] = field(default_factory=dict)
    poisoned: dict[int, ErrorSummary] = field(default_factory=dict)
    failed_on: dict[str, dict[int, float]] = field(default_factory=dict)
    done: int = 0
    in_a_row: int = 0  # consecutive attempts that failed with the id of `last`; a finished shard resets it
    last: ErrorSummary = _NO_ERROR

    @classmethod
    def of(
        cls, shards: Iterable[int], latest: Mapping[int, int], most_attempts: int = MOST_ATTEMPTS
    ) -> "Schedule":
        """A schedule of shards that are not done. Those with the most work should come first."""
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
        """The attempt to start now, if any; the caller starts it and calls `started`."""
        if not self.waiting:
            due = min(self.retries, default=None)
            if due is None or due.due > now:
                return None
            self.retries.remove(due)
            self.waiting.append(due.shard)
        shard = self.waiting[0]
        return Attempt(shard, self.latest.get(shard, 0) + 1)

    def started(self, attempt: Attempt) -> None:
        """It runs. Its number may be higher than that of `next`."""
        self.waiting.popleft()
        self.latest[attempt.shard] = attempt.number
        self.running.add(attempt)

    def found_done(self, shard: int) -> None:
        """The shard of `next` was finished by another process."""
        self.waiting.remove(shard)
        self.done += 1

    def finished(self, attempt: Attempt, node: str = "") -> None:
        """The shard has its marker. `node` ran the attempt; it is "" if that is not known."""
        self.running.discard(attempt)
        self.failed_on.pop(node, None)
        self.done += 1
        self.in_a_row, self.last = 0, _NO_ERROR

    def failed(self, attempt: Attempt, error: ErrorSummary, now: float, node: str = "") -> bool:
        """It ended without a marker. Returns whether the shard will be tried again. `node` as for `finished`."""
        self.running.discard(attempt)
        if node and error.id:
            self.failed_on.setdefault(node, {})[attempt.shard] = now
        count = self.failures[attempt.shard] = self.failures.get(attempt.shard, 0) + 1
        same = bool(error.id) and error.id == self.last.id
        self.in_a_row, self.last = self.in_a_row + 1 if same else int(bool(error.id)), error
        if count >= self.most_attempts:
            self.poisoned[attempt.shard] = error
            return False
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (count - 1))
        self.retries.append(Retry(now + pause, attempt.shard))
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
        """Whether all attempts fail for the same reason, for example a role that was deleted. `slots` are those of all
        nodes."""
        return self.in_a_row >= max(3, 2 * slots)
