"""`s3haul cp`: haul objects to local disk, with the download flags of `aws s3 cp`.

Turns flags into records; `cli.haul` does the run. No decision about objects is made here.
"""

import sys

import typer

from s3haul.cli import flags
from s3haul.cli.flags import LogFormats, Transports
from s3haul.cli.loading import quick_imports
from s3haul.errors import UsageError
from s3haul.options import AccessOptions, Existing, OutputOptions, TransferOptions

EPILOG = """\b
Examples:
  s3haul cp s3://BUCKET ./data --profile export
  s3haul cp --sse aws:kms --profile export s3://BUCKET ./ --recursive
  s3haul cp s3://BUCKET/2024/ ./data --role-arn arn:aws:iam::111111111111:role/export-role
  s3haul cp s3://BUCKET ./data --exclude '*' --include '*.parquet' --dryrun

The same command again goes on where an earlier one ended.
"""
_SSE = ("aws:kms", "aws:kms:dsse", "AES256")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("cp", epilog=EPILOG)(cp)


def cp(
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
    ca_bundle: flags.CaBundle = None,
    allow_plain_http: flags.PlainHttp = False,
    owner_profile: flags.OwnerProfile = None,
    credential_patience: flags.CredentialPatience = 900.0,
    recursive: flags.Recursive = False,
    include: flags.Include = None,  # noqa: ARG001 - their order is only in the command line
    exclude: flags.Exclude = None,  # noqa: ARG001 - same
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
    bwlimit: flags.BwLimit = None,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    dryrun: flags.Dryrun = False,
    quiet: flags.Quiet = False,
    no_progress: flags.NoProgress = False,
    verbose: flags.Verbose = False,
    json: flags.Json = False,
    log_format: flags.LogFormat = LogFormats.TEXT,
) -> int:
    """Copy objects to local disk: verified, resumable, every key accounted for.

    DEST keeps its journal in DEST/.s3haul. On a download no encryption can be asked for, so --sse and
    --sse-kms-key-id state what must be true: an object stored otherwise is a failure.
    """
    what = flags.parse_source(
        source,
        recursive=recursive,
        request_payer=request_payer,
        expected_bucket_owner=expected_bucket_owner,
        page_size=page_size,
    )
    if sse is not None and sse not in _SSE:
        raise UsageError(f"--sse takes {', '.join(_SSE)}.")
    access = AccessOptions(
        profile=profile,
        source_profile=source_profile,
        external_id=external_id,
        role=flags.parse_role(role_arn, external_id, role_session_name, duration_seconds, mfa_serial),
        region=region,
        endpoint_url=endpoint_url,
        ca_bundle=ca_bundle,
        allow_plain_http=allow_plain_http,
        transport=transport.value,
        owner_profile=owner_profile,
        credential_patience=credential_patience,
    )
    transfer = TransferOptions(
        filters=flags.filters_in_order(sys.argv),
        sse=sse,
        sse_kms_key_id=sse_kms_key_id,
        require_checksum=require_checksum,
        existing=existing,
        concurrency=concurrency,
        max_rps=max_rps,
        bandwidth=flags.parse_bwlimit(bwlimit),
        force_glacier_transfer=force_glacier_transfer,
        fail_if_empty=fail_if_empty,
    )
    where = flags.parse_destination(dest, what, force=force)
    output = OutputOptions(
        quiet=quiet,
        verbose=verbose,
        progress=not no_progress,
        json=json,
        json_log=log_format is LogFormats.JSON,
    )
    with quick_imports():
        from s3haul.cli.haul import preview, run  # noqa: PLC0415 - help and usage errors stay fast

    return (preview if dryrun else run)(access, what, transfer, where, output)
