"""The whole of one benchmark: what was measured, on what, and what follows. Kept as JSON, and read again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from s3haul.bench.bottleneck import Bottleneck, Limit
from s3haul.bench.result import SCHEMA, Listing, Row

SHORT = 1.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`made` of the planned runs fitted into the time; `kind` is what tells this object from others."""

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
        """Seconds that the shortest runs took, where that is too little: most of it goes by before a run has found its
        speed."""
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
            raise ValueError("it is no benchmark of this schema")
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
