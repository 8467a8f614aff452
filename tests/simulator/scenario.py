"""What one seed means: the objects, the options, what goes wrong, and how a run ends."""

import errno
import signal
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from contract.stored import StoredObject, stored
from s3haul.options import RangeOptions, TransferOptions
from simulator.disk import FULL
from simulator.service import TRANSIENT, Weather

RANGES = RangeOptions(above=2_000, smallest=250, largest=1_000, block=200)
NAMES = ("../up", "a//b", "dir/", "a", "a/b", "ü/é", "n" * 300, ".s3haul/journal", "nul\x00", "~s3haul~=x")


class End(Enum):
    """What ends a run that meets trouble."""

    ITSELF = auto()
    CANCELLED = auto()
    SIGNAL = auto()
    KILLED = auto()
    POWER_LOSS = auto()


@dataclass(frozen=True)
class Scenario:
    """`step` of the event loop is when a run is ended, if it does not end by itself."""

    objects: dict[str, StoredObject]
    options: TransferOptions
    weather: Weather
    rounds: int  # runs that meet trouble, before the last one
    end: End
    step: int
    signal: int
    batches: bool
    page_size: int
    commit_every: int
    session: float | None  # seconds of a session of the role
    sts_fails: float
    disk_fails_after: int | None
    disk_code: int

    def __str__(self) -> str:
        weather = self.weather
        return (
            f"{len(self.objects)} objects, {self.rounds} rounds, {self.options.concurrency} at a time, {self.end.name} at step {self.step}, "
            f"transient {weather.transient}, final {weather.final}, bodies {weather.bodies}, changes {weather.changes}, "
            f"listings {weather.listings}, outages {weather.outages}, session {self.session}, batches {self.batches}, "
            f"disk fails after {self.disk_fails_after} ({errno.errorcode[self.disk_code]})"
        )


def draw(dice: Random) -> Scenario:
    """The scenario that the dice give."""
    count = dice.choice((1, 3, 10, 25, 40))
    return Scenario(
        objects=_objects(dice, count),
        options=TransferOptions(
            concurrency=dice.choice((1, 2, 8, 32)),
            max_attempts=dice.choice((None, None, None, 3)),
            max_rps=dice.choice((None, None, None, None, 50.0)),
            ranges=RANGES,
        ),
        weather=_weather(dice),
        rounds=dice.choice((1, 1, 2, 3)),
        end=dice.choice(list(End)),
        step=int(10 ** dice.uniform(0.5, 3.6)),
        signal=dice.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
        batches=dice.random() < 0.5,
        page_size=dice.choice((3, 10, 1000)),
        commit_every=dice.choice((1, 5, 20, 1000)),
        session=dice.choice((None, 3.0, 20.0, 3600.0)),
        sts_fails=dice.choice((0.0, 0.0, 0.3)),
        disk_fails_after=dice.randrange(60) if dice.random() < 0.1 else None,
        disk_code=dice.choice(FULL),
    )


def _weather(dice: Random) -> Weather:
    rough = dice.choice((0.0, 0.02, 0.1, 0.3))
    outages = []
    if dice.random() < 0.3:
        outages.append((dice.random() * 0.3, dice.choice((2.0, 30.0, 300.0)), dice.choice(sorted(TRANSIENT))))
    return Weather(
        transient=rough,
        final=dice.choice((0.0, 0.0, 0.02)),
        bodies=dice.choice((0.0, rough)),
        listings=dice.choice((0.0, 0.0, 0.0, 0.2)),
        changes=dice.choice((0.0, 0.0, 0.05)),
        latency=dice.choice((0.0, 0.005, 0.2)),
        outages=outages,
        kinds=tuple(dice.sample(sorted(TRANSIENT), dice.randint(1, 4))),
    )


def _objects(dice: Random, count: int) -> dict[str, StoredObject]:
    objects = {f"d{n % 3}/{n:03}": _object(dice) for n in range(count)}
    for name in dice.sample(NAMES, dice.randint(0, 4)):
        objects[name] = _object(dice)
    return objects


def _object(dice: Random) -> StoredObject:
    size = dice.choice((0, 1, 100, 100, 1_500, 3_000, 9_000))
    body = dice.randbytes(size)
    more = {} if dice.random() < 0.7 else {"sse": "AES256", "kms_key_id": ""}
    if size >= 3_000 and dice.random() < 0.3:
        part = size // 3
        return stored(
            body, algorithm="SHA256", part_sizes=(part, part, size - 2 * part), composite=True, **more
        )
    return stored(body, algorithm=dice.choice(("CRC64NVME", "CRC32", "SHA256", None)), **more)
