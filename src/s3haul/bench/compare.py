"""Two benchmarks side by side: which settings became faster, and whether that is more than the spread. Pure."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from s3haul.bench.plan import Setting
from s3haul.bench.report import Report
from s3haul.bench.result import Spread


class Verdict(StrEnum):
    """Of the second measurement against the first."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "within the spread"


class Change(NamedTuple):
    """One setting that both measured, in objects/s. `ratio` is the second median over the first."""

    setting: Setting
    before: Spread
    after: Spread
    ratio: float
    verdict: Verdict

    def as_object(self) -> dict[str, Any]:
        return {
            "sink": self.setting.sink.value,
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
    """What else is not the same, so that the figures may tell of that."""
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
