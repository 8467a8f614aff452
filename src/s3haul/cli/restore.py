"""`s3haul restore`: prints the commands to restore archived objects, for somebody with that permission. Sends no request."""

import csv
import io
import json
import shlex
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from s3haul.cli import flags, streams
from s3haul.core.text import human_bytes, human_count
from s3haul.models import ObjectRef

EPILOG = """\b
Examples:
  s3haul restore ./data > restore.csv
  s3haul restore ./data --format shell --tier Standard --days 3 > restore.sh

restore.csv is a manifest for S3 Batch Operations (one job for all objects), restore.sh a command of the AWS CLI for
each. When the objects are restored, the s3haul cp command that skipped them fetches them.
"""


# How long a restore takes at most, as S3 documents it, by tier and storage class; "" where the class has no such tier.
WAITING = {
    "Bulk": {"GLACIER": "12 hours", "DEEP_ARCHIVE": "48 hours"},
    "Standard": {"GLACIER": "5 hours", "DEEP_ARCHIVE": "12 hours"},
    "Expedited": {"GLACIER": "5 minutes", "DEEP_ARCHIVE": ""},
}


class Tiers(StrEnum):
    """Speed and price of a restore."""

    BULK = "Bulk"
    STANDARD = "Standard"
    EXPEDITED = "Expedited"


class Formats(StrEnum):
    """The format of a line."""

    BATCH = "batch"
    SHELL = "shell"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("restore", epilog=EPILOG)(restore)


def restore(
    dest: flags.State,
    *,
    form: Annotated[
        Formats, typer.Option("--format", help="CSV for S3 Batch Operations, or commands.")
    ] = Formats.BATCH,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Commands only: days to keep the copies.")] = 7,
    tier: Annotated[Tiers, typer.Option(help="Commands only: speed and price of the restore.")] = Tiers.BULK,
) -> int:
    """Print a plan that restores the archived objects which a run on DEST skipped."""
    from s3haul.journal import Reader  # noqa: PLC0415 - help stays fast
    from s3haul.journal.database import existing_journal  # noqa: PLC0415 - same

    found: dict[str, list[int]] = {}
    with Reader(existing_journal(dest)) as reader:
        bucket = reader.source.bucket
        for outcome in reader.outcomes():
            if outcome.reason != "archived":
                continue
            ref = outcome.ref
            counted = found.setdefault(ref.storage_class, [0, 0])
            counted[0] += 1
            counted[1] += ref.size
            line = batch_line(bucket, ref)
            streams.print_line(
                line if form is Formats.BATCH else shell_line(bucket, ref, days=days, tier=tier)
            )
    for storage_class, (objects, size) in sorted(found.items()):
        waiting = WAITING[tier].get(storage_class)
        how_long = f", within {waiting} at tier {tier}" if waiting else ""
        streams.print_message(
            f"{storage_class}: {human_count(objects, 'object')}, {human_bytes(size)}{how_long}"
        )
    if not found:
        streams.print_message("No archived object was skipped: there is nothing to restore.")
    return 0


def batch_line(bucket: str, ref: ObjectRef) -> str:
    """A row of a Batch Operations manifest: bucket, encoded key, and the version if one was requested."""
    cells = [bucket, quote(ref.plain_key, safe="/"), *([ref.version_id] if ref.version_id else [])]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def shell_line(bucket: str, ref: ObjectRef, *, days: int, tier: Tiers) -> str:
    """A command of the AWS CLI for one object."""
    request = json.dumps({"Days": days, "GlacierJobParameters": {"Tier": tier}})
    version = ["--version-id", ref.version_id] if ref.version_id else []
    words = ["aws", "s3api", "restore-object", "--bucket", bucket, "--key", ref.plain_key, *version]
    return shlex.join([*words, "--restore-request", request])
