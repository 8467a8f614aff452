"""Endings made readable: the summary of a run as text or as one JSON object, the estimate of a dry run.

Everything that came from outside passes through `show`. Returns lines; printing is the commands'.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s3haul.cli.trouble import exit_code_of
from s3haul.core.reasons import REASONS, UNEXPLAINED
from s3haul.core.tally import Cause, Tally
from s3haul.core.text import human_bytes, human_duration, show
from s3haul.engine.preview import Estimate
from s3haul.errors import S3HaulError
from s3haul.models import Verdict

if TYPE_CHECKING:  # a run without refusals needs none of it, and it takes 5 ms
    from s3haul.core.judgement import Finding

SUMMARY_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended, ready to be shown as text or as one JSON object."""

    tally: Tally
    error: S3HaulError | None
    seconds: float
    url: str
    root: str
    findings: "tuple[Finding, ...]" = ()  # why objects were refused, where that was looked into

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.error) if self.error else self.tally.exit_code

    @property
    def tells_something(self) -> bool:
        """Not so for a run that was refused before it saw a key: its error says everything."""
        return self.error is None or bool(self.tally.selected or self.tally.filtered)

    def lines(self) -> Iterator[str]:
        """For a person: counts, bytes, rate, verdicts, causes, where the manifest is."""
        tally, seconds = self.tally, max(self.seconds, 1e-9)
        yield f"{show(self.url)} -> {show(self.root)}"
        yield (
            f"  done      {tally.done} objects, {human_bytes(tally.done_bytes)} in {human_duration(seconds)}"
            f" ({tally.done / seconds:.0f} objects/s, {human_bytes(tally.done_bytes / seconds)}/s)"
        )
        if tally.already:
            yield f"  unchanged {tally.already} objects, {human_bytes(tally.already_bytes)}, done by an earlier run"
        if tally.resumed:
            yield f"  resumed   {human_bytes(tally.resumed)} of objects that an earlier run left in part"
        yield from _verdict_lines(tally)
        if tally.filtered:
            yield f"  filtered  {tally.filtered} objects"
        for state, causes in (("skipped", tally.skipped), ("failed", tally.failed)):
            for reason, cause in sorted(causes.items(), key=lambda item: -item[1].count):
                yield from _cause_lines(state, reason, cause, self.findings)
        if tally.retries:
            counts = ", ".join(f"{reason}: {count}" for reason, count in tally.retries.most_common())
            yield f"  retries   {counts}"
        yield from self._closing_lines()

    def _closing_lines(self) -> Iterator[str]:
        if not self.tally.listing_complete:
            yield "  The listing was not read to its end: more objects may exist."
        elif not (self.tally.selected or self.tally.filtered):
            yield "  ! Nothing is there: the bucket is empty, or no key begins with the prefix."
        yield f"  manifest  s3haul manifest {show(self.root)}"

    def as_object(self) -> dict[str, Any]:
        """The same for programs; `schema` changes only when a field changes its meaning."""
        tally = self.tally
        return {
            "schema": SUMMARY_SCHEMA,
            "source": self.url,
            "destination": self.root,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            "listing_complete": tally.listing_complete,
            "balanced": tally.balanced,
            "selected": {"objects": tally.selected, "bytes": tally.selected_bytes},
            "filtered": tally.filtered,
            "unchanged": {"objects": tally.already, "bytes": tally.already_bytes},
            "done": {"objects": tally.done, "bytes": tally.done_bytes},
            "resumed_bytes": tally.resumed,
            "verdicts": {verdict.value: tally.verdicts[verdict] for verdict in Verdict},
            "algorithms": dict(tally.algorithms),
            "skipped": _causes(tally.skipped),
            "failed": _causes(tally.failed),
            "diagnosis": _diagnosis(self.findings),
            "retries": dict(tally.retries),
            "credential_renewals": tally.renewals,
            "warnings": tally.warnings,
            "error": _error_object(self.error),
        }


def estimate_lines(estimate: Estimate) -> Iterator[str]:
    """What a run would cost, for a person."""
    yield f"(dryrun) {estimate.objects} objects, {human_bytes(estimate.bytes)}; {estimate.filtered} filtered"
    if estimate.archived:
        yield f"(dryrun) {estimate.archived} of them are archived and would be skipped"
    if estimate.present:
        yield f"(dryrun) {estimate.present} of them are done already, as the journal has it"
    reads = estimate.get_requests + estimate.head_requests
    yield (
        f"(dryrun) requests: {estimate.list_requests} LIST, {estimate.get_requests} GET,"
        f" {estimate.head_requests} HEAD; up to {reads} KMS Decrypt (fewer with Bucket Keys)"
    )
    yield (
        f"(dryrun) space: {human_bytes(estimate.needed_bytes)} to fetch, {human_bytes(estimate.free_bytes)} free"
    )
    if said := estimate.room.warning():
        yield f"(dryrun) ! {said}"


def _error_object(error: S3HaulError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"id": error.id, "message": error.message, "said": error.said, "hint": error.hint}


def _verdict_lines(tally: Tally) -> Iterator[str]:
    algorithms = ", ".join(f"{name}: {count}" for name, count in sorted(tally.algorithms.items()))
    yield f"  verified  {tally.verdicts[Verdict.VERIFIED]} objects{f' ({algorithms})' if algorithms else ''}"
    if size_only := tally.verdicts[Verdict.SIZE_ONLY]:
        yield f"  size-only {size_only} objects: S3 stores no checksum of them that can be computed"


def _cause_lines(state: str, reason: str, cause: Cause, findings: "tuple[Finding, ...]") -> Iterator[str]:
    """One cause. Where the access was looked into, the findings say who and how; the reason alone does not."""
    known = REASONS[reason]
    diagnosed = findings and reason in UNEXPLAINED
    yield f"  {state:<9} {cause.count}: {known.sentence}{'' if diagnosed else f'   [{known.id}]'}"
    yield f"            for example {', '.join(show(key) for key in cause.keys)}"
    if cause.detail:
        yield f"            AWS said: {show(cause.detail)}"
    if diagnosed:
        from s3haul.cli.findings import finding_lines  # noqa: PLC0415 - as above

        yield from (f"  {line}" for finding in findings for line in finding_lines(finding))
    else:
        yield f"            {known.who}: {known.fix}"


def _diagnosis(findings: "tuple[Finding, ...]") -> list[dict[str, Any]]:
    if not findings:
        return []
    from s3haul.cli.findings import as_object  # noqa: PLC0415 - as above

    return [as_object(finding) for finding in findings]


def _causes(causes: dict[str, Cause]) -> list[dict[str, Any]]:
    return [
        {
            "reason": reason,
            "id": REASONS[reason].id,
            "objects": cause.count,
            "bytes": cause.bytes,
            "who": REASONS[reason].who,
            "fix": REASONS[reason].fix,
            "detail": cause.detail,
            "examples": cause.keys,
        }
        for reason, cause in sorted(causes.items())
    ]
