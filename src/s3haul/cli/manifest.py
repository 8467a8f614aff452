"""`s3haul manifest`: one JSON line per key of the latest listing, read from the journal."""

import typer

from s3haul.cli import flags, streams


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("manifest")(manifest)


def manifest(dest: flags.State) -> int:
    """Print what became of every listed key, as JSON lines on stdout."""
    from s3haul.journal import manifest_lines  # noqa: PLC0415 - start-up stays fast

    for line in manifest_lines(flags.journal_of(dest)):
        streams.put(line)
    return 0
