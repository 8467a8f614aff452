"""What a run's record means: rates, costs, ratios, and the words and roundings they are told in. Pure."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

Run = Mapping[str, Any]
Results = Mapping[str, Any]


class Measure:
    """The units that one scenario is told in: objects and microseconds, or bytes and seconds."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        self._objects = scenario["by"] == "objects"
        self.rate_unit, self.cost_unit = ("objects/s", "µs/object") if self._objects else ("MB/s", "s/GB")

    def rate(self, run: Run) -> float:
        amount = run["objects"] if self._objects else run["bytes"] / 1e6
        return float(amount / run["wall"])

    def cpu(self, run: Run) -> float:
        return self.per_amount(run, cpu(run))

    def server_cpu(self, run: Run) -> float:
        return self.per_amount(run, run["server_cpu"])

    def per_amount(self, run: Run, seconds: float) -> float:
        return float(seconds * 1e6 / run["objects"] if self._objects else seconds * 1e9 / run["bytes"])


def cpu(run: Run) -> float:
    """The client's, in seconds."""
    return float(run["user"] + run["system"])


def good_runs(results: Results, scenario: str, contender: str) -> list[Run]:
    """Those that ended well and left the right tree; only they count."""
    return [
        run
        for run in results["runs"]
        if (run["scenario"], run["contender"]) == (scenario, contender) and not run["problems"]
    ]


def baseline_of(results: Results) -> str:
    """The contender that all are compared with: the first build of s3haul, else the first of all."""
    names = [each["name"] for each in results["contenders"] if each["ours"]]
    return str((names or [each["name"] for each in results["contenders"]])[0])


def described(scenario: Mapping[str, Any]) -> str:
    """What is copied, and how the server paces it."""
    words = " + ".join(f"{number:,} x {size_of(size)}" for number, size in scenario["groups"])
    if scenario.get("first_byte"):
        words += f", first byte after {scenario['first_byte'] * 1e3:.0f} ms"
    if scenario.get("cap"):
        words += f", {scenario['cap'] / 1e6:.0f} MB/s a connection"
    return words


def spread(values: Sequence[float]) -> str:
    """Median and, where there are several, the smallest and the largest."""
    return f"{short(median(values))} ({span(values)})" if len(values) > 1 else short(values[0])


def span(values: Sequence[float]) -> str:
    return f"{short(min(values))} to {short(max(values))}"


def short(value: float) -> str:
    """Three significant digits at least, no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def size_of(size: int) -> str:
    power = (size.bit_length() - 1) // 10
    return f"{size / (1 << 10 * power):g} {('bytes', 'KiB', 'MiB', 'GiB')[power]}"
