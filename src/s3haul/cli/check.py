"""`s3haul check`: tests every step of access, and says what is wrong, who can fix it, and how.

Only single bytes of objects are downloaded, and nothing is left at the destination.
"""

import typer

from s3haul.cli import flags
from s3haul.cli.commands import Grouped, quick_imports
from s3haul.cli.flags import Transports
from s3haul.cli.parsing import (
    access_options,
    parse_destination,
    refuse_swapped,
    source_options,
    transfer_options,
)
from s3haul.options import OutputOptions

EPILOG = """\b
Examples:
  s3haul check s3://BUCKET --profile export
  s3haul check s3://BUCKET/2024/ ./data --profile export --json
  s3haul check s3://BUCKET --profile export --owner-profile owner

Exit codes: 0 fine, 3 some objects would be skipped, 4 access, 5 destination, 6 source.
"""


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
    patterns: flags.PatternFlags,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    quiet: flags.Quiet = False,
    json: flags.Json = False,
) -> int:
    """Test access and destination, and find the cause of errors.

    Every step is tested. For an error it prints the cause, who can fix it, and how. Only single bytes are downloaded.
    """
    refuse_swapped(source, dest or "")
    selection = flags.SelectionFlags()
    what = source_options(source, part, selection)
    who = access_options(access, transport)
    transfer = transfer_options(ctx.obj, what, patterns, selection, flags.TransferFlags())
    where = parse_destination(dest, what, force=force) if dest not in {None, "-"} else None
    with quick_imports():
        from s3haul.cli.check_run import run  # noqa: PLC0415 - help and usage errors stay fast

    return run(who, what, transfer, where, OutputOptions(quiet=quiet, json=json))
