"""`s3haul limit`: changes the limits of a run from another terminal."""

from typing import Annotated

import typer

from s3haul.cli import flags, parsing, streams
from s3haul.core.text import show
from s3haul.errors import UsageError

OFF = "off"  # removes a limit
EPILOG = """\b
Examples:
  s3haul limit ./data --bwlimit 20MB/s
  s3haul limit ./data --max-rps 200 --max-kms-rps 50
  s3haul limit ./data --bwlimit off
"""

Rps = Annotated[str | None, typer.Option("--max-rps", metavar="N|off", help="Maximum requests per second.")]
KmsRps = Annotated[
    str | None,
    typer.Option("--max-kms-rps", metavar="N|off", help="Maximum requests per second that cost a KMS call."),
]
Bandwidth = Annotated[
    str | None, typer.Option("--bwlimit", metavar="RATE|off", help="Maximum bytes per second: 500K, 10MB/s.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("limit", epilog=EPILOG)(limit)


def limit(
    dest: flags.State, *, max_rps: Rps = None, max_kms_rps: KmsRps = None, bwlimit: Bandwidth = None
) -> int:
    """Change the limits of the run that works on DEST; they apply within two seconds."""
    from s3haul.disk.limits_file import LimitsFile  # noqa: PLC0415 - same
    from s3haul.disk.root import holder_of  # noqa: PLC0415 - help stays fast

    limits: dict[str, float | None] = {}
    if max_rps is not None:
        limits["max_rps"] = _rate("--max-rps", max_rps)
    if max_kms_rps is not None:
        limits["max_kms_rps"] = _rate("--max-kms-rps", max_kms_rps)
    if bwlimit is not None:
        limits["bandwidth"] = None if bwlimit == OFF else parsing.parse_bwlimit(bwlimit)
    if not limits:
        raise UsageError("No limit is given.", hint="s3haul limit DEST --bwlimit 20MB/s; off lifts a limit")
    holder = holder_of(dest)
    if holder is None:
        raise UsageError(f"No run works on {dest}.", hint="give the flags to s3haul cp instead")
    LimitsFile(dest).add(limits)
    streams.print_line(f"new limits sent to {show(holder) or 'the run'}")
    return 0


def _rate(flag: str, text: str) -> float | None:
    if text == OFF:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value < float("inf"):
        raise UsageError(f"{flag} {text!r} is not a rate.", hint=f"{flag} 50, or {flag} off")
    return value
