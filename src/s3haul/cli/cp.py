"""`s3haul cp`: haul objects to local disk, with the download flags of `aws s3 cp`.

Turns flags into records; `cli.haul` does the run. No decision about objects is made here.
"""

import typer

from s3haul.cli import flags, parsing
from s3haul.cli.commands import Grouped
from s3haul.cli.flags import LogFormats, Transports
from s3haul.cli.loading import quick_imports
from s3haul.cli.variables import SETTINGS
from s3haul.errors import UsageError
from s3haul.options import AccessOptions, Existing, OutputOptions, TransferOptions

EPILOG = """\b
Examples:
  s3haul cp s3://BUCKET ./data --profile export
  s3haul cp --sse aws:kms --profile export s3://BUCKET ./ --recursive
  s3haul cp s3://BUCKET/2024/ ./data --role-arn arn:aws:iam::111111111111:role/export-role
  s3haul cp s3://BUCKET ./data --exclude '*' --include '*.parquet' --dryrun
  s3haul cp s3://BUCKET/KEY - --profile export | gunzip | head

The same command again goes on where an earlier one ended. Every flag can be given by a variable, too:
--role-arn as S3HAUL_ROLE_ARN, --json as S3HAUL_JSON=1; s3haul configure show tells what is in effect.
"""
_SSE = ("aws:kms", "aws:kms:dsse", "AES256")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("cp", cls=Grouped, epilog=EPILOG, context_settings=SETTINGS)(cp)


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
    request_payer: flags.RequestPayer = None,
    expected_bucket_owner: flags.BucketOwner = None,
    page_size: flags.PageSize = 1000,
    sse: flags.Sse = None,
    sse_kms_key_id: flags.SseKey = None,
    require_checksum: flags.RequireChecksum = False,
    existing: flags.ExistingFiles = Existing.VERIFY,
    force_glacier_transfer: flags.ForceGlacier = False,
    fail_if_empty: flags.FailIfEmpty = False,
    concurrency: flags.Concurrency = 256,
    max_rps: flags.MaxRps = None,
    max_kms_rps: flags.MaxKmsRps = None,
    bwlimit: flags.BwLimit = None,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    dryrun: flags.Dryrun = False,
    quiet: flags.Quiet = False,
    no_progress: flags.NoProgress = False,
    verbose: flags.Verbose = False,
    json: flags.Json = False,
    log_format: flags.LogFormat = LogFormats.TEXT,
    log_file: flags.LogFile = None,
    no_overwrite: flags.NoOverwrite = False,
    moot: flags.Moot = False,  # noqa: ARG001 - accepted, and that is all
    moot_value: flags.MootValue = None,  # noqa: ARG001 - same
) -> int:
    """Copy objects to local disk: verified, resumable, every key accounted for.

    DEST keeps its journal in DEST/.s3haul. On a download no encryption can be asked for, so --sse and
    --sse-kms-key-id state what must be true: an object stored otherwise is a failure.
    """
    parsing.refuse_swapped(source, dest)
    what = parsing.parse_source(
        source,
        recursive=recursive,
        request_payer=request_payer,
        expected_bucket_owner=expected_bucket_owner,
        page_size=page_size,
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
        filters=parsing.filters_in_order(ctx.obj, include or (), exclude or ()),
        sse=sse,
        sse_kms_key_id=sse_kms_key_id,
        require_checksum=require_checksum,
        existing=parsing.parse_existing(existing, no_overwrite=no_overwrite),
        concurrency=concurrency,
        max_rps=max_rps,
        max_kms_rps=max_kms_rps,
        bandwidth=parsing.parse_bwlimit(bwlimit),
        force_glacier_transfer=force_glacier_transfer,
        fail_if_empty=fail_if_empty,
    )
    to_stdout = dest == "-"
    if to_stdout:
        parsing.demand_one_object(what, other_output=json or dryrun, filters=bool(transfer.filters))
    where = None if to_stdout else parsing.parse_destination(dest, what, force=force)
    output = OutputOptions(
        quiet=quiet,
        verbose=verbose,
        progress=not no_progress,
        json=json,
        json_log=log_format is LogFormats.JSON,
    )
    with quick_imports():
        from s3haul.cli import haul, stdout  # noqa: PLC0415 - help and usage errors stay fast
        from s3haul.cli.logfile import opened_log  # noqa: PLC0415 - same

    with opened_log(log_file, ctx.obj, as_json=output.json_log) as log:
        if where is None:
            return stdout.run(access, what, transfer, log)
        return (haul.preview if dryrun else haul.run)(access, what, transfer, where, output, log=log)
