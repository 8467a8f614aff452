"""What a benchmark measured, where, and the bottleneck: records that are written as JSON,
read again, and compared. Pure.

Times are seconds, sizes bytes. The schema number changes only when a field changes its meaning.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Any, NamedTuple, Self

from s3haul.bench.plan import DestinationKind, Setting
from s3haul.core.text import iso_time
from s3haul.store.protocol import RequestTiming

SCHEMA = 1
SHORT = 1.0  # seconds; a run needs time to reach its full speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One repetition. `failed` counts objects that did not arrive;
    `cut_short` is true if the time limit ended it.

    `machine_busy` is the share of all processors that was busy, with any program; None where it is not known.
    """

    seconds: float
    cpu_seconds: float
    machine_busy: float | None = None
    objects: int
    bytes: int
    failed: int = 0
    retries: int = 0
    throttled_s3: int = 0
    throttled_kms: int = 0
    cut_short: bool = False
    timings: Sequence[RequestTiming] = field(default=(), repr=False)

    @property
    def object_rate(self) -> float:
        return self.objects / self.seconds if self.seconds else 0.0

    @property
    def byte_rate(self) -> float:
        return self.bytes / self.seconds if self.seconds else 0.0

    @property
    def cores(self) -> float:
        """Processors that were busy, on average."""
        return self.cpu_seconds / self.seconds if self.seconds else 0.0


class Spread(NamedTuple):
    """Median, minimum and maximum of the repetitions."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(median(values), min(values), max(values))


class Quantiles(NamedTuple):
    """Of the times of many requests. None where there was none:
    a connection that is kept open is not made again."""

    p50: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """By nearest rank."""
        ordered = sorted(values)
        return cls(_rank(ordered, 0.5), _rank(ordered, 0.99))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All repetitions of one setting. The fields have the same names in JSON,
    and those of `setting` are beside them."""

    setting: Setting
    seconds: Spread
    objects_per_second: Spread
    bytes_per_second: Spread
    cpu_cores: Spread
    machine_busy: float | None
    connect_seconds: Quantiles
    first_byte_seconds: Quantiles
    total_seconds: Quantiles
    requests: int
    failed: int
    retries: int
    throttled_by_s3: int
    throttled_by_kms: int
    cut_short: bool

    @classmethod
    def of(cls, setting: Setting, runs: Sequence[Run]) -> Self:
        """`runs` is not empty."""
        all_timings = [timing for run in runs for timing in run.timings]
        timings = [timing for timing in all_timings if timing.status < 300]
        shares = [run.machine_busy for run in runs if run.machine_busy is not None]
        return cls(
            setting=setting,
            seconds=Spread.of([run.seconds for run in runs]),
            objects_per_second=Spread.of([run.object_rate for run in runs]),
            bytes_per_second=Spread.of([run.byte_rate for run in runs]),
            cpu_cores=Spread.of([run.cores for run in runs]),
            machine_busy=median(shares) if shares else None,
            connect_seconds=Quantiles.of([each.connect for each in timings if each.connect is not None]),
            first_byte_seconds=Quantiles.of([each.first_byte for each in timings]),
            total_seconds=Quantiles.of([each.total for each in timings]),
            requests=len(all_timings),
            failed=sum(run.failed for run in runs),
            retries=sum(run.retries for run in runs),
            throttled_by_s3=sum(run.throttled_s3 for run in runs),
            throttled_by_kms=sum(run.throttled_kms for run in runs),
            cut_short=any(run.cut_short for run in runs),
        )

    def as_object(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in _ROW_TYPES}
        return self.setting._asdict() | {
            name: value._asdict() if isinstance(value, Spread | Quantiles) else value
            for name, value in values.items()
        }

    @classmethod
    def from_object(cls, found: dict[str, Any]) -> Self:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything that `as_object` did not make."""
        size = found["part_size"]
        setting = Setting(
            DestinationKind(found["destination"]),
            int(found["concurrency"]),
            None if size is None else int(size),
        )
        values = {name: _DECODERS[kind](found[name]) for name, kind in _ROW_TYPES.items()}
        return cls(setting=setting, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How long the listing of the sample took. `rate` is keys per second, one page after the other."""

    pages: int
    keys: int
    seconds: float

    @property
    def rate(self) -> float | None:
        return self.keys / self.seconds if self.seconds and self.keys else None


def _rank(ordered: Sequence[float], share: float) -> float | None:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _spread(found: dict[str, Any]) -> Spread:
    return Spread(_number(found["median"]), _number(found["least"]), _number(found["most"]))


def _quantiles(found: dict[str, Any]) -> Quantiles:
    return Quantiles(_number_or_none(found["p50"]), _number_or_none(found["p99"]))


def _number_or_none(value: Any) -> float | None:
    return None if value is None else _number(value)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{number} is not a measurement")
    return number


_ROW_TYPES: dict[str, Any] = {each.name: each.type for each in fields(Row) if each.name != "setting"}
_DECODERS: dict[Any, Callable[[Any], Any]] = {
    Spread: _spread,
    Quantiles: _quantiles,
    float | None: _number_or_none,
    int: int,
    bool: bool,
}


class Limit(StrEnum):
    """What limits the speed of a run."""

    S3_THROTTLING = "S3 throttling"
    KMS_THROTTLING = "KMS throttling"
    LISTING = "listing"
    DISK = "disk"
    CPU = "CPU"
    LATENCY = "network (latency)"
    NETWORK = "network (bandwidth)"


class Bottleneck(NamedTuple):
    """`why` has the figures that decided, `advice` what can be done."""

    limit: Limit
    why: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything about one benchmark; `made` of the `planned` runs fitted into the time."""

    source: str
    endpoint: str
    region: str
    transport: str
    version: str
    time: float  # seconds since 1970
    processors: int
    objects: int
    bytes: int
    listing: Listing
    planned: int
    made: int
    rows: Sequence[Row]
    bottleneck: Bottleneck

    @property
    def too_short(self) -> float | None:
        """The seconds of the shortest runs if they are too short, else None."""
        shortest = min((row.seconds.median for row in self.rows), default=SHORT)
        return shortest if shortest < SHORT else None

    def as_object(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": "s3haul-bench",
            "source": self.source,
            "endpoint": self.endpoint,
            "region": self.region,
            "transport": self.transport,
            "version": self.version,
            "time": iso_time(self.time),
            "processors": self.processors,
            "sample": {"objects": self.objects, "bytes": self.bytes},
            "listing": asdict(self.listing),
            "runs": {"planned": self.planned, "made": self.made},
            "results": [row.as_object() for row in self.rows],
            "bottleneck": self.bottleneck._asdict(),
        }

    @classmethod
    def from_object(cls, found: dict[str, Any]) -> Self:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything that `as_object` did not make."""
        if found["kind"] != "s3haul-bench" or found["schema"] != SCHEMA:
            raise ValueError("it is not a benchmark of this schema")
        listing, bottleneck = found["listing"], found["bottleneck"]
        return cls(
            source=str(found["source"]),
            endpoint=str(found["endpoint"]),
            region=str(found["region"]),
            transport=str(found["transport"]),
            version=str(found["version"]),
            time=datetime.fromisoformat(found["time"]).timestamp(),
            processors=int(found["processors"]),
            objects=int(found["sample"]["objects"]),
            bytes=int(found["sample"]["bytes"]),
            listing=Listing(
                pages=int(listing["pages"]), keys=int(listing["keys"]), seconds=float(listing["seconds"])
            ),
            planned=int(found["runs"]["planned"]),
            made=int(found["runs"]["made"]),
            rows=[Row.from_object(row) for row in found["results"]],
            bottleneck=Bottleneck(
                Limit(bottleneck["limit"]), str(bottleneck["why"]), str(bottleneck["advice"])
            ),
        )


class Verdict(StrEnum):
    """The second measurement, compared with the first."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "within the spread"


class Change(NamedTuple):
    """One setting that both measured, in objects/s. `ratio` is the second median divided by the first."""

    setting: Setting
    before: Spread
    after: Spread
    ratio: float
    verdict: Verdict

    def as_object(self) -> dict[str, Any]:
        return {
            "destination": self.setting.destination.value,
            "concurrency": self.setting.concurrency,
            "part_size": self.setting.part_size,
            "before_objects_per_second": self.before._asdict(),
            "after_objects_per_second": self.after._asdict(),
            "ratio": round(self.ratio, 4),
            "verdict": self.verdict.value,
        }


def compare(before: Report, after: Report) -> list[Change]:
    """The settings that both have, in the order of the first."""
    found = {row.setting: row.objects_per_second for row in after.rows}
    return [
        _change(row.setting, row.objects_per_second, found[row.setting])
        for row in before.rows
        if row.setting in found
    ]


def differences(before: Report, after: Report) -> Iterator[str]:
    """What else differs between the two, and may explain other figures."""
    for name in ("source", "objects", "bytes", "endpoint", "region", "transport", "version", "processors"):
        first, second = getattr(before, name), getattr(after, name)
        if first != second:
            yield f"{name}: {first}, then {second}"


def _change(setting: Setting, before: Spread, after: Spread) -> Change:
    """Faster or slower only where the repetitions of the two do not overlap."""
    verdict = Verdict.SAME
    if after.least > before.most:
        verdict = Verdict.FASTER
    elif after.most < before.least:
        verdict = Verdict.SLOWER
    return Change(setting, before, after, after.median / max(before.median, 1e-9), verdict)
