"""How a run goes over time. `Timings`: a sample of first-byte times, the slowest objects, the prefixes that cost time.
`Series`: counts and rates, in samples.

Pure. Bounded, however many objects come and however long a run takes: if a series is full, neighbours become one sample,
so a run of a minute is known by the second, one of a week by the half hour.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

FIRST_BYTES = 4096  # kept until they are taken
SLOWEST = 25
PREFIXES = 512  # further ones are counted together
PREFIX_DEPTH = 2
EVERY = 8  # one object in so many counts for its prefix
OTHER_PREFIXES = ""
MOST = 480  # samples of a run
SHORTEST = 0.95  # seconds that a sample covers, at least; one is taken every second


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
    """All methods may be called from any thread."""

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

    def ended(self, key: str, size: int, seconds: float) -> None:
        """An object ended so long after its turn came."""
        self._ended += 1  # may miss one of another thread, which is no harm: it only chooses the sample
        if seconds > self._notable:
            self._note(SlowObject(seconds, key, size))
        if self._ended % EVERY == 1:
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

    `limit` is how many requests were allowed at a time, at most. Of the first-byte times of a sample of requests: the
    median and the 99th percentile, None where there was none.
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
    """Give it samples in order, each beginning where the last one ended."""

    def __init__(self) -> None:
        self._whole: list[Sample] = []
        self._open: Sample | None = None  # covers too little time yet
        self._shortest = SHORTEST

    def add(self, sample: Sample) -> None:
        joined = sample if self._open is None else join((self._open, sample))
        if joined.seconds < self._shortest:
            self._open = joined
            return
        self._open = None
        self._whole.append(joined)
        if len(self._whole) == MOST:
            self._whole = [join(self._whole[at : at + 2]) for at in range(0, MOST, 2)]
            self._shortest *= 2

    @property
    def samples(self) -> list[Sample]:
        """The last one may cover less time than the others."""
        return self._whole if self._open is None else [*self._whole, self._open]


def join(neighbours: Sequence[Sample]) -> Sample:
    """Some samples as one. The percentiles of all are not known any more: the greatest stands for them."""
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
