"""The statistics of one run: counts in `Stats`, times in `Timings`,
and how it goes over time in `Series`. Pure.

Every event is counted, and at the end the counts must balance: listed = filtered + already done + done +
skipped + failed + vanished, or something was lost. Progress shows the counts, the summary prints them, the
exit code follows from them. Times and samples are bounded, however many objects come and however long a run
takes: if a series is full, neighbours become one sample, so a run of a minute is known by the second, one of
a week by the half hour.
"""

import heapq
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from s3haul.core.keypath import MARK
from s3haul.events import (
    AlreadyDone,
    Changed,
    CredentialsRenewed,
    Event,
    Finished,
    Listed,
    ListingEnded,
    PartialsKept,
    Received,
    Reconciled,
    Resumed,
    Retrying,
    Warned,
)
from s3haul.models import Outcome, State, Verdict

EXAMPLES_PER_REASON = 3
_ACCESS_REASONS = frozenset(
    {"access-denied", "kms-access-denied", "kms-key-unusable", "requester-pays", "signature-refused"}
)

FIRST_BYTES = 4096  # kept until they are taken
SLOWEST = 25
PREFIXES = 512  # further ones are counted together
PREFIX_DEPTH = 2
PREFIX_SAMPLE = 8  # one object in so many counts for its prefix
OTHER_PREFIXES = ""
MOST_SAMPLES = 480  # of a run
SHORTEST_SAMPLE = 0.95  # seconds, at least; one is taken every second


@dataclass(slots=True)
class Cause:
    """All objects that ended for one reason; `detail` and `keys` are the first few, for the message."""

    count: int = 0
    bytes: int = 0
    detail: str = ""
    keys: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.count += 1
        self.bytes += outcome.ref.size
        self.detail = self.detail or outcome.detail or ""
        if len(self.keys) < EXAMPLES_PER_REASON:
            self.keys.append(outcome.ref.plain_key)


@dataclass(slots=True)
class Stats:
    """Counts of objects and bytes. `received` counts body bytes that were kept, `resumed` those of earlier
    runs that are in objects which this one finished or goes on with. `found` are objects, part of `done`,
    whose file was there already and has been verified; `directories` are those of `done` that became one, and
    so have no verdict; `replacing` those whose file differed; `encoded` those whose key cannot be a file name
    as it is. `vanished` are objects that a list names and S3 does not find any more, `changed` those of
    `done` that are another version than the list says."""

    selected: int = 0
    selected_bytes: int = 0
    filtered: int = 0
    listing_complete: bool = False
    already: int = 0
    already_bytes: int = 0
    done: int = 0
    done_bytes: int = 0
    found: int = 0
    found_bytes: int = 0
    directories: int = 0
    replacing: int = 0
    encoded: int = 0
    received: int = 0
    resumed: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    algorithms: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, Cause] = field(default_factory=dict)
    failed: dict[str, Cause] = field(default_factory=dict)
    vanished: Cause = field(default_factory=Cause)
    changed: int = 0
    reconciled: Reconciled | None = None
    retries: Counter[str] = field(default_factory=Counter)
    last_retry: Retrying | None = None
    throttles: int = 0
    kept_partials: int = 0
    kept_bytes: int = 0
    renewals: int = 0
    next_refresh: float | None = None
    warnings: list[str] = field(default_factory=list)

    def observe(self, event: Event) -> None:  # noqa: C901, PLR0912 - one case a kind of event
        """Count one event."""
        match event:
            case Received():
                self.received += event.bytes
            case Resumed():
                self.resumed += event.bytes
            case Finished():
                self._finish(event.outcome)
            case Reconciled():
                self.reconciled = event
            case Changed():
                self.changed += 1
            case AlreadyDone():
                self.already += event.objects
                self.already_bytes += event.bytes
            case Listed():
                self._list(event)
            case ListingEnded():
                self.listing_complete = True
            case Retrying():
                self._retry(event)
            case PartialsKept():
                self.kept_partials += event.objects
                self.kept_bytes += event.bytes
            case CredentialsRenewed():
                self.renewals += not event.first
                self.next_refresh = event.next_refresh
            case Warned():
                self.warnings.append(event.message)
            case _:
                pass

    def _list(self, event: Listed) -> None:
        self.selected += event.objects
        self.selected_bytes += event.bytes
        self.filtered += event.filtered
        self.replacing += event.replacing

    def _retry(self, event: Retrying) -> None:
        self.retries[event.reason] += 1
        self.last_retry = event
        self.throttles += event.reason == "throttled"

    def _finish(self, outcome: Outcome) -> None:
        match outcome.state:
            case State.DONE:
                self.done += 1
                self.done_bytes += outcome.ref.size
                if not outcome.fetched and outcome.ref.size:
                    self.found += 1
                    self.found_bytes += outcome.ref.size
                if outcome.path and MARK in outcome.path:
                    self.encoded += 1
                if outcome.verdict is None:
                    self.directories += 1
                else:
                    self.verdicts[outcome.verdict] += 1
                if outcome.checksum and outcome.verdict is Verdict.VERIFIED:
                    self.algorithms[f"{outcome.checksum.algorithm} {outcome.checksum.type}"] += 1
            case State.SKIPPED:
                self.skipped.setdefault(outcome.reason or "", Cause()).add(outcome)
            case State.FAILED:
                self.failed.setdefault(outcome.reason or "", Cause()).add(outcome)
            case State.VANISHED:
                self.vanished.add(outcome)

    @property
    def failed_count(self) -> int:
        return sum(cause.count for cause in self.failed.values())

    @property
    def skipped_count(self) -> int:
        return sum(cause.count for cause in self.skipped.values())

    @property
    def lost_bytes(self) -> int:
        """Bytes of objects that were skipped, failed or vanished, and so will not arrive."""
        return sum(cause.bytes for cause in (*self.failed.values(), *self.skipped.values(), self.vanished))

    @property
    def finished(self) -> int:
        """Selected objects that have reached their one final state."""
        return self.already + self.done + self.skipped_count + self.failed_count + self.vanished.count

    @property
    def balanced(self) -> bool:
        """Whether every selected key has ended in exactly one state."""
        return self.listing_complete and self.selected == self.finished

    @property
    def refused_everything(self) -> bool:
        """Nothing could be read, and for lack of rights alone: a matter of access, not of objects."""
        return bool(self.failed) and not (self.already or self.done) and self.failed.keys() <= _ACCESS_REASONS

    @property
    def exit_code(self) -> int:
        """The exit code of a run that was not cut short; 70 (a bug) when the counts do not balance."""
        if not self.balanced:
            return 70
        if self.refused_everything:
            return 4
        if self.failed:
            return 1
        return 3 if self.skipped or self.vanished.count else 0


class SlowObject(NamedTuple):
    """An object and the seconds from its turn to its end, repetitions and waiting included."""

    seconds: float
    key: str
    size: int


class PrefixTime(NamedTuple):
    """What some objects of a prefix took together. They are a sample."""

    prefix: str
    objects: int
    bytes: int
    seconds: float


class Timings:
    """A sample of first-byte times, the slowest objects, the prefixes that cost time.
    All methods may be called from any thread."""

    def __init__(self) -> None:
        self._first_bytes: deque[float] = deque(maxlen=FIRST_BYTES)
        self._slowest: list[SlowObject] = []  # a heap, the least slow one first
        self._notable = 0.0  # seconds, at which an object is among them
        self._prefixes: dict[str, PrefixTime] = {}
        self._ended = 0
        self._lock = Lock()

    def first_byte(self, seconds: float) -> None:
        """A response began so long after its request."""
        self._first_bytes.append(seconds)

    def add_object(self, key: str, size: int, seconds: float) -> None:
        """An object ended so long after its turn came."""
        self._ended += 1  # may miss one of another thread, which is no harm: it only chooses the sample
        if seconds > self._notable:
            self._note(SlowObject(seconds, key, size))
        if self._ended % PREFIX_SAMPLE == 1:
            self._add_to_prefix(key, size, seconds)

    def take_first_bytes(self) -> list[float]:
        """Those since the last call, sorted."""
        taken = []
        while self._first_bytes:
            taken.append(self._first_bytes.popleft())
        return sorted(taken)

    def slowest(self) -> list[SlowObject]:
        """The slowest first."""
        with self._lock:
            return sorted(self._slowest, reverse=True)

    def prefixes(self) -> list[PrefixTime]:
        """In the order in which they were met."""
        with self._lock:
            return list(self._prefixes.values())

    def _note(self, slow: SlowObject) -> None:
        with self._lock:
            heapq.heappush(self._slowest, slow)
            if len(self._slowest) > SLOWEST:
                heapq.heappop(self._slowest)
                self._notable = self._slowest[0].seconds

    def _add_to_prefix(self, key: str, size: int, seconds: float) -> None:
        prefix = prefix_of(key)
        with self._lock:
            if prefix not in self._prefixes and len(self._prefixes) >= PREFIXES:
                prefix = OTHER_PREFIXES
            known = self._prefixes.get(prefix, PrefixTime(prefix, 0, 0, 0.0))
            self._prefixes[prefix] = PrefixTime(
                prefix, known.objects + 1, known.bytes + size, known.seconds + seconds
            )


def prefix_of(key: str) -> str:
    """The first components of a key that are no name: `logs/2024/` of `logs/2024/05/a.gz`."""
    parts = key.split("/", PREFIX_DEPTH)
    return "".join(f"{part}/" for part in parts[:-1])


class Sample(NamedTuple):
    """What happened in the `seconds` after `start`, which counts from the beginning of the run.

    `limit` is how many requests were allowed at a time, at most. Of the first-byte times of a sample of
    requests: the median and the 99th percentile, None where there was none.
    """

    start: float
    seconds: float
    bytes: int
    objects: int
    listed: int
    limit: int
    retries: int
    throttles: int
    renewals: int
    first_byte: float | None = None
    first_byte_high: float | None = None


class Series:
    """Counts and rates, in samples. They come in order, each begins where the last one ended."""

    def __init__(self) -> None:
        self._whole: list[Sample] = []
        self._open: Sample | None = None  # covers too little time yet
        self._shortest = SHORTEST_SAMPLE

    def add(self, sample: Sample) -> None:
        joined = sample if self._open is None else join((self._open, sample))
        if joined.seconds < self._shortest:
            self._open = joined
            return
        self._open = None
        self._whole.append(joined)
        if len(self._whole) == MOST_SAMPLES:
            self._whole = [join(self._whole[at : at + 2]) for at in range(0, MOST_SAMPLES, 2)]
            self._shortest *= 2

    @property
    def samples(self) -> list[Sample]:
        """The last one may cover less time than the others."""
        return self._whole if self._open is None else [*self._whole, self._open]


def join(neighbours: Sequence[Sample]) -> Sample:
    """Some samples as one. The percentiles of all are not known any more: the greatest is taken."""
    return Sample(
        start=neighbours[0].start,
        seconds=sum(each.seconds for each in neighbours),
        bytes=sum(each.bytes for each in neighbours),
        objects=sum(each.objects for each in neighbours),
        listed=sum(each.listed for each in neighbours),
        limit=max(each.limit for each in neighbours),
        retries=sum(each.retries for each in neighbours),
        throttles=sum(each.throttles for each in neighbours),
        renewals=sum(each.renewals for each in neighbours),
        first_byte=_greatest([each.first_byte for each in neighbours]),
        first_byte_high=_greatest([each.first_byte_high for each in neighbours]),
    )


def _greatest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
