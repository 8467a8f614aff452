"""What a benchmark found, as records, and as the JSON object in which it is kept. Pure.

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
    """One repetition. `failed` counts objects that did not arrive, `cut_short` says that time was over.

    `machine_busy` is the share of all processors that was busy, with whatever program; None where nobody tells.
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
    """The median of some repetitions, and the extremes."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(median(values), min(values), max(values))


class Quantiles(NamedTuple):
    """Of many requests. None where there was none: a connection that is kept is not made again."""

    p50: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """By nearest rank."""
        ordered = sorted(values)
        return cls(_rank(ordered, 0.5), _rank(ordered, 0.99))


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
            "seconds": self.seconds._asdict(),
            "objects_per_second": self.objects_per_second._asdict(),
            "bytes_per_second": self.bytes_per_second._asdict(),
            "cpu_cores": self.cores._asdict(),
            "machine_busy": self.machine_busy,
            "connect_seconds": self.connect._asdict(),
            "first_byte_seconds": self.first_byte._asdict(),
            "total_seconds": self.total._asdict(),
            "requests": self.requests,
            "failed": self.failed,
            "retries": self.retries,
            "throttled_by_s3": self.throttled_s3,
            "throttled_by_kms": self.throttled_kms,
            "cut_short": self.cut_short,
        }

    @classmethod
    def from_object(cls, found: dict[str, Any]) -> Self:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything that `as_object` did not make."""
        part_size = found["part_size"]
        return cls(
            setting=Setting(
                SinkKind(found["sink"]),
                int(found["concurrency"]),
                None if part_size is None else int(part_size),
            ),
            seconds=_spread(found["seconds"]),
            objects_per_second=_spread(found["objects_per_second"]),
            bytes_per_second=_spread(found["bytes_per_second"]),
            cores=_spread(found["cpu_cores"]),
            machine_busy=None if found["machine_busy"] is None else _number(found["machine_busy"]),
            connect=_quantiles(found["connect_seconds"]),
            first_byte=_quantiles(found["first_byte_seconds"]),
            total=_quantiles(found["total_seconds"]),
            requests=int(found["requests"]),
            failed=int(found["failed"]),
            retries=int(found["retries"]),
            throttled_s3=int(found["throttled_by_s3"]),
            throttled_kms=int(found["throttled_by_kms"]),
            cut_short=bool(found["cut_short"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the listing of the sample took. `rate` is keys a second, one page behind the other."""

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
    p50, p99 = found["p50"], found["p99"]
    return Quantiles(None if p50 is None else _number(p50), None if p99 is None else _number(p99))


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{number} is no measurement")
    return number
