"""`s3haul cp`: copies objects to local disk, with the download flags of `aws s3 cp`.

Converts flags to options; `cli.haul` does the run.
"""

import typer

from s3haul.cli import flags, parsing, selection, selection_flags
from s3haul.cli.commands import Grouped, quick_imports
from s3haul.cli.flags import LogFormats, Transports
from s3haul.cli.locations import demand_one_object, parse_destination, refuse_swapped
from s3haul.cli.selection_flags import ListFormats
from s3haul.errors import UsageError
from s3haul.options import Existing

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


@flags.with_access_flags()
def cp(
    ctx: typer.Context,
    source: flags.Source,
    dest: flags.Dest,
    *,
    access: flags.Access,
    no_sign_request: flags.NoSignRequest = False,
    owner_profile: flags.OwnerProfile = None,
    credential_patience: flags.CredentialPatience = 900.0,
    recursive: selection_flags.Recursive = False,
    include: selection_flags.Include = None,
    exclude: selection_flags.Exclude = None,
    include_from: selection_flags.IncludeFrom = None,
    exclude_from: selection_flags.ExcludeFrom = None,
    min_size: selection_flags.MinSize = None,
    max_size: selection_flags.MaxSize = None,
    newer_than: selection_flags.NewerThan = None,
    older_than: selection_flags.OlderThan = None,
    storage_class: selection_flags.StorageClass = None,
    regex: selection_flags.Regex = None,
    files_from: selection_flags.FilesFrom = None,
    files_format: selection_flags.FilesFormat = ListFormats.KEYS,
    files_encoding: selection_flags.FilesEncoding = None,
    inventory: selection_flags.InventoryReport = None,
    plan: selection_flags.PlanFile = None,
    version_id: selection_flags.VersionId = None,
    at: selection_flags.At = None,
    all_versions: selection_flags.AllVersions = False,
    request_payer: selection_flags.RequestPayer = None,
    expected_bucket_owner: selection_flags.BucketOwner = None,
    page_size: selection_flags.PageSize = 1000,
    sse: flags.Sse = None,
    sse_kms_key_id: flags.SseKey = None,
    require_checksum: flags.RequireChecksum = False,
    existing: flags.ExistingFiles = Existing.VERIFY,
    force_glacier_transfer: selection_flags.ForceGlacier = False,
    reconcile: selection_flags.Reconcile = False,
    fail_if_empty: selection_flags.FailIfEmpty = False,
    concurrency: flags.Concurrency = 256,
    list_concurrency: selection_flags.ListConcurrency = 32,
    max_rps: selection_flags.MaxRps = None,
    max_kms_rps: selection_flags.MaxKmsRps = None,
    bwlimit: selection_flags.BwLimit = None,
    max_transfer: selection_flags.MaxTransfer = None,
    max_duration: selection_flags.MaxDuration = None,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    dryrun: flags.Dryrun = False,
    save_plan: selection_flags.SavePlan = None,
    quiet: flags.Quiet = False,
    no_progress: flags.NoProgress = False,
    verbose: flags.Verbose = False,
    json: flags.Json = False,
    log_format: flags.LogFormat = LogFormats.TEXT,
    log_file: flags.LogFile = None,
    metrics_port: flags.MetricsPort = None,
    metrics_address: flags.MetricsAddress = "127.0.0.1",
    no_overwrite: flags.NoOverwrite = False,
    ignored: flags.Ignored = False,
    ignored_value: flags.IgnoredValue = None,
) -> int:
    """Copy objects to local disk, verified and resumable.

    The journal of the run is in DEST/.s3haul. A download cannot choose an encryption, so --sse and --sse-kms-key-id
    demand one: an object that is stored with another encryption fails.
    """
    given = locals() | access
    refuse_swapped(source, dest)
    what = parsing.source_options(given)
    who, transfer = parsing.access_options(given), parsing.transfer_options(given, ctx.obj, what)
    output = parsing.output_options(given)
    if save_plan is not None and (not (dryrun and what.recursive) or all_versions):
        raise UsageError(
            "--save-plan needs --dryrun and a bucket or a prefix, and cannot be used with --all-versions."
        )
    to_stdout = dest == "-"
    if (to_stdout or dryrun) and flags.is_typed(ctx, "metrics_port"):
        raise UsageError("--metrics-port serves the metrics of a haul into files.")
    if to_stdout:
        demand_one_object(what, other_output=json or dryrun, filters=selection.is_narrowed(transfer))
    where = None if to_stdout else parse_destination(dest, what, force=force)
    with quick_imports():
        from s3haul.cli import haul  # noqa: PLC0415 - help and usage errors stay fast
        from s3haul.cli.listeners import opened_log  # noqa: PLC0415 - same

    with (
        opened_log(log_file, ctx.obj, as_json=output.json_log) as log,
        selection.opened_list(
            what, files_from, files_format, files_encoding, inventory=inventory, plan=plan
        ) as what,
    ):
        if where is None:
            return haul.write_to_stdout(who, what, transfer, log)
        if not dryrun:
            return haul.run(who, what, transfer, where, output, log=log)
        from s3haul.cli import dry_run  # noqa: PLC0415 - only imported if it is needed

        return dry_run.run(who, what, transfer, where, output, log=log)
