"""`s3haul verify`: read every hauled file again and hold it against the checksum in the journal."""

import json as jsonlib
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from s3haul.cli import flags, parsing, streams
from s3haul.core.text import colour_mark, human_bytes, human_count, show

if TYPE_CHECKING:  # help stays fast
    from s3haul.engine.audit import AuditCounts


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("verify")(verify)


def verify(dest: flags.State, *, json: flags.Json = False) -> int:
    """Re-read every hauled file and compare it with the checksum that S3 stored. Needs no network.

    Exit code 0: every file is as it was verified. 1: some file is damaged, missing or replaced.
    """
    from s3haul.disk import Tree  # noqa: PLC0415 - help stays fast
    from s3haul.engine.audit import audit  # noqa: PLC0415 - same
    from s3haul.engine.recheck import Finding, Grade  # noqa: PLC0415 - same
    from s3haul.journal import Reader  # noqa: PLC0415 - same
    from s3haul.models import State  # noqa: PLC0415 - same
    from s3haul.progress import Status  # noqa: PLC0415 - same

    status = Status(sys.stderr, terminal=streams.is_terminal(sys.stderr), shown=not json)

    def found(finding: Finding) -> None:
        if finding.grade is Grade.DAMAGED:
            line = f"x {show(finding.key)}: {show(finding.detail)} ({finding.problem})"
            with streams.unheard(sys.stderr):
                status.say(colour_mark(line) if streams.colour_allowed(sys.stderr) else line)

    with Reader(parsing.journal_of(dest)) as reader, Tree.open(dest) as tree:
        total = sum(count.objects for count in reader.counts() if count.state == State.DONE)

        def progress(counts: "AuditCounts") -> None:
            with streams.unheard(sys.stderr):
                status.update(lambda seconds: _progress(counts, total, seconds))

        try:
            counts = audit(reader, tree, found=found, progress=progress)
        finally:
            with streams.unheard(sys.stderr):
                status.close()
    if json:
        streams.put(jsonlib.dumps({"schema": 1, **asdict(counts)}))
    else:
        streams.put(
            f"{show(str(dest))}: {counts.verified:,} files match the checksum that S3 stores, "
            f"{counts.unchanged:,} match what was received, {counts.size_only:,} were checked by size, "
            f"{counts.damaged:,} are damaged; {human_bytes(counts.bytes)} read"
        )
    return 1 if counts.damaged else 0


def _progress(counts: "AuditCounts", total: int, seconds: float) -> str:
    seen = counts.verified + counts.unchanged + counts.size_only + counts.damaged
    return (
        f"{human_count(seen)} of {human_count(total, 'file')}, {human_bytes(counts.bytes)} read, "
        f"{human_bytes(counts.bytes / seconds)}/s, {human_count(counts.damaged)} damaged"
    )
