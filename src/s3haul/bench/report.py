"""The report of a benchmark: what was measured, where, and the bottleneck. Written as JSON, read again, and compared with
another one. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from s3haul.bench.bottleneck import Bottleneck, Limit
from s3haul.bench.plan import Setting
from s3haul.bench.result import SCHEMA, Listing, Row, Spread

SHORT = 1.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything about one benchmark; `made` of the `planned` runs fitted into the time."""

    source: str
    endpoint: str
    region: str
    transport: str
    version: str
    time: float  # seconds since the epoch
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
        """The seconds of the shortest runs if they are too short (a run needs time to reach its full speed), else None."""
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
            "time": round(self.time, 3),
            "processors": self.processors,
            "sample": {"objects": self.objects, "bytes": self.bytes},
            "listing": {
                "pages": self.listing.pages,
                "keys": self.listing.keys,
                "seconds": self.listing.seconds,
            },
            "runs": {"planned": self.planned, "made": self.made},
            "results": [row.as_object() for row in self.rows],
            "bottleneck": {
                "limit": self.bottleneck.limit.value,
                "why": self.bottleneck.why,
                "advice": self.bottleneck.advice,
            },
        }

    @classmethod
    def from_object(cls, found: dict[str, Any]) -> Self:
        """Raises `KeyError`, `TypeError` or `ValueError` for anything that `as_object` did not make."""
        if found["kind"] != "s3haul-bench" or found["schema"] != SCHEMA:
            raise ValueError("it is not a benchmark of this schema")
        listing, said = found["listing"], found["bottleneck"]
        return cls(
            source=str(found["source"]),
            endpoint=str(found["endpoint"]),
            region=str(found["region"]),
            transport=str(found["transport"]),
            version=str(found["version"]),
            time=float(found["time"]),
            processors=int(found["processors"]),
            objects=int(found["sample"]["objects"]),
            bytes=int(found["sample"]["bytes"]),
            listing=Listing(
                pages=int(listing["pages"]), keys=int(listing["keys"]), seconds=float(listing["seconds"])
            ),
            planned=int(found["runs"]["planned"]),
            made=int(found["runs"]["made"]),
            rows=[Row.from_object(row) for row in found["results"]],
            bottleneck=Bottleneck(Limit(said["limit"]), str(said["why"]), str(said["advice"])),
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
