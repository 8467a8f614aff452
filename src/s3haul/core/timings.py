"""How long requests and objects take: a sample of first-byte times, the slowest objects, the prefixes that cost time.

Fed by transfer threads and by the event loop, read by whoever writes it down. Bounded, however many objects come.
"""

import heapq
from collections import deque
from threading import Lock
from typing import NamedTuple

FIRST_BYTES = 4096  # kept until they are taken
SLOWEST = 25
PREFIXES = 512  # further ones are counted together
PREFIX_DEPTH = 2
EVERY = 8  # one object in so many counts for its prefix
OTHER_PREFIXES = ""


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
