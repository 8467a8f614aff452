"""The report for programs: one JSON object, described by the schema `report` (s3haul help schemas)."""

from typing import Any

from s3haul.journal.series import Course
from s3haul.journal.survey import Listed
from s3haul.report.content import Amount, Cause, Report

SCHEMA = 1


def as_object(report: Report) -> dict[str, Any]:
    """`schema` changes only when a field changes its meaning."""
    return {
        "schema": SCHEMA,
        "source": report.source,
        "endpoint": report.endpoint,
        "destination": report.destination,
        "generated": round(report.generated, 3),
        "under_way": report.under_way,
        "finished": report.finished,
        "runs": [run._asdict() | {"complete": bool(run.complete)} for run in report.runs],
        "objects": {state: amount._asdict() for state, amount in report.states.items()},
        "verified": [{"how": share.name, **share.amount._asdict()} for share in report.verdicts],
        "causes": [_cause(cause) for cause in report.causes],
        "sizes": [{"class": share.name, **share.amount._asdict()} for share in report.sizes],
        "keys": [
            {
                "kms_key_id": key.kms_key_id or None,
                "sse": key.encryption or None,
                **_amount(key.amount),
                "failed": key.failed,
            }
            for key in report.keys
        ],
        "storage_classes": [
            {"storage_class": share.name, **_amount(share.amount)} for share in report.storage
        ],
        "fetched_bytes": report.fetched,
        "repeated": report.repeated,
        "encoded": {"objects": report.encoded, "examples": [_names(row) for row in report.encoded_rows]},
        "course": None if report.course_run is None else _course(report.course_run.number, report.course),
    }


def _amount(amount: Amount) -> dict[str, int]:
    return amount._asdict()


def _names(row: Listed) -> dict[str, str | None]:
    return {"key": row.key, "path": row.path}


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "state": cause.state,
        "reason": cause.reason,
        "id": cause.id or None,
        "sentence": cause.sentence,
        "who": cause.who or None,
        "fix": cause.fix or None,
        **_amount(cause.amount),
        "detail": cause.detail or None,
        "examples": [
            {"key": row.key, "size": row.size, "attempts": row.attempts, "detail": row.detail or None}
            for row in cause.rows
        ],
    }


def _course(run: int, course: Course) -> dict[str, Any]:
    return {
        "run": run,
        "samples": [sample._asdict() for sample in course.samples],
        "slowest": [slow._asdict() for slow in course.slowest],
        "prefixes": [prefix._asdict() for prefix in course.prefixes],
        "retries": dict(course.retries),
    }
