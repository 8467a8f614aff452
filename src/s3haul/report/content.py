"""The content of a report, read from one journal: plain values, also as one JSON object.
`page` and `text` format it."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from s3haul.core.text import human_bytes, iso_time
from s3haul.diagnose.reasons import REASONS
from s3haul.journal.database import existing_journal
from s3haul.journal.performance import Performance
from s3haul.journal.reader import Run
from s3haul.journal.survey import SIZE_CLASSES, Group, Listed, Survey

SCHEMA = 1
ROWS = 1500  # objects that are shown one by one, for all causes together
LEAST_ROWS = 50  # for each cause
ENCODED_ROWS = 100
DIRECTORIES = "directories"  # the kind of verification that they have none of
STATES = ("done", "skipped", "failed", "vanished")


class Amount(NamedTuple):
    """Objects, and their bytes."""

    objects: int = 0
    bytes: int = 0


class Share(NamedTuple):
    """The objects with one property, such as a storage class."""

    name: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why objects were skipped or failed, who can change that and how.
    `rows` are the first of these objects."""

    state: str
    reason: str
    id: str
    sentence: str
    who: str
    fix: str
    amount: Amount
    rows: Sequence[Listed]

    @property
    def detail(self) -> str:
        """The first message about one of the objects."""
        return next((row.detail for row in self.rows if row.detail), "")


class Key(NamedTuple):
    """The objects that are encrypted with one KMS key. `encryption` is the kind of SSE,
    "" if it is not known."""

    kms_key_id: str
    encryption: str
    amount: Amount
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One destination at one time. `states` has an amount for each of `STATES`.

    `performance` are the samples of run `performance_run`, the one that received most;
    None if no run recorded samples.
    """

    source: str
    endpoint: str
    destination: str
    generated: float
    under_way: bool
    runs: Sequence[Run]
    states: dict[str, Amount]
    verdicts: Sequence[Share]
    causes: Sequence[Cause]
    sizes: Sequence[Share]
    keys: Sequence[Key]
    storage: Sequence[Share]
    repeated: int
    fetched: int
    encoded: int
    encoded_rows: Sequence[Listed]
    performance_run: Run | None
    performance: Performance

    @property
    def all(self) -> Amount:
        """Every listed object."""
        return _sum(self.states.values())

    @property
    def seconds(self) -> float:
        """The duration of all runs that have ended."""
        return sum(run.ended - run.started for run in self.runs if run.ended is not None)

    @property
    def finished(self) -> bool:
        """Whether the last run is complete."""
        return bool(self.runs) and self.runs[-1].complete and not self.under_way


def gather(root: Path, *, under_way: bool, clock: Callable[[], float] = time.time) -> Report:
    """The report on the destination `root`. Raises `JournalError` if there is no journal."""
    with Survey(existing_journal(root)) as survey:
        groups, runs = survey.groups(), survey.runs()
        performances = [(survey.performance(run.number), run) for run in runs]
        performance, performance_run = max(
            ((performance, run) for performance, run in performances if performance.samples),
            key=lambda pair: sum(sample.bytes for sample in pair[0].samples),
            default=(Performance(), None),
        )
        return Report(
            source=survey.url,
            endpoint=survey.source.endpoint,
            destination=str(root),
            generated=clock(),
            under_way=under_way,
            runs=runs,
            states={state: _sum(_amount(g) for g in groups if g.state == state) for state in STATES},
            verdicts=_verdicts(groups),
            causes=_causes(groups, survey),
            sizes=_sizes(groups),
            keys=_keys(groups),
            storage=_shares(groups, lambda group: group.storage_class),
            repeated=sum(group.repeated for group in groups),
            fetched=sum(group.fetched for group in groups),
            encoded=sum(group.encoded for group in groups),
            encoded_rows=survey.encoded(ENCODED_ROWS),
            performance_run=performance_run,
            performance=performance,
        )


def _amount(group: Group) -> Amount:
    return Amount(group.objects, group.bytes)


def _sum(amounts: Iterable[Amount]) -> Amount:
    objects, size = 0, 0
    for amount in amounts:
        objects, size = objects + amount.objects, size + amount.bytes
    return Amount(objects, size)


def _shares(groups: Iterable[Group], name: Callable[[Group], str]) -> list[Share]:
    """The groups by name, those with the most objects first."""
    found: dict[str, list[Amount]] = defaultdict(list)
    for group in groups:
        found[name(group)].append(_amount(group))
    shares = [Share(name, _sum(amounts)) for name, amounts in found.items()]
    return sorted(shares, key=lambda share: (-share.amount.objects, share.name))


def _verdicts(groups: Sequence[Group]) -> list[Share]:
    """How done objects were verified."""
    return _shares((group for group in groups if group.state == "done"), _verdict)


def _verdict(group: Group) -> str:
    if group.verdict == "verified":
        whole = {"FULL_OBJECT": "of the whole object", "COMPOSITE": "part by part"}
        return f"{group.algorithm} {whole.get(group.checksum_type or '', group.checksum_type or '')}"
    if group.verdict == "size-only":
        return f"by size alone ({group.reason})" if group.reason else "by size alone"
    return DIRECTORIES


def _causes(groups: Sequence[Group], survey: Survey) -> list[Cause]:
    """Failures first; in each state the cause with the most objects first."""
    found: dict[tuple[str, str | None], list[Amount]] = defaultdict(list)
    for group in groups:
        if group.state != "done":
            found[group.state, group.reason].append(_amount(group))
    limit = max(LEAST_ROWS, ROWS // max(1, len(found)))
    causes = []
    for (state, reason), amounts in found.items():
        known = REASONS.get(reason or "")
        rows = survey.ended_so(state, reason, limit)
        causes.append(
            Cause(
                state=state,
                reason=reason or "",
                id=known.id if known else "",
                sentence=known.sentence if known else reason or "",
                who=known.who if known else "",
                fix=known.fix_for(survey.url, rows[0].detail if rows else "") if known else "",
                amount=_sum(amounts),
                rows=rows,
            )
        )
    return sorted(causes, key=lambda cause: (cause.state, -cause.amount.objects))


def _sizes(groups: Sequence[Group]) -> list[Share]:
    """A share for every class of sizes, up to the largest with objects."""
    last = max((group.size_class for group in groups), default=-1)
    return [
        Share(_size_class(number), _sum(_amount(g) for g in groups if g.size_class == number))
        for number in range(last + 1)
    ]


def _size_class(number: int) -> str:
    if number == 0:
        return "empty"
    if number == len(SIZE_CLASSES):
        return f"{_short(SIZE_CLASSES[-1])} or more"
    return f"below {_short(SIZE_CLASSES[number])}"


def _short(size: int) -> str:
    return human_bytes(size).replace(".0 ", " ")


def _keys(groups: Sequence[Group]) -> list[Key]:
    """By KMS key; objects without one by encryption."""
    found: dict[tuple[str, str], list[Group]] = defaultdict(list)
    for group in groups:
        found[group.kms_key_id, group.sse].append(group)
    keys = [
        Key(*name, _sum(map(_amount, some)), sum(group.objects for group in some if group.state == "failed"))
        for name, some in found.items()
    ]
    return sorted(keys, key=lambda key: -key.amount.objects)


def as_object(report: Report) -> dict[str, Any]:
    """The report for programs (s3haul help schema-report).
    `schema` changes only if the meaning of a field changes."""
    return {
        "schema": SCHEMA,
        "source": report.source,
        "endpoint": report.endpoint,
        "destination": report.destination,
        "generated": iso_time(report.generated),
        "under_way": report.under_way,
        "finished": report.finished,
        "runs": [run.as_object() for run in report.runs],
        "objects": {state: amount._asdict() for state, amount in report.states.items()},
        "verified": [{"how": share.name, **share.amount._asdict()} for share in report.verdicts],
        "causes": [_cause(cause) for cause in report.causes],
        "sizes": [{"class": share.name, **share.amount._asdict()} for share in report.sizes],
        "keys": [
            {
                "kms_key_id": key.kms_key_id or None,
                "sse": key.encryption or None,
                **key.amount._asdict(),
                "failed": key.failed,
            }
            for key in report.keys
        ],
        "storage_classes": [
            {"storage_class": share.name, **share.amount._asdict()} for share in report.storage
        ],
        "fetched_bytes": report.fetched,
        "repeated": report.repeated,
        "encoded": {
            "objects": report.encoded,
            "examples": [{"key": row.key, "path": row.path} for row in report.encoded_rows],
        },
        "performance": None
        if report.performance_run is None
        else _performance(report.performance_run.number, report.performance),
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "state": cause.state,
        "reason": cause.reason,
        "id": cause.id or None,
        "sentence": cause.sentence,
        "who": cause.who or None,
        "fix": cause.fix or None,
        **cause.amount._asdict(),
        "detail": cause.detail or None,
        "examples": [
            {"key": row.key, "size": row.size, "attempts": row.attempts, "detail": row.detail or None}
            for row in cause.rows
        ],
    }


def _performance(run: int, performance: Performance) -> dict[str, Any]:
    return {
        "run": run,
        "samples": [sample._asdict() for sample in performance.samples],
        "slowest": [slow._asdict() for slow in performance.slowest],
        "prefixes": [prefix._asdict() for prefix in performance.prefixes],
        "retries": dict(performance.retries),
    }
