"""`s3haul verify`: reads every downloaded file again and compares it with the checksum in the journal."""

import json as jsonlib
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from s3haul.cli import flags, streams
from s3haul.core.keypath import key_of, stored_path
from s3haul.core.text import colour_mark, command_line, human_bytes, human_count, is_text, show
from s3haul.diagnose.reasons import DAMAGED
from s3haul.errors import S3HaulError
from s3haul.models import Outcome

if TYPE_CHECKING:  # help stays fast
    from s3haul.audit import AuditCounts

MOST_NAMED = 20  # files with a name of their own that one command line fetches again

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

    Damaged files are marked, so that the next `s3haul cp` fetches them again. Exit code 0: all files are
    intact. 1: a file is damaged, missing or replaced.
    """
    from s3haul.audit import Finding, Grade  # noqa: PLC0415 - help stays fast
    from s3haul.audit import verify as verify_files  # noqa: PLC0415 - same
    from s3haul.cli.listeners import status_line  # noqa: PLC0415 - same
    from s3haul.journal import Reader  # noqa: PLC0415 - same
    from s3haul.journal.database import existing_journal  # noqa: PLC0415 - same
    from s3haul.models import State  # noqa: PLC0415 - same

    with Reader(existing_journal(dest)) as reader:
        done = [count for count in reader.counts() if count.state == State.DONE]
        total = sum(count.objects for count in done if count.verdict)  # directories have none
        prefixes = [prefix for prefix in reader.prefixes() if _is_prefix(prefix)]
        repair = Repair(dest, reader.source.bucket, prefixes)

    def found(finding: Finding) -> None:
        if finding.grade is Grade.DAMAGED:
            repair.add(finding.outcome)
            line = f"x {show(finding.key)}: {show(finding.detail)} ({finding.problem})"
            status.say(colour_mark(line) if streams.colour_allowed(sys.stderr) else line)

    def unmarked(error: S3HaulError) -> None:
        repair.marked = False
        status.say(f"! Damaged files cannot be marked for the next run: {show(error.message)}   [{error.id}]")

    def progress(counts: "AuditCounts") -> None:
        status.update(lambda seconds: _progress(counts, total, seconds))

    with status_line(shown=not json) as status:
        counts = verify_files(dest, found=found, progress=progress, unmarked=unmarked)
    if json:
        streams.print_line(jsonlib.dumps({"schema": 1, **asdict(counts), "repair": repair.command}))
    else:
        streams.print_line(
            f"{show(str(dest))}: {human_count(counts.verified, 'file')} verified against the checksum that S3 stores"
        )
        for count, what in (
            (counts.as_received, "verified against what was received, since S3 stores no checksum"),
            (counts.size_only, "checked by size alone"),
            (counts.directories, "directories are there"),
            (counts.not_done, "without a file: skipped or failed"),
        ):
            if count:
                streams.print_line(f"  {count:,} {what}")
        streams.print_line(f"  {counts.damaged:,} damaged; {human_bytes(counts.bytes)} read")
        if counts.damaged:
            for line in repair.lines():
                streams.print_line(line)
    return 1 if counts.damaged else 0


@dataclass(slots=True)
class Repair:
    """The way to fetch the damaged files again, and nothing else: by a list of them for each copied prefix,
    which the manifest is. A single object is fetched by its own command; only the command of the run knows
    all else (the versions of --all-versions, what a list cannot name).
    """

    dest: Path
    bucket: str
    prefixes: Sequence[str]  # that runs copied
    marked: bool = True  # in the journal
    listed: dict[str, None] = field(default_factory=dict)  # prefixes, in order
    named: list[tuple[str, str]] = field(default_factory=list)  # the key and the name of the file
    others: bool = False

    def add(self, outcome: Outcome) -> None:
        """A damaged file."""
        key, name = outcome.ref.key, outcome.path or ""
        own = (one for one in self.prefixes if key.startswith(one) and _is_own_path(outcome, one))
        if outcome.ref.of_all_versions or not is_text(key):
            self.others = True
        elif (prefix := next(own, None)) is not None:
            self.listed[prefix] = None
        elif (
            len(self.named) == MOST_NAMED or (self.dest / name).is_dir()
        ):  # `cp` would write into the directory
            self.others = True
        else:
            self.named.append((key, name))

    @property
    def command(self) -> str | None:
        """A command line for a shell; None if nothing is damaged,
        or no command fetches exactly these files."""
        if self.others or not self.marked:
            return None
        bucket, dest = f"s3://{self.bucket}", str(self.dest)
        commands = [
            command_line(("s3haul", "cp", f"{bucket}/{key}", str(self.dest / name)))
            for key, name in self.named
        ]
        manifest = command_line(("s3haul", "manifest", dest, "--reason", DAMAGED))
        for prefix in self.listed:
            take = ("s3haul", "cp", f"{bucket}/{prefix}", dest, "--files-from", "-")
            commands.append(f"{manifest} | {command_line((*take, '--files-format', 'manifest'))}")
        return " && ".join(commands) or None  # single objects first: the list would name them by their keys

    def lines(self) -> tuple[str, ...]:
        """What to do, for a person."""
        if not self.marked:
            return ("Run s3haul verify again when it can write to the journal: then they are fetched again.",)
        if self.command is None:
            return ("The s3haul cp command that copied them fetches the damaged files again.",)
        return (
            "To fetch exactly these files again, with the profile or role of the run:",
            f"  {self.command}",
        )


def _is_prefix(copied: str) -> bool:
    """Whether this was copied recursively; else it is a single key."""
    return not copied or copied.endswith("/")


def _is_own_path(outcome: Outcome, base: str) -> bool:
    """Whether a run would give the object this path again."""
    key = outcome.ref.key
    try:
        path = stored_path(outcome.path or "", directory=outcome.ref.size == 0 and key.endswith("/"))
        return len(path.parts) != 1 or key_of(path, base=base) == key
    except ValueError:  # not a path of any key, so it is replaced
        return True


def _progress(counts: "AuditCounts", total: int, seconds: float) -> str:
    seen = counts.verified + counts.as_received + counts.size_only + counts.damaged
    return (
        f"{human_count(seen)} of {human_count(total, 'file')}, {human_bytes(counts.bytes)} read, "
        f"{human_bytes(counts.bytes / seconds)}/s, {human_count(counts.damaged)} damaged"
    )
