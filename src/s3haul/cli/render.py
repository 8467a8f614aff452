"""Endings made readable: the summary of a run as text or as one JSON object, the estimate of a dry run.

Everything that came from outside passes through `show`. Returns lines; printing is the commands'.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s3haul.cli.trouble import exit_code_of
from s3haul.core.reasons import REASONS, UNEXPLAINED
from s3haul.core.tally import Cause, Tally
from s3haul.core.text import human_bytes, human_count, human_duration, quote, show
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
        tally = self.tally
        yield f"{show(self.url)} -> {show(self.root)}"
        yield from _done_lines(tally, max(self.seconds, 1e-9))
        if tally.replacing:
            at_most = "" if tally.balanced and not tally.failed else "up to "
            yield f"  replaced  {at_most}{human_count(tally.replacing, 'file')} that differed from the object"
        if tally.resumed:
            yield f"  resumed   {human_bytes(tally.resumed)} of objects that an earlier run left in part"
        yield from _verdict_lines(tally)
        if tally.encoded:
            yield f"  encoded   {human_count(tally.encoded, 'name')} that a file cannot have; see s3haul help names"
        if tally.filtered:
            yield f"  filtered  {human_count(tally.filtered, 'object')}"
        for state, causes in (("skipped", tally.skipped), ("failed", tally.failed)):
            for reason, cause in sorted(causes.items(), key=lambda item: -item[1].count):
                yield from _cause_lines(state, reason, cause, self.findings)
        if tally.retries:
            counts = ", ".join(f"{reason}: {count:,}" for reason, count in tally.retries.most_common())
            yield f"  retries   {counts}"
        yield from self._closing_lines()

    def _closing_lines(self) -> Iterator[str]:
        tally = self.tally
        if tally.kept_partials:
            objects = human_count(tally.kept_partials, "object")
            yield f"  kept      {human_bytes(tally.kept_bytes)} of {objects} in part, for the next run"
        if not tally.listing_complete:
            yield "  The listing was not read to its end: more objects may exist."
        if self.root == "-":
            return
        manifest = f"s3haul manifest {show(shlex.quote(self.root))}"
        for state, count in (("skipped", tally.skipped_count), ("failed", tally.failed_count)):
            if count:
                yield f"  list them {manifest} --state {state}"
        yield f"  manifest  {manifest}"

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
            "found_in_place": {"objects": tally.found, "bytes": tally.found_bytes},
            "replaced": tally.replacing,
            "encoded_names": tally.encoded,
            "kept_in_part": {"objects": tally.kept_partials, "bytes": tally.kept_bytes},
            "resumed_bytes": tally.resumed,
            "verdicts": {verdict.value: tally.verdicts[verdict] for verdict in Verdict},
            "algorithms": dict(tally.algorithms),
            "skipped": _causes(tally.skipped),
            "failed": _causes(tally.failed),
            "diagnosis": _diagnosis(self.findings),
            "retries": dict(tally.retries),
            "credential_renewals": tally.renewals,
            "warnings": tally.warnings,
            "error": error_object(self.error),
        }


def estimate_lines(estimate: Estimate, past_rate: float | None = None) -> Iterator[str]:
    """What a run would cost, for a person; the time only where earlier runs tell the rate (bytes/s)."""
    objects = human_count(estimate.objects, "object")
    yield f"(dryrun) {objects}, {human_bytes(estimate.bytes)}; {human_count(estimate.filtered)} filtered"
    if estimate.archived:
        yield f"(dryrun) {human_count(estimate.archived)} of them are archived and would be skipped"
    if estimate.present:
        yield f"(dryrun) {human_count(estimate.present)} of them are already here, as the journal has it"
    reads = estimate.get_requests + estimate.head_requests
    yield (
        f"(dryrun) requests: {estimate.list_requests:,} LIST, {estimate.get_requests:,} GET,"
        f" {estimate.head_requests:,} HEAD; up to {reads:,} KMS Decrypt (fewer with Bucket Keys)"
    )
    yield (
        f"(dryrun) space: {human_bytes(estimate.needed_bytes)} to fetch, {human_bytes(estimate.free_bytes)} free"
    )
    if estimate.needed_bytes and past_rate:
        seconds = estimate.needed_bytes / past_rate
        yield f"(dryrun) time: about {human_duration(seconds)} at the {human_bytes(past_rate)}/s of earlier runs"
    if said := estimate.room.warning():
        yield f"(dryrun) ! {said}"


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


def _done_lines(tally: Tally, seconds: float) -> Iterator[str]:
    """What was fetched and how fast, and apart from it what was here already."""
    fetched, size = tally.done - tally.found, tally.done_bytes - tally.found_bytes
    if fetched or not (tally.found or tally.already):
        yield (
            f"  done      {human_count(fetched, 'object')}, {human_bytes(size)} in {human_duration(seconds)}"
            f" ({fetched / seconds:,.0f} objects/s, {human_bytes(size / seconds)}/s)"
        )
    if tally.found:
        objects = human_count(tally.found, "object")
        yield f"  in place  {objects}, {human_bytes(tally.found_bytes)}, here already and not fetched"
    if tally.already:
        nothing = "" if tally.done or tally.failed or tally.skipped else "nothing new: "
        objects = human_count(tally.already, "object")
        yield (
            f"  unchanged {nothing}{objects} already here and unchanged, {human_bytes(tally.already_bytes)}"
            f"{'' if fetched else f', seen in {human_duration(seconds)}'}"
        )


def _verdict_lines(tally: Tally) -> Iterator[str]:
    if verified := tally.verdicts[Verdict.VERIFIED]:
        algorithms = ", ".join(f"{name}: {count:,}" for name, count in sorted(tally.algorithms.items()))
        yield f"  verified  {human_count(verified, 'object')} ({algorithms})"
    if size_only := tally.verdicts[Verdict.SIZE_ONLY]:
        objects = human_count(size_only, "object")
        yield f"  size-only {objects}: S3 stores no checksum of them that can be computed"


def _cause_lines(state: str, reason: str, cause: Cause, findings: "tuple[Finding, ...]") -> Iterator[str]:
    """One cause. Where the access was looked into, the findings say who and how; the reason alone does not."""
    known = REASONS[reason]
    diagnosed = findings and reason in UNEXPLAINED
    yield f"  {state:<9} {cause.count:,}: {known.sentence}{'' if diagnosed else f'   [{known.id}]'}"
    yield f"            for example {', '.join(show(key) for key in cause.keys)}"
    if cause.detail:
        yield f"            {quote(cause.detail)}"
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
