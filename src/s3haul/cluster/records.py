"""What attempts write down about themselves in RUN, as small JSON files: a marker, a report. Values and their coding only."""

import json
from dataclasses import asdict, dataclass, field
from typing import Self

from s3haul.core.stats import Stats
from s3haul.errors import S3HaulError, SourceError

WARNINGS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A shard is finished: by which attempt, and what the audit of that attempt must hash to.

    `failed` and `skipped` count objects by reason, `retries` repeated requests; `again` are objects that an earlier
    attempt had landed; `warnings` are the first few.
    """

    shard: int
    attempt: int
    node: str
    audit_sha256: str
    objects: int
    bytes: int
    done: int
    again: int
    seconds: float
    exit_code: int
    failed: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, stats: Stats, *, shard: int, attempt: int, node: str, audit_sha256: str, seconds: float
    ) -> Self:
        """The marker of a shard whose haul counted this."""
        again = stats.already + stats.found
        return cls(
            shard=shard,
            attempt=attempt,
            node=node,
            audit_sha256=audit_sha256,
            objects=stats.ended,
            bytes=stats.already_bytes + stats.done_bytes,
            done=stats.already + stats.done,
            again=again,
            seconds=round(seconds, 3),
            exit_code=stats.exit_code,
            failed={reason: cause.count for reason, cause in stats.failed.items()},
            skipped={reason: cause.count for reason, cause in stats.skipped.items()},
            retries=dict(stats.retries),
            warnings=stats.warnings[:WARNINGS],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an attempt says of itself every few seconds, and at its end. `sequence` counts the reports."""

    shard: int
    attempt: int
    node: str
    pid: int
    sequence: int
    objects: int = 0
    bytes: int = 0
    ended: bool = False
    error: str = ""
    error_id: str = ""
    hint: str = ""

    def failed(self, error: S3HaulError) -> "Report":
        """The last report of an attempt that an error ended."""
        return Report(
            shard=self.shard,
            attempt=self.attempt,
            node=self.node,
            pid=self.pid,
            sequence=self.sequence + 1,
            objects=self.objects,
            bytes=self.bytes,
            ended=True,
            error=error.message,
            error_id=error.id,
            hint=error.hint or "",
        )


def encode(record: Marker | Report) -> bytes:
    return (json.dumps(asdict(record)) + "\n").encode("ascii")


def decode_marker(data: bytes) -> Marker:
    """Raises `SourceError` for a file that is no marker."""
    try:
        return Marker(**json.loads(data))
    except (ValueError, TypeError) as error:
        raise SourceError(
            f"A marker in the run's directory cannot be read: {error}",
            hint="remove that file of done/, then s3haul cluster resume RUN: its shard is hauled again",
            id="S3H-RUN-03",
        ) from error


def decode_report(data: bytes) -> Report | None:
    """None for a file that is no report, as one on a file system that was full."""
    try:
        return Report(**json.loads(data))
    except (ValueError, TypeError):
        return None
