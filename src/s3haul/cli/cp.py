"""`s3haul cp`: copies objects to local disk, with the download flags of `aws s3 cp`.

Converts flags to options; `cli.cp_run` does the run.
"""

import typer

from s3haul.cli import flags, parsing
from s3haul.cli.commands import Grouped, quick_imports
from s3haul.cli.flags import Transports
from s3haul.cli.parsing import demand_one_object, parse_destination, refuse_swapped
from s3haul.cli.selection import is_narrowed, opened_list
from s3haul.errors import UsageError

EPILOG = """\b
Examples:
  s3haul cp s3://BUCKET ./data --profile export
  s3haul cp --sse aws:kms --profile export s3://BUCKET ./ --recursive
  s3haul cp s3://BUCKET/2024/ ./data --role-arn arn:aws:iam::111111111111:role/export-role
  s3haul cp s3://BUCKET ./data --exclude '*' --include '*.parquet' --dryrun
  s3haul cp s3://BUCKET/KEY - --profile export | gunzip | head
  s3haul cp s3://BUCKET ./data --profile export --metrics-port 9177

To resume an interrupted run, give the same command again. Every flag can also be set by an environment variable:
--role-arn by S3HAUL_ROLE_ARN, --json by S3HAUL_JSON=1; s3haul configure show prints the effective settings.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("cp", cls=Grouped, epilog=EPILOG, context_settings=flags.SETTINGS)(cp)


@flags.with_flags()
def cp(
    ctx: typer.Context,
    source: flags.Source,
    dest: flags.Dest,
    *,
    access: flags.AccessFlags,
    part: flags.SourceFlags,
    filters: flags.FilterFlags,
    selection: flags.SelectionFlags,
    transfer: flags.TransferFlags,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    output: flags.OutputFlags,
    ignored: flags.IgnoredFlags,  # noqa: ARG001 - accepted, as the AWS CLI does
) -> int:
    """Copy objects to local disk, verified and resumable.

    The journal of the run is in DEST/.s3haul. A download cannot choose an encryption, so --sse and
    --sse-kms-key-id demand one: an object that is stored with another encryption fails.
    """
    refuse_swapped(source, dest)
    what = parsing.source_options(source, part, selection)
    who = parsing.access_options(access, transport)
    how = parsing.transfer_options(ctx.obj, what, filters, transfer, selection)
    printed = parsing.output_options(output)
    if output.save_plan is not None and parsing.is_stream(output.save_plan):  # it would be replaced by a file
        raise UsageError(f"{output.save_plan} is not a file.", hint="--save-plan FILE names a new file")
    if output.save_plan is not None and not (output.dryrun and what.recursive and not what.all_versions):
        raise UsageError(
            "--save-plan needs --dryrun and a bucket or a prefix, and cannot be used with --all-versions."
        )
    to_stdout = dest == "-"
    if (to_stdout or output.dryrun) and flags.is_typed(ctx, "metrics_port"):
        raise UsageError("--metrics-port serves the metrics of a run that writes files.")
    if to_stdout:
        demand_one_object(what, other_output=output.json or output.dryrun, filters=is_narrowed(how))
    where = None if to_stdout else parse_destination(dest, what, force=force)
    with quick_imports():
        from s3haul.cli import cp_run  # noqa: PLC0415 - help and usage errors stay fast
        from s3haul.cli.listeners import opened_log  # noqa: PLC0415 - same

    with (
        opened_log(output.log_file, ctx.obj, as_json=printed.json_log) as log,
        opened_list(what, selection) as what,
    ):
        if where is None:
            return cp_run.write_to_stdout(who, what, how, log)
        if not output.dryrun:
            return cp_run.run(who, what, how, where, printed, log=log)
        from s3haul.cli import dry_run  # noqa: PLC0415 - only imported if it is needed

        return dry_run.run(who, what, how, where, printed, log=log)
