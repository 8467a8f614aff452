"""`s3haul verify`: read every hauled file again and hold it against the checksum in the journal."""

import json as jsonlib
from dataclasses import asdict

import typer

from s3haul.cli import flags, streams
from s3haul.core.text import human_bytes, show


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

    def found(finding: Finding) -> None:
        if finding.grade is Grade.DAMAGED:
            streams.tell(f"x {show(finding.key)}: {show(finding.detail)} ({finding.problem})")

    with Reader(flags.journal_of(dest)) as reader, Tree.open(dest) as tree:
        counts = audit(reader, tree, found=found)
    if json:
        streams.put(jsonlib.dumps({"schema": 1, **asdict(counts)}))
    else:
        streams.put(
            f"{show(str(dest))}: {counts.verified} files match the checksum that S3 stores, "
            f"{counts.unchanged} match what was received, {counts.size_only} were checked by size, "
            f"{counts.damaged} are damaged; {human_bytes(counts.bytes)} read"
        )
    return 1 if counts.damaged else 0
