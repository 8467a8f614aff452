"""`s3haul cp`: copies objects to local disk, with the download flags of `aws s3 cp`.

Converts flags to options; `cli.haul` does the run.
"""

import time

import typer

from s3haul.cli import flags, parsing, selection, selection_flags, variables
from s3haul.cli.commands import Grouped
from s3haul.cli.flags import LogFormats, Transports
from s3haul.cli.loading import quick_imports
from s3haul.cli.selection_flags import ListFormats
from s3haul.errors import UsageError
from s3haul.options import AccessOptions, Existing, OutputOptions, TransferOptions

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
_SSE = ("aws:kms", "aws:kms:dsse", "AES256")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("cp", cls=Grouped, epilog=EPILOG, context_settings=variables.SETTINGS)(cp)


def cp(
    ctx: typer.Context,
    source: flags.Source,
    dest: flags.Dest,
    *,
    profile: flags.Profile = None,
    role_arn: flags.RoleArn = None,
    external_id: flags.ExternalId = None,
    source_profile: flags.SourceProfile = None,
    role_session_name: flags.SessionName = None,
    duration_seconds: flags.Duration = None,
    mfa_serial: flags.MfaSerial = None,
    region: flags.Region = None,
    endpoint_url: flags.EndpointUrl = None,
    sts_endpoint_url: flags.StsEndpointUrl = None,
    ca_bundle: flags.CaBundle = None,
    allow_plain_http: flags.PlainHttp = False,
    no_sign_request: flags.NoSignRequest = False,
    owner_profile: flags.OwnerProfile = None,
    credential_patience: flags.CredentialPatience = 900.0,
    recursive: flags.Recursive = False,
    include: flags.Include = None,
    exclude: flags.Exclude = None,
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
    request_payer: flags.RequestPayer = None,
    expected_bucket_owner: flags.BucketOwner = None,
    page_size: flags.PageSize = 1000,
    sse: flags.Sse = None,
    sse_kms_key_id: flags.SseKey = None,
    require_checksum: flags.RequireChecksum = False,
    existing: flags.ExistingFiles = Existing.VERIFY,
    force_glacier_transfer: flags.ForceGlacier = False,
    reconcile: selection_flags.Reconcile = False,
    fail_if_empty: flags.FailIfEmpty = False,
    concurrency: flags.Concurrency = 256,
    list_concurrency: flags.ListConcurrency = 32,
    max_rps: flags.MaxRps = None,
    max_kms_rps: flags.MaxKmsRps = None,
    bwlimit: flags.BwLimit = None,
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
    moot: flags.Moot = False,  # noqa: ARG001 - accepted, but has no effect
    moot_value: flags.MootValue = None,  # noqa: ARG001 - same
) -> int:
    """Copy objects to local disk, verified and resumable.

    The journal of the run is in DEST/.s3haul. A download cannot choose an encryption, so --sse and --sse-kms-key-id
    demand one: an object that is stored with another encryption fails.
    """
    parsing.refuse_swapped(source, dest)
    what = parsing.parse_source(
        source,
        recursive=recursive,
        request_payer=request_payer,
        expected_bucket_owner=expected_bucket_owner,
        page_size=page_size,
    )
    what = selection.with_versions(
        what, version_id=version_id, at=at, all_versions=all_versions, now=time.time()
    )
    if no_sign_request and (role_arn or source_profile):
        raise UsageError("--no-sign-request and a role contradict each other.")
    if sse is not None and sse not in _SSE:
        raise UsageError(f"--sse takes {', '.join(_SSE)}.")
    access = AccessOptions(
        profile=profile,
        source_profile=source_profile,
        external_id=external_id,
        role=parsing.parse_role(role_arn, external_id, role_session_name, duration_seconds, mfa_serial),
        region=region,
        endpoint_url=endpoint_url,
        sts_endpoint_url=sts_endpoint_url,
        ca_bundle=ca_bundle,
        allow_plain_http=allow_plain_http,
        transport=transport.value,
        no_sign_request=no_sign_request,
        owner_profile=owner_profile,
        credential_patience=credential_patience,
    )
    transfer = TransferOptions(
        filters=selection.filters_in_order(
            ctx.obj,
            {
                "--include": include or (),
                "--exclude": exclude or (),
                "--include-from": include_from or (),
                "--exclude-from": exclude_from or (),
            },
        ),
        conditions=selection.conditions(
            min_size=min_size,
            max_size=max_size,
            newer_than=newer_than,
            older_than=older_than,
            storage_classes=storage_class or (),
            regex=regex or (),
            now=time.time(),
        ),
        sse=sse,
        sse_kms_key_id=sse_kms_key_id,
        require_checksum=require_checksum,
        existing=parsing.parse_existing(existing, no_overwrite=no_overwrite),
        concurrency=concurrency,
        list_concurrency=list_concurrency,
        max_rps=max_rps,
        max_kms_rps=max_kms_rps,
        bandwidth=parsing.parse_bwlimit(bwlimit),
        max_transfer=selection.size("--max-transfer", max_transfer),
        max_duration=selection.span("--max-duration", max_duration),
        force_glacier_transfer=force_glacier_transfer,
        reconcile=selection.reconcile(what, files_from or plan, wanted=reconcile),
        fail_if_empty=fail_if_empty,
    )
    if save_plan is not None and (not (dryrun and what.recursive) or all_versions):
        raise UsageError("--save-plan goes with --dryrun, of a bucket or a prefix, and not of all versions.")
    to_stdout = dest == "-"
    if (to_stdout or dryrun) and variables.is_typed(ctx, "metrics_port"):
        raise UsageError("--metrics-port serves the metrics of a haul into files.")
    if to_stdout:
        parsing.demand_one_object(what, other_output=json or dryrun, filters=selection.is_narrowed(transfer))
    where = None if to_stdout else parsing.parse_destination(dest, what, force=force)
    output = OutputOptions(
        quiet=quiet,
        verbose=verbose,
        progress=not no_progress,
        json=json,
        json_log=log_format is LogFormats.JSON,
        metrics_port=metrics_port,
        metrics_address=metrics_address,
        plan=save_plan,
    )
    with quick_imports():
        from s3haul.cli import haul, lists, stdout  # noqa: PLC0415 - help and usage errors stay fast
        from s3haul.cli.logfile import opened_log  # noqa: PLC0415 - same

    with (
        opened_log(log_file, ctx.obj, as_json=output.json_log) as log,
        lists.opened(what, files_from, files_format, files_encoding, inventory=inventory, plan=plan) as what,
    ):
        if where is None:
            return stdout.run(access, what, transfer, log)
        return (haul.preview if dryrun else haul.run)(access, what, transfer, where, output, log=log)
