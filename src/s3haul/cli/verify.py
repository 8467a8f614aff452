"""`s3haul verify`: reads every downloaded file again and compares it with the checksum in the journal."""

import json as jsonlib
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from s3haul.cli import flags, streams
from s3haul.core.keypath import MARK
from s3haul.core.text import colour_mark, human_bytes, human_count, show
from s3haul.errors import S3HaulError

if TYPE_CHECKING:  # help stays fast
    from collections.abc import Sequence

    from s3haul.audit import AuditCounts
    from s3haul.models import Outcome


EPILOG = """\b
Examples:
  s3haul verify ./data
  s3haul verify ./data --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("verify", epilog=EPILOG)(verify)


def verify(dest: flags.State, *, json: flags.Json = False) -> int:
    """Compare every downloaded file with its checksum, without network.

    Damaged files are marked, so that the next `s3haul cp` fetches them again. Exit code 0: all files are intact. 1: a
    file is damaged, missing or replaced.
    """
    from s3haul.audit import Finding, Grade  # noqa: PLC0415 - help stays fast
    from s3haul.audit import verify as verify_files  # noqa: PLC0415 - same
    from s3haul.cli.listeners import status_line  # noqa: PLC0415 - same
    from s3haul.journal import Reader  # noqa: PLC0415 - same
    from s3haul.journal.database import existing_journal  # noqa: PLC0415 - same
    from s3haul.models import State  # noqa: PLC0415 - same

    with Reader(existing_journal(dest)) as reader:
        total = sum(count.objects for count in reader.counts() if count.state == State.DONE)
        bucket, prefixes = reader.source.bucket, reader.prefixes()
    repairs: dict[str, None] = {}

    def found(finding: Finding) -> None:
        if finding.grade is Grade.DAMAGED:
            repairs[_repair(bucket, prefixes, finding.outcome, dest)] = None
            line = f"x {show(finding.key)}: {show(finding.detail)} ({finding.problem})"
            status.say(colour_mark(line) if streams.colour_allowed(sys.stderr) else line)

    def unmarked(error: S3HaulError) -> None:
        status.say(f"! Damaged files cannot be marked for the next run: {show(error.message)}   [{error.id}]")

    def progress(counts: "AuditCounts") -> None:
        status.update(lambda seconds: _progress(counts, total, seconds))

    with status_line(shown=not json) as status:
        counts = verify_files(dest, found=found, progress=progress, unmarked=unmarked)
    if json:
        streams.print_line(
            jsonlib.dumps({"schema": 1, **asdict(counts), "repair": "\n".join(repairs) or None})
        )
    else:
        streams.print_line(
            f"{show(str(dest))}: {human_count(counts.verified, 'file')} verified against the checksum that S3 stores"
        )
        for count, what in (
            (counts.unchanged, "verified against what was received, since S3 stores no checksum"),
            (counts.size_only, "checked by size alone"),
            (counts.not_done, "without a file: skipped or failed"),
        ):
            if count:
                streams.print_line(f"  {count:,} {what}")
        streams.print_line(f"  {counts.damaged:,} damaged; {human_bytes(counts.bytes)} read")
        if counts.damaged:
            streams.print_line("To fetch damaged files again, with the profile or role of the run:")
            for repair in repairs:
                streams.print_line(f"  {show(repair)}")
    return 1 if counts.damaged else 0


def _repair(bucket: str, prefixes: "Sequence[str]", outcome: "Outcome", dest: Path) -> str:
    """The command that fetches a marked file again: what copied its prefix, or the one object."""
    key, path = outcome.ref.plain_key, outcome.path or ""
    for prefix in prefixes:
        if key.startswith(prefix) and not prefix.rpartition("/")[2]:
            return shlex.join(["s3haul", "cp", f"s3://{bucket}/{prefix}", str(dest)])
    name = "" if key.endswith(path) or path.startswith(MARK) else path
    return shlex.join(["s3haul", "cp", f"s3://{bucket}/{key}", f"{dest}/{name}"])


def _progress(counts: "AuditCounts", total: int, seconds: float) -> str:
    seen = counts.verified + counts.unchanged + counts.size_only + counts.damaged
    return (
        f"{human_count(seen)} of {human_count(total, 'file')}, {human_bytes(counts.bytes)} read, "
        f"{human_bytes(counts.bytes / seconds)}/s, {human_count(counts.damaged)} damaged"
    )
