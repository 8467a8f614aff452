"""`s3haul restore`: prints the commands to restore archived objects,
for somebody with that permission. Sends no request."""

import csv
import io
import json
import shlex
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from s3haul.cli import flags, streams
from s3haul.core.text import command_line, human_bytes, human_count, is_text, key_octets, show
from s3haul.models import ObjectRef

EPILOG = """\b
Examples:
  s3haul restore ./data > restore.csv
  s3haul restore ./data --format shell --tier Standard --days 3 > restore.sh

restore.csv is a manifest for S3 Batch Operations (one job; objects of INTELLIGENT_TIERING need another one: select them
with --storage-class), restore.sh a command of the AWS CLI for each object. When the objects are restored, the s3haul cp
command that skipped them fetches them.
"""

TIERING = "INTELLIGENT_TIERING"  # its archived objects move back for good
# How long a restore takes at most, as S3 documents it, by tier and storage class; "" where the class
# has no such tier. Those of INTELLIGENT_TIERING are in one of two archive tiers, and the journal does
# not know in which.
WAITING = {
    "Bulk": {"GLACIER": "12 hours", "DEEP_ARCHIVE": "48 hours", TIERING: "48 hours"},
    "Standard": {"GLACIER": "5 hours", "DEEP_ARCHIVE": "12 hours", TIERING: "12 hours"},
    "Expedited": {"GLACIER": "5 minutes", "DEEP_ARCHIVE": "", TIERING: ""},
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
    storage_class: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help="Only objects of this class; can be repeated."),
    ] = None,
) -> int:
    """Print a plan that restores the archived objects which a run on DEST skipped."""
    from s3haul.journal import Reader  # noqa: PLC0415 - help stays fast
    from s3haul.journal.database import existing_journal  # noqa: PLC0415 - same

    found: dict[str, list[int]] = {}
    unwritable = 0
    classes = frozenset(map(str.upper, storage_class or ()))
    with Reader(existing_journal(dest)) as reader:
        bucket = reader.source.bucket
        for outcome in reader.outcomes():
            ref = outcome.ref
            if outcome.reason != "archived" or (classes and ref.storage_class not in classes):
                continue
            if form is Formats.SHELL and not is_text(ref.plain_key):
                unwritable += 1
                continue
            counted = found.setdefault(ref.storage_class, [0, 0])
            counted[0] += 1
            counted[1] += ref.size
            if form is Formats.BATCH:
                streams.print_data(batch_line(bucket, ref))
            else:
                streams.print_line(shell_line(bucket, ref, days=days, tier=tier))
    for name, (objects, size) in sorted(found.items()):
        waiting = WAITING[tier].get(name)
        how_long = f", within {waiting} at tier {tier}" if waiting else ""
        streams.print_message(
            f"{show(name)}: {human_count(objects, 'object')}, {human_bytes(size)}{how_long}"
        )
    if form is Formats.BATCH and TIERING in found and len(found) > 1:
        streams.print_message(_two_jobs(str(dest), sorted(found)))
    if unwritable:
        keys = human_count(unwritable, "key")
        streams.print_message(f"! Left out: {keys} that no command can name (not UTF-8); see --format batch")
    if not found:
        streams.print_message("No archived object was skipped: there is nothing to restore.")
    return 0


def _two_jobs(dest: str, classes: Sequence[str]) -> str:
    """S3InitiateRestoreObjectOperation of the S3 Control API: one job takes either kind,
    and days only for the one."""

    def command(*of: str) -> str:
        flags_of = [word for each in of for word in ("--storage-class", each)]
        return command_line(("s3haul", "restore", dest, *flags_of))

    others = [each for each in classes if each != TIERING]
    return (
        f"! One job cannot restore {TIERING} and other classes. Make two plans:\n"
        f"  {command(TIERING)}   (a job without days)\n  {command(*others)}"
    )


def batch_line(bucket: str, ref: ObjectRef) -> str:
    """A row of a Batch Operations manifest: bucket, encoded key, and the version if one was requested."""
    cells = [
        bucket,
        quote(key_octets(ref.plain_key), safe="/"),
        *([ref.version_id] if ref.version_id else []),
    ]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def shell_line(bucket: str, ref: ObjectRef, *, days: int, tier: Tiers) -> str:
    """A command of the AWS CLI for one object.

    Keys and versions are chosen by others. As arguments, the CLI would take -x for a flag, and for file://x
    would send what that file of the data owner holds. In JSON they are only text, and printable.
    """
    restore: dict[str, Any] = {"GlacierJobParameters": {"Tier": tier}}
    if ref.storage_class != TIERING:  # S3 refuses days: nothing expires
        restore["Days"] = days
    version = {"VersionId": ref.version_id} if ref.version_id else {}
    request = {"Bucket": bucket, "Key": ref.plain_key, **version, "RestoreRequest": restore}
    return shlex.join(("aws", "s3api", "restore-object", "--cli-input-json", json.dumps(request)))
