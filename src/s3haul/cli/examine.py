"""A check from the command line: climb the ladder, look at the destination, show steps and findings.

`explain_run` is the same climb after a run was refused, to find the row of the diagnosis table.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from s3haul.api.check import CheckReport, check
from s3haul.cli import findings, streams
from s3haul.core.stats import Stats
from s3haul.diagnose.causes import Finding, Level
from s3haul.diagnose.evidence import StepResult
from s3haul.diagnose.reasons import UNEXPLAINED
from s3haul.diagnose.run_errors import error_of
from s3haul.errors import CredentialsError, S3HaulError
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions

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

    def report(step: StepResult) -> None:
        if not (output.quiet or output.json):
            streams.put(findings.step_line(step))
            streams.flush()

    seen = asyncio.run(check(source, where, access=access, transfer=transfer, report=report))
    if output.json:
        streams.put(json.dumps(_as_object(source, where, seen)))
    else:
        streams.put("\n".join(findings.report_lines(seen.findings, quiet=output.quiet)))
    return seen.exit_code


def explain_run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    stats: Stats,
    error: S3HaulError | None,
) -> tuple[S3HaulError | None, tuple[Finding, ...]]:
    """What ended a run, or refused objects of it, with the row that only the ladder can tell.

    The error keeps its words where the ladder has nothing to add. Costs nothing where no right is in doubt.
    """
    in_doubt = error.id in _IN_DOUBT if error else bool(stats.failed.keys() & UNEXPLAINED)
    if (
        access.no_sign_request
        or not in_doubt
        or (error and error.id == "S3H-STS-03" and access.owner_profile is None)
    ):
        return error, ()
    suspects = [key for reason in UNEXPLAINED & stats.failed.keys() for key in stats.failed[reason].keys]
    found = _explain(access, source, transfer, suspects)
    if error is None:
        return None, found
    return (_explained(error, found[0]) if found else error), ()


def _explained(error: S3HaulError, found: Finding) -> S3HaulError:
    """The error in the words of the finding; what the run wanted to do is kept where the row is the same."""
    message = error.message if found.id == error.id else found.title
    statement = f" Statement: {json.dumps(found.statement)}" if found.statement else ""
    return error_of(found.id)(
        message,
        hint=found.fix + statement,
        said=found.said or error.said,
        seen=found.seen or error.seen,
        id=found.id,
        who=found.who,
    )


def _explain(
    access: AccessOptions, source: SourceOptions, transfer: TransferOptions, suspects: Sequence[str]
) -> tuple[Finding, ...]:
    """Errors that the ladder meets. A code of MFA is not asked for again: then nothing more is to be known."""
    looking = check(
        source, access=access, transfer=transfer, ask_mfa=_no_code, suspects=suspects, samples=_FEW
    )
    seen = asyncio.run(looking)
    refused = seen.evidence.refused
    if refused is not None and refused.id == _NO_CODE:
        return ()
    return tuple(one for one in seen.findings if one.level is Level.ERROR)


async def _no_code(serial: str) -> str:
    raise CredentialsError(f"no code of {serial} to explain with", id=_NO_CODE)


def _as_object(source: SourceOptions, where: DestinationOptions | None, seen: CheckReport) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "source": f"s3://{source.bucket}/{source.prefix}",
        "destination": str(where.root) if where else None,
        "exit_code": seen.exit_code,
        "steps": [asdict(step) for step in seen.steps],
        "findings": [findings.as_object(one) for one in seen.findings],
    }
