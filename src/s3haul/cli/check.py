"""`s3haul check`: tests every step of access, and says what is wrong, who can fix it, and how.

Only single bytes of objects are downloaded, and nothing is left at the destination. `explain_run`
takes the same steps after a run that was refused access, to find the cause. All text from outside is
escaped with `show`.
"""

import asyncio
import json as jsonlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from s3haul.cli import flags, streams
from s3haul.cli.commands import Grouped, quick_imports
from s3haul.cli.flags import Transports
from s3haul.cli.parsing import (
    access_options,
    parse_destination,
    refuse_swapped,
    source_options,
    transfer_options,
)
from s3haul.core.stats import Stats
from s3haul.core.text import show
from s3haul.diagnose.causes import Finding, Level
from s3haul.diagnose.evidence import StepResult
from s3haul.diagnose.reasons import UNEXPLAINED
from s3haul.diagnose.table import BOTH, DIAGNOSES
from s3haul.errors import CredentialsError, S3HaulError
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions

if TYPE_CHECKING:
    from s3haul.api.check import CheckReport

EPILOG = """\b
Examples:
  s3haul check s3://BUCKET --profile export
  s3haul check s3://BUCKET/2024/ ./data --profile export --json
  s3haul check s3://BUCKET --profile export --owner-profile owner

Exit codes: 0 fine, 3 some objects would be skipped, 4 access, 5 destination, 6 source.
"""

SCHEMA = 1
_FEW = 30  # samples in addition to the objects that a run could not read
_NO_CODE = "S3H-STS-08"
# Errors whose cause cannot be found from one response.
_IN_DOUBT = frozenset({"S3H-STS-03", "S3H-S3-02", "S3H-S3-04", "S3H-KMS-01", "S3H-KMS-02", "S3H-KMS-03"})
_MARKS = {True: "ok", False: "x", None: "-"}
_SIGNS = {Level.NOTE: "-", Level.WARNING: "!", Level.ERROR: "x"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("check", cls=Grouped, epilog=EPILOG, context_settings=flags.SETTINGS)(check)


@flags.with_flags(without=("no_sign_request", "credential_timeout"))
def check(
    ctx: typer.Context,
    source: flags.Source,
    dest: flags.OptionalDest = None,
    *,
    access: flags.AccessFlags,
    part: flags.SourceFlags,
    filters: flags.FilterFlags,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    quiet: flags.Quiet = False,
    json: flags.Json = False,
) -> int:
    """Test access and destination, and find the cause of errors.

    Every step is tested. For an error it prints the cause, who can fix it, and how.
    Only single bytes are downloaded.
    """
    refuse_swapped(source, dest or "")
    what = source_options(source, part)
    who = access_options(access, transport)
    transfer = transfer_options(ctx.obj, what, filters, flags.TransferFlags())
    where = parse_destination(dest, what, force=force) if dest not in {None, "-"} else None
    return _run(who, what, transfer, where, OutputOptions(quiet=quiet, json=json))


def _run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    where: DestinationOptions | None,
    output: OutputOptions,
) -> int:
    """Run the check, print the report to stdout, and return the exit code."""

    def show_step(step: StepResult) -> None:
        if not (output.quiet or output.json):
            streams.print_line(step_line(step))
            streams.flush()

    with quick_imports():
        from s3haul.api import check as api  # noqa: PLC0415 - help and usage errors stay fast

    report = asyncio.run(api.check(source, where, access=access, transfer=transfer, report=show_step))
    if output.json:
        streams.print_line(jsonlib.dumps(_as_object(source, where, report)))
    else:
        for line in report_lines(report.findings, quiet=output.quiet):
            streams.print_line(line)
    return report.exit_code


def explain_run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    stats: Stats,
    error: S3HaulError | None,
) -> tuple[S3HaulError | None, tuple[Finding, ...]]:
    """Find the cause of an access error that ended a run, or of objects that could not be read, with a check.

    Returns the error, with the cause if one was found, and the findings about objects. No request is sent if
    the run had no unexplained access error.
    """
    in_doubt = error.id in _IN_DOUBT if error else bool(stats.failed.keys() & UNEXPLAINED)
    if access.no_sign_request:
        return (_of_unsigned(error) if error and in_doubt else error), ()
    if not in_doubt or (error and error.id == "S3H-STS-03" and access.owner_profile is None):
        return error, ()
    suspects = [key for reason in UNEXPLAINED & stats.failed.keys() for key in stats.failed[reason].keys]
    found = _explain(access, source, transfer, suspects)
    if error is None:
        return None, found
    return (_explained(error, found[0]) if found else error), ()


def _of_unsigned(error: S3HaulError) -> S3HaulError:
    """The error of a run without credentials, whose hint begins with that."""
    hint = f"The requests are not signed: unless the bucket is public, leave out --no-sign-request. Otherwise: {error.hint}"
    kind = DIAGNOSES[error.id].error
    return kind(error.message, hint=hint, said=error.said, seen=error.seen, id=error.id, who=BOTH)


def _explained(error: S3HaulError, found: Finding) -> S3HaulError:
    """The error with the text of the finding. If both have the same id, the message of the error is kept."""
    message = error.message if found.id == error.id else found.title
    statement = f" Statement: {jsonlib.dumps(found.statement)}" if found.statement else ""
    return DIAGNOSES[found.id].error(
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
    """The errors that a check finds. The user is not asked for another MFA code:
    if one is needed, there are none."""
    from s3haul.api import check as api  # noqa: PLC0415 - as above

    looking = api.check(
        source, access=access, transfer=transfer, ask_mfa=_no_code, suspects=suspects, samples=_FEW
    )
    report = asyncio.run(looking)
    refused = report.evidence.refused
    if refused is not None and refused.id == _NO_CODE:
        return ()
    return tuple(one for one in report.findings if one.level is Level.ERROR)


async def _no_code(serial: str) -> str:
    raise CredentialsError(f"the check does not ask for a code of {serial}", id=_NO_CODE)


def _as_object(
    source: SourceOptions, where: DestinationOptions | None, report: "CheckReport"
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "source": source.url,
        "destination": str(where.root) if where else None,
        "exit_code": report.exit_code,
        "steps": [asdict(step) for step in report.steps],
        "findings": [finding_object(one) for one in report.findings],
    }


def step_line(step: StepResult) -> str:
    """One step: its result, its name, what it shows; details on further lines."""
    lines = [f"{_MARKS[step.ok]:<3}{step.step:<14} {show(step.text)}"]
    lines += [f"{'':<17} {show(detail)}" for detail in step.details]
    return "\n".join(lines)


def report_lines(found: Sequence[Finding], *, quiet: bool = False) -> Iterator[str]:
    """All findings, or a sentence that there are none."""
    shown = [one for one in found if not (quiet and one.level is Level.NOTE)]
    for one in shown:
        yield from finding_lines(one)
    if not shown and not quiet:
        yield "No problems found."


def finding_lines(found: Finding) -> Iterator[str]:
    """What is wrong, the message of AWS, who can fix it, what is affected,
    how to fix it, where to read more."""
    yield f"{_SIGNS[found.level]} {show(found.title.removesuffix('.'))}   [{found.id}]"
    if found.said:
        yield f"  AWS said: {show(found.said)}"
    if found.seen:
        yield f"  Seen: {show(found.seen)}"
    yield f"  Who fixes it: {found.who}{_extent(found)}"
    yield from (f"    {show(str(group))}" for group in found.groups)
    if found.examples:
        yield f"    for example {', '.join(show(key) for key in found.examples)}"
    yield f"  Fix: {show(found.fix)}"
    if found.statement:
        yield f"  Statement: {show(jsonlib.dumps(found.statement))}"
    yield f"  More: s3haul help {found.id}"


def finding_object(found: Finding) -> dict[str, Any]:
    """The finding as JSON values."""
    fields = asdict(found)
    fields["groups"] = [group._asdict() for group in found.groups]
    return fields


def _extent(found: Finding) -> str:
    if not found.sampled:
        return ""
    of = f"{found.sampled} objects" if found.complete else f"{found.sampled} sampled objects"
    return f"; affects {found.affected} of {of}"
