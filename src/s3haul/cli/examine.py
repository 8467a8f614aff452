"""A check from the command line: climb the ladder, look at the destination, show steps and findings.

`explain_run` is the same climb after a run was refused, to find the row of the diagnosis table.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from s3haul.aws.probes import AwsProbes
from s3haul.aws.session import ask_mfa
from s3haul.aws.sts import AskMfa
from s3haul.cli import findings, streams
from s3haul.cli.statements import with_statements
from s3haul.core.diagnosis import error_of
from s3haul.core.evidence import StepResult
from s3haul.core.filters import selector
from s3haul.core.judgement import Finding, Level, ending, judge, trouble_finding
from s3haul.core.reasons import UNEXPLAINED
from s3haul.core.tally import Tally
from s3haul.engine.loop import run_loop
from s3haul.errors import CredentialsError, S3HaulError
from s3haul.events import Event
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions
from s3haul.preflight.climb import Climb, Report
from s3haul.preflight.ladder import climb
from s3haul.preflight.place import look_at

SCHEMA = 1
_FEW = 30  # samples beside those that a run was refused
_NO_CODE = "S3H-STS-08"
# Refusals that one request cannot tell apart.
_IN_DOUBT = frozenset({"S3H-STS-03", "S3H-S3-02", "S3H-S3-04", "S3H-KMS-01", "S3H-KMS-02", "S3H-KMS-03"})


def run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    where: DestinationOptions | None,
    output: OutputOptions,
) -> int:
    """Check; prints the report on stdout and returns the exit code."""
    steps: list[StepResult] = []

    def report(step: StepResult) -> None:
        steps.append(step)
        if not (output.quiet or output.json):
            streams.put(findings.step_line(step))
            streams.flush()

    ladder = _ladder(access, source, transfer, report)
    run_loop(_climbed(ladder))
    found = _judged(ladder, source)
    if where is not None:
        found = (*found, *_destination(ladder, where, report))
    code = ending(found)
    if output.json:
        streams.put(json.dumps(_as_object(source, where, steps, found, code)))
    else:
        streams.put("\n".join(findings.report_lines(found, quiet=output.quiet)))
    return code


def explain_run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    tally: Tally,
    error: S3HaulError | None,
) -> tuple[S3HaulError | None, tuple[Finding, ...]]:
    """What ended a run, or refused objects of it, with the row that only the ladder can tell.

    The error keeps its words where the ladder has nothing to add. Costs nothing where no right is in doubt.
    """
    in_doubt = error.id in _IN_DOUBT if error else bool(tally.failed.keys() & UNEXPLAINED)
    if (
        access.no_sign_request
        or not in_doubt
        or (error and error.id == "S3H-STS-03" and access.owner_profile is None)
    ):
        return error, ()
    suspects = [key for reason in UNEXPLAINED & tally.failed.keys() for key in tally.failed[reason].keys]
    found = _explain(access, source, transfer, suspects)
    if error is None:
        return None, found
    return (_explained(error, found[0]) if found else error), ()


def _explained(error: S3HaulError, found: Finding) -> S3HaulError:
    """The error in the words of the finding; what the run wanted to do is kept where the row is the same."""
    message = error.message if found.id == error.id else found.title
    statement = f" Statement: {json.dumps(found.statement)}" if found.statement else ""
    return error_of(found.id)(
        message, hint=found.fix + statement, said=found.said or error.said, id=found.id, who=found.who
    )


def _explain(
    access: AccessOptions, source: SourceOptions, transfer: TransferOptions, suspects: Sequence[str]
) -> tuple[Finding, ...]:
    """Errors that the ladder meets. A code of MFA is not asked for again: then nothing more is to be known."""
    ladder = _ladder(access, source, transfer, lambda _step: None, ask_mfa=_no_code)
    ladder.suspects, ladder.sample_size = suspects, _FEW
    run_loop(_climbed(ladder))
    refused = ladder.evidence.refused
    if refused is not None and refused.id == _NO_CODE:
        return ()
    return tuple(one for one in _judged(ladder, source) if one.level is Level.ERROR)


async def _no_code(serial: str) -> str:
    raise CredentialsError(f"no code of {serial} to explain with", id=_NO_CODE)


def _ladder(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    report: Report,
    ask_mfa: AskMfa = ask_mfa,
) -> Climb:
    probes = AwsProbes(access, source, transfer, on_event=_unheard, ask_mfa=ask_mfa)
    return Climb(
        probes,
        source,
        report,
        selected=selector(transfer.filters),
        candidates=_spoken_of(source, transfer),
    )


async def _climbed(ladder: Climb) -> None:
    await climb(ladder)


def _judged(ladder: Climb, source: SourceOptions) -> tuple[Finding, ...]:
    return with_statements(judge(ladder.evidence, source.bucket), ladder.evidence, source)


def _unheard(_event: Event) -> None:
    """What a run would warn of is in the evidence."""


def _spoken_of(source: SourceOptions, transfer: TransferOptions) -> tuple[str, ...]:
    """Prefixes that the filters name: what may be listed if the whole may not."""
    patterns = [pattern for include, pattern in transfer.filters if include]
    literal = (re.split(r"[*?\[]", pattern, maxsplit=1)[0] for pattern in patterns)
    return tuple(source.prefix + one for one in literal if one)


def _destination(ladder: Climb, where: DestinationOptions, report: Report) -> Iterable[Finding]:
    result = look_at(where, ladder.listed, base=ladder.source.base, complete=ladder.evidence.complete)
    report(result.step)
    return [trouble_finding(trouble) for trouble in result.troubles]


def _as_object(
    source: SourceOptions,
    where: DestinationOptions | None,
    steps: Sequence[StepResult],
    found: Sequence[Finding],
    code: int,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "source": f"s3://{source.bucket}/{source.prefix}",
        "destination": str(where.root) if where else None,
        "exit_code": code,
        "steps": [asdict(step) for step in steps],
        "findings": [findings.as_object(one) for one in found],
    }
