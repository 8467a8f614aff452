"""The JSON files in RUN: the description of the run, markers and reports of attempts, the rate limits.

Access is stored as a reference: the name of a profile or the ARN of a role. Each worker gets
credentials itself. The External ID is not stored either: it comes from the profile, or from
S3HAUL_EXTERNAL_ID on every node.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from s3haul.core.stats import Stats
from s3haul.errors import S3HaulError, SourceError, UsageError
from s3haul.options import (
    AccessOptions,
    Conditions,
    Existing,
    LimitOptions,
    RangeOptions,
    RoleOptions,
    SourceOptions,
    TransferOptions,
)

VERSION = 1
EXTERNAL_ID = "S3HAUL_EXTERNAL_ID"
MOST_WARNINGS = 5  # in a marker


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """`RUN/run.json`, written last by the planner: everything that a worker must know, and no secret.

    `run_id` names the run in temporary files; `index_sha256` and `late_sha256` are of the files of the plan.
    The fields with defaults are set when the plan is complete.
    """

    created: float
    source: SourceOptions
    destination: str
    force: bool
    node_local: bool  # every node has a destination of its own
    access: AccessOptions
    external_id_apart: bool  # it is not in the profile: every worker needs it in its environment
    transfer: TransferOptions
    endpoint: str
    run_id: str = ""
    shards: int = 0
    objects: int = 0
    bytes: int = 0
    filtered: int = 0
    index_sha256: str = ""
    late_sha256: str = ""

    @property
    def url(self) -> str:
        return f"s3://{self.source.bucket}/{self.source.prefix}"


def without_secrets(access: AccessOptions) -> AccessOptions:
    """The reference that is stored. Raises `UsageError` for access that a worker
    cannot get without a user."""
    if access.role is not None and access.role.mfa_serial:
        raise UsageError(
            "A worker cannot ask for an MFA code.",
            hint="give the workers a source of credentials that needs none, for example the role of their machines",
        )
    role = access.role and replace(access.role, external_id=None)
    return replace(access, role=role, external_id=None)


def with_external_id(run: RunDescription, environ: Mapping[str, str] = os.environ) -> AccessOptions:
    """The access of a worker. Raises `UsageError` if the External ID is needed and missing."""
    if not run.external_id_apart:
        return run.access
    external_id = environ.get(EXTERNAL_ID)
    if not external_id:
        raise UsageError(
            "The plan was made with an External ID, and this process does not have it.",
            hint=f"set {EXTERNAL_ID} for every worker, or put external_id into the profile and plan again",
        )
    role = run.access.role and replace(run.access.role, external_id=external_id)
    return replace(run.access, role=role, external_id=external_id)


def encode_description(run: RunDescription) -> bytes:
    return (json.dumps({"version": VERSION, **asdict(run)}, indent=1, default=sorted) + "\n").encode("ascii")


def decode_description(data: bytes) -> RunDescription:
    """Raises `UsageError` for anything but a description of this version."""
    try:
        found = json.loads(data)
        if (version := found.pop("version")) != VERSION:
            raise UsageError(
                f"The run was planned by another version of s3haul (format {version}, not {VERSION}).",
                hint="use the same version everywhere, or plan again",
            )
        return _description(found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"run.json cannot be read: {error}", hint="make a new plan") from error


def _description(found: dict[str, Any]) -> RunDescription:
    access, transfer = found.pop("access"), found.pop("transfer")
    role, ranges = access.pop("role"), transfer.pop("ranges")
    filters, existing = transfer.pop("filters"), transfer.pop("existing")
    conditions = transfer.pop("conditions")
    return RunDescription(
        source=SourceOptions(**found.pop("source")),
        access=AccessOptions(role=RoleOptions(**role) if role else None, **access),
        transfer=TransferOptions(
            filters=tuple((bool(include), str(pattern)) for include, pattern in filters),
            conditions=Conditions(
                **conditions
                | {
                    "storage_classes": frozenset(conditions["storage_classes"]),
                    "regex": tuple(conditions["regex"]),
                }
            ),
            existing=Existing(existing),
            ranges=RangeOptions(**ranges),
            **transfer,
        ),
        **found,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A shard is finished: by which attempt, with the hash of its audit.

    `failed` and `skipped` count objects by reason, `retries` repeated requests; `again` are objects that an
    earlier attempt had finished; `warnings` are the first few.
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
        """The marker of a shard, from the counts of its run."""
        again = stats.already + stats.found
        return cls(
            shard=shard,
            attempt=attempt,
            node=node,
            audit_sha256=audit_sha256,
            objects=stats.finished,
            bytes=stats.already_bytes + stats.done_bytes,
            done=stats.already + stats.done,
            again=again,
            seconds=round(seconds, 3),
            exit_code=stats.exit_code,
            failed={reason: cause.count for reason, cause in stats.failed.items()},
            skipped={reason: cause.count for reason, cause in stats.skipped.items()},
            retries=dict(stats.retries),
            warnings=stats.warnings[:MOST_WARNINGS],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """The progress of an attempt, written every few seconds and at its end. `sequence` counts the reports."""

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

    def failed(self, error: S3HaulError) -> "AttemptReport":
        """The last report of an attempt that an error ended."""
        return replace(
            self,
            sequence=self.sequence + 1,
            ended=True,
            error=error.message,
            error_id=error.id,
            hint=error.hint or "",
        )


def encode(record: Marker | AttemptReport) -> bytes:
    return (json.dumps(asdict(record)) + "\n").encode("ascii")


def decode_marker(data: bytes) -> Marker:
    """Raises `SourceError` for a file that is no marker."""
    try:
        return Marker(**json.loads(data))
    except (ValueError, TypeError) as error:
        raise SourceError(
            f"A marker in the run's directory cannot be read: {error}",
            hint="remove that file of done/, then s3haul cluster resume RUN: its shard is copied again",
            id="S3H-RUN-03",
        ) from error


def decode_report(data: bytes) -> AttemptReport | None:
    """None for a file that is not a complete report, for example because the disk was full."""
    try:
        return AttemptReport(**json.loads(data))
    except (ValueError, TypeError):
        return None


def share_of(transfer: TransferOptions, sharers: int) -> LimitOptions:
    """The rate limits of one of so many shards. They apply to all workers together: the driver writes
    how many shards share them to `RUN/limits.json`; a worker reads that every few seconds. When the
    driver has ended, the last share stays in force: so the sum hardly exceeds the limits, and the
    workers are never stopped."""
    return LimitOptions._make(each and each / max(1, sharers) for each in transfer.limits)
