"""The summary of a run, as text or as one JSON object.

All text from outside is escaped with `show`. Returns lines; the commands print them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s3haul.cli.errors import exit_code_of
from s3haul.core.stats import Cause, Stats
from s3haul.core.text import command_line, human_bytes, human_count, human_duration, quote, show
from s3haul.diagnose.reasons import REASONS, UNEXPLAINED
from s3haul.errors import S3HaulError
from s3haul.models import Verdict

if TYPE_CHECKING:  # importing it takes 5 ms, and only a run with access errors needs it
    from s3haul.diagnose.causes import Finding

SUMMARY_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The result of a run. `findings` are the causes of refused objects, if a check searched for them."""

    stats: Stats
    error: S3HaulError | None
    seconds: float
    url: str
    root: str
    findings: "tuple[Finding, ...]" = ()

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.error) if self.error else self.stats.exit_code

    @property
    def is_worth_printing(self) -> bool:
        """False if the run ended before it listed a key: then its error is enough."""
        return self.error is None or bool(self.stats.selected or self.stats.filtered)

    def lines(self) -> Iterator[str]:
        """As text: counts, bytes, rate, verdicts, causes, the command for the manifest."""
        stats = self.stats
        yield f"{show(self.url)} -> {show(self.root)}"
        yield from _done_lines(stats, max(self.seconds, 1e-9))
        if stats.replacing:
            at_most = "" if stats.balanced and not stats.failed else "up to "
            yield f"  replaced  {at_most}{human_count(stats.replacing, 'file')} that differed from the object"
        if stats.resumed:
            yield f"  resumed   {human_bytes(stats.resumed)} of partial objects were already here from an earlier run"
        yield from _verdict_lines(stats)
        if stats.encoded:
            yield f"  encoded   {human_count(stats.encoded, 'name')} that cannot be a file name; see s3haul help names"
        yield from _since_lines(self)
        if stats.filtered:
            yield f"  filtered  {human_count(stats.filtered, 'object')}"
        yield from self._not_done_lines("skipped", stats.skipped)
        yield from self.failures()
        if stats.retries:
            counts = ", ".join(f"{reason}: {count:,}" for reason, count in stats.retries.most_common())
            yield f"  retries   {counts}"
        yield from self._closing_lines()

    def failures(self) -> Iterator[str]:
        """The part about failed objects."""
        yield from self._not_done_lines("failed", self.stats.failed)

    def _not_done_lines(self, state: str, causes: dict[str, Cause]) -> Iterator[str]:
        for reason, cause in sorted(causes.items(), key=lambda item: -item[1].count):
            yield from _cause_lines(self, state, reason, cause)

    def _closing_lines(self) -> Iterator[str]:
        stats = self.stats
        if stats.kept_partials:
            objects = human_count(stats.kept_partials, "object")
            yield f"  kept      {human_bytes(stats.kept_bytes)} of {objects}, incomplete, for the next run"
        if left := stats.selected - stats.finished:
            yield f"  left      {human_count(left, 'object')} that this run did not reach"
        if not stats.listing_complete:
            yield "  The listing was not read completely: there may be more objects."
        if self.root == "-":
            return
        manifest = command_line(("s3haul", "manifest", self.root))
        counts = {
            "skipped": stats.skipped_count,
            "failed": stats.failed_count,
            "vanished": stats.vanished.count,
        }
        for state, count in counts.items():
            if count:
                yield f"  list them {manifest} --state {state}"
        if "archived" in stats.skipped:
            yield f"  restore   {command_line(('s3haul', 'restore', self.root))} > restore.csv"
        yield f"  manifest  {manifest}"
        yield f"  report    {command_line(('s3haul', 'report', self.root))}"

    def as_object(self) -> dict[str, Any]:
        """As JSON values. `schema` changes only if the meaning of a field changes."""
        stats = self.stats
        return {
            "schema": SUMMARY_SCHEMA,
            "source": self.url,
            "destination": self.root,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            "listing_complete": stats.listing_complete,
            "balanced": stats.balanced,
            "selected": {"objects": stats.selected, "bytes": stats.selected_bytes},
            "filtered": stats.filtered,
            "unchanged": {"objects": stats.already, "bytes": stats.already_bytes},
            "done": {"objects": stats.done, "bytes": stats.done_bytes},
            "found_in_place": {"objects": stats.found, "bytes": stats.found_bytes},
            "replaced": stats.replacing,
            "encoded": stats.encoded,
            "in_part": {"objects": stats.kept_partials, "bytes": stats.kept_bytes},
            "resumed_bytes": stats.resumed,
            "directories": stats.directories,
            "verdicts": {verdict.value: stats.verdicts[verdict] for verdict in Verdict},
            "algorithms": dict(stats.algorithms),
            "skipped": _causes(self, stats.skipped),
            "failed": _causes(self, stats.failed),
            "vanished": {"objects": stats.vanished.count, "examples": stats.vanished.keys},
            "changed": stats.changed,
            "reconciled": stats.reconciled._asdict() if stats.reconciled else None,
            "diagnosis": _diagnosis(self.findings),
            "retries": dict(stats.retries),
            "credential_renewals": stats.renewals,
            "warnings": stats.warnings,
            "error": error_object(self.error),
        }


def _since_lines(summary: Summary) -> Iterator[str]:
    """What changed: objects since their list was written, and the bucket since it was listed."""
    stats = summary.stats
    if stats.changed:
        yield f"  changed   {human_count(stats.changed, 'object')}: fetched as they are now, not as the list says"
    if stats.vanished.count:
        yield from _cause_lines(summary, "vanished", "vanished", stats.vanished)
    found = stats.reconciled
    if found is None:
        return
    if found.added or found.changed or found.deleted:
        yield (
            f"  meanwhile {found.added:,} added, {found.changed:,} changed, {found.deleted:,} deleted in the bucket:"
            f" for example {', '.join(show(key) for key in found.examples)}"
        )
    else:
        yield "  meanwhile nothing: the bucket is as it was copied"


def error_object(error: S3HaulError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "id": error.id,
        "message": error.message,
        "said": error.said,
        "seen": error.seen,
        "hint": error.hint,
    }


def _done_lines(stats: Stats, seconds: float) -> Iterator[str]:
    """What was fetched, with the rate; then what was already here."""
    fetched, size = stats.done - stats.found, stats.done_bytes - stats.found_bytes
    if stats.listing_complete and not stats.selected:
        yield "  done      nothing: no object is selected"
    elif fetched or not (stats.found or stats.already):
        yield (
            f"  done      {human_count(fetched, 'object')}, {human_bytes(size)} in {human_duration(seconds)}"
            f" ({fetched / seconds:,.0f} objects/s, {human_bytes(size / seconds)}/s)"
        )
    if stats.found:
        objects = human_count(stats.found, "object")
        yield f"  in place  {objects}, {human_bytes(stats.found_bytes)}, were already here and were not fetched"
    if stats.already:
        nothing = "" if stats.done or stats.failed or stats.skipped else "nothing new: "
        objects = human_count(stats.already, "object")
        yield (
            f"  unchanged {nothing}{objects} already here and unchanged, {human_bytes(stats.already_bytes)}"
            f"{'' if fetched else f', checked in {human_duration(seconds)}'}"
        )


def _verdict_lines(stats: Stats) -> Iterator[str]:
    if verified := stats.verdicts[Verdict.VERIFIED]:
        algorithms = ", ".join(f"{name}: {count:,}" for name, count in sorted(stats.algorithms.items()))
        yield f"  verified  {human_count(verified, 'object')} ({algorithms})"
    if size_only := stats.verdicts[Verdict.SIZE_ONLY]:
        objects = human_count(size_only, "object")
        yield f"  size-only {objects}: S3 stores no checksum that s3haul can compute"
    if count := stats.directories:
        yield f"  empty     {count:,} {'directory' if count == 1 else 'directories'}: keys that end in a slash, without bytes"


def _cause_lines(summary: Summary, state: str, reason: str, cause: Cause) -> Iterator[str]:
    """One cause. If a check has found why access was refused, its findings say who can fix it and how."""
    known = REASONS[reason]
    diagnosed = summary.findings and reason in UNEXPLAINED
    yield f"  {state:<9} {cause.count:,}: {known.sentence}{'' if diagnosed else f'   [{known.id}]'}"
    yield f"            for example {', '.join(show(key) for key in cause.keys)}"
    if cause.detail:
        yield f"            {quote(cause.detail)}"
    if diagnosed:
        from s3haul.cli.check import finding_lines  # noqa: PLC0415 - as above

        yield from (f"  {line}" for finding in summary.findings for line in finding_lines(finding))
    else:
        yield f"            {known.who}: {show(known.fix_for(summary.url, cause.detail))}"


def _diagnosis(findings: "tuple[Finding, ...]") -> list[dict[str, Any]]:
    if not findings:
        return []
    from s3haul.cli.check import finding_object  # noqa: PLC0415 - as above

    return [finding_object(finding) for finding in findings]


def _causes(summary: Summary, causes: dict[str, Cause]) -> list[dict[str, Any]]:
    return [
        {
            "reason": reason,
            "id": REASONS[reason].id,
            "objects": cause.count,
            "bytes": cause.bytes,
            "who": REASONS[reason].who,
            "fix": REASONS[reason].fix_for(summary.url, cause.detail),
            "detail": cause.detail,
            "examples": cause.keys,
        }
        for reason, cause in sorted(causes.items())
    ]
