"""What a benchmark measured, as records and as JSON. Pure.

Times are seconds, sizes bytes. The schema number changes only when a field changes its meaning.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple, Self

from s3haul.bench.plan import Setting, SinkKind
from s3haul.store.protocol import RequestTiming

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One repetition. `failed` counts objects that did not arrive; `cut_short` is true if the time limit ended it.

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
    """Of the times of many requests. None where there was none: a connection that is kept open is not made again."""

    p50: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """By nearest rank."""
        ordered = sorted(values)
        return cls(_rank(ordered, 0.5), _rank(ordered, 0.99))


# The fields of `Row`, and their names in JSON.
_SPREADS = {
    "seconds": "seconds",
    "objects_per_second": "objects_per_second",
    "bytes_per_second": "bytes_per_second",
    "cores": "cpu_cores",
}
_QUANTILES = {"connect": "connect_seconds", "first_byte": "first_byte_seconds", "total": "total_seconds"}
_COUNTS = {
    "requests": "requests",
    "failed": "failed",
    "retries": "retries",
    "throttled_s3": "throttled_by_s3",
    "throttled_kms": "throttled_by_kms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All repetitions of one setting."""

    setting: Setting
    seconds: Spread
    objects_per_second: Spread
    bytes_per_second: Spread
    cores: Spread
    machine_busy: float | None
    connect: Quantiles
    first_byte: Quantiles
    total: Quantiles
    requests: int
    failed: int
    retries: int
    throttled_s3: int
    throttled_kms: int
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
            cores=Spread.of([run.cores for run in runs]),
            machine_busy=median(shares) if shares else None,
            connect=Quantiles.of([each.connect for each in timings if each.connect is not None]),
            first_byte=Quantiles.of([each.first_byte for each in timings]),
            total=Quantiles.of([each.total for each in timings]),
            requests=len(all_timings),
            failed=sum(run.failed for run in runs),
            retries=sum(run.retries for run in runs),
            throttled_s3=sum(run.throttled_s3 for run in runs),
            throttled_kms=sum(run.throttled_kms for run in runs),
            cut_short=any(run.cut_short for run in runs),
        )

    def as_object(self) -> dict[str, Any]:
        setting = self.setting
        return {
            "sink": setting.sink.value,
            "concurrency": setting.concurrency,
            "part_size": setting.part_size,
            **{_SPREADS[name]: getattr(self, name)._asdict() for name in _SPREADS},
            "machine_busy": self.machine_busy,
            **{_QUANTILES[name]: getattr(self, name)._asdict() for name in _QUANTILES},
            **{_COUNTS[name]: getattr(self, name) for name in _COUNTS},
            "cut_short": self.cut_short,
        }

    @classmethod
    def from_object(cls, found: dict[str, Any]) -> Self:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything that `as_object` did not make."""
        size = found["part_size"]
        setting = Setting(
            SinkKind(found["sink"]), int(found["concurrency"]), None if size is None else int(size)
        )
        values: dict[str, Any] = {name: _spread(found[key]) for name, key in _SPREADS.items()}
        values |= {name: _quantiles(found[key]) for name, key in _QUANTILES.items()}
        values |= {name: int(found[key]) for name, key in _COUNTS.items()}
        return cls(
            setting=setting,
            machine_busy=_number_or_none(found["machine_busy"]),
            cut_short=bool(found["cut_short"]),
            **values,
        )


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
