"""Runs a check for the command line, and prints its steps and findings.

`explain_run` takes the same steps after a run that was refused access, to find the cause.
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
from s3haul.diagnose.reasons import UNEXPLAINED, error_of
from s3haul.errors import CredentialsError, S3HaulError
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions

SCHEMA = 1
_FEW = 30  # samples in addition to the objects that a run could not read
_NO_CODE = "S3H-STS-08"
# Errors whose cause cannot be found from one response.
_IN_DOUBT = frozenset({"S3H-STS-03", "S3H-S3-02", "S3H-S3-04", "S3H-KMS-01", "S3H-KMS-02", "S3H-KMS-03"})


def run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    where: DestinationOptions | None,
    output: OutputOptions,
) -> int:
    """Run the check, print the report to stdout, and return the exit code."""

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
    """Find the cause of an access error that ended a run, or of objects that could not be read, with a check.

    Returns the error, with the cause if one was found, and the findings about objects. No request is sent if the run
    had no unexplained access error.
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
    """The error with the text of the finding. If both have the same id, the message of the error is kept."""
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
    """The errors that a check finds. The user is not asked for another MFA code: if one is needed, there are none."""
    looking = check(
        source, access=access, transfer=transfer, ask_mfa=_no_code, suspects=suspects, samples=_FEW
    )
    seen = asyncio.run(looking)
    refused = seen.evidence.refused
    if refused is not None and refused.id == _NO_CODE:
        return ()
    return tuple(one for one in seen.findings if one.level is Level.ERROR)


async def _no_code(serial: str) -> str:
    raise CredentialsError(f"the check does not ask for a code of {serial}", id=_NO_CODE)


def _as_object(source: SourceOptions, where: DestinationOptions | None, seen: CheckReport) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "source": f"s3://{source.bucket}/{source.prefix}",
        "destination": str(where.root) if where else None,
        "exit_code": seen.exit_code,
        "steps": [asdict(step) for step in seen.steps],
        "findings": [findings.as_object(one) for one in seen.findings],
    }
