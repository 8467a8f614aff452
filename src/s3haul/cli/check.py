"""`s3haul check`: tests every step of access, and says what is wrong, who can fix it, and how.

Only single bytes of objects are downloaded, and nothing is left at the destination.
"""

import typer

from s3haul.cli import flags, parsing
from s3haul.cli.commands import Grouped
from s3haul.cli.flags import Transports
from s3haul.cli.loading import quick_imports
from s3haul.cli.records import access_options
from s3haul.cli.selection import filters_in_order
from s3haul.cli.variables import SETTINGS
from s3haul.options import OutputOptions, TransferOptions

EPILOG = """\b
Examples:
  s3haul check s3://BUCKET --profile export
  s3haul check s3://BUCKET/2024/ ./data --profile export --json
  s3haul check s3://BUCKET --profile export --owner-profile owner

Exit codes: 0 fine, 3 some objects would be skipped, 4 access, 5 destination, 6 source.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("check", cls=Grouped, epilog=EPILOG, context_settings=SETTINGS)(check)


def check(
    ctx: typer.Context,
    source: flags.Source,
    dest: flags.OptionalDest = None,
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
    owner_profile: flags.OwnerProfile = None,
    recursive: flags.Recursive = False,
    include: flags.Include = None,
    exclude: flags.Exclude = None,
    request_payer: flags.RequestPayer = None,
    expected_bucket_owner: flags.BucketOwner = None,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    quiet: flags.Quiet = False,
    json: flags.Json = False,
) -> int:
    """Test access and destination, and find the cause of errors.

    Every step is tested. For an error it prints the cause, who can fix it, and how. Only single bytes are downloaded.
    """
    given = dict(locals())
    parsing.refuse_swapped(source, dest or "")
    what = parsing.parse_source(
        source,
        recursive=recursive,
        request_payer=request_payer,
        expected_bucket_owner=expected_bucket_owner,
    )
    access = access_options(given)
    where = parsing.parse_destination(dest, what, force=force) if dest not in {None, "-"} else None
    transfer = TransferOptions(
        filters=filters_in_order(ctx.obj, {"--include": include or (), "--exclude": exclude or ()})
    )
    with quick_imports():
        from s3haul.cli.examine import run  # noqa: PLC0415 - help and usage errors stay fast

    return run(access, what, transfer, where, OutputOptions(quiet=quiet, json=json))
