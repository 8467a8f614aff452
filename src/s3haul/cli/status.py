"""A run, seen from another terminal: `s3haul status` shows its progress, or how the last run ended;
`s3haul limit` changes its limits.

`status` reads the journal, which is a few seconds behind the run. It does not disturb the run.
"""

import json as jsonlib
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s3haul.cli import flags, streams
from s3haul.cli.parsing import parse_bwlimit
from s3haul.core.text import human_bytes, human_count, human_duration, show
from s3haul.errors import JournalError, UsageError

if TYPE_CHECKING:  # help stays fast
    from s3haul.journal import Reader
    from s3haul.journal.reader import Count, Run

OFF = "off"  # removes a limit
STATES = ("done", "skipped", "failed", "vanished")
EPILOG = """\b
Examples:
  s3haul status ./data
  watch s3haul status ./data
"""
LIMIT_EPILOG = """\b
Examples:
  s3haul limit ./data --bwlimit 20MB/s
  s3haul limit ./data --max-rps 200 --max-kms-rps 50
  s3haul limit ./data --concurrency 16
  s3haul limit ./data --bwlimit off
"""

Concurrency = Annotated[
    str | None,
    typer.Option("--concurrency", metavar="N|off", help="Parallel requests, up to --concurrency of the run."),
]
Rps = Annotated[str | None, typer.Option("--max-rps", metavar="N|off", help="Maximum requests per second.")]
KmsRps = Annotated[
    str | None,
    typer.Option("--max-kms-rps", metavar="N|off", help="Maximum requests per second that cost a KMS call."),
]
Bandwidth = Annotated[
    str | None, typer.Option("--bwlimit", metavar="RATE|off", help="Maximum bytes per second: 500K, 10MB/s.")
]


def register(app: typer.Typer) -> None:
    """Add both commands to the application."""
    app.command("status", epilog=EPILOG)(status)
    app.command("limit", epilog=LIMIT_EPILOG)(limit)


def status(dest: flags.State, *, json: flags.Json = False) -> int:
    """Show the progress of a run, or how the last run ended."""
    from s3haul.disk.root import holder_of  # noqa: PLC0415 - help stays fast
    from s3haul.journal import Reader  # noqa: PLC0415 - same
    from s3haul.journal.database import existing_journal  # noqa: PLC0415 - same

    holder = holder_of(dest)
    try:
        with Reader(existing_journal(dest)) as reader:
            found = look(reader, holder)
    except JournalError:
        if holder is None:
            raise
        found = Progress("", holder, [], [], 0, 0)  # the run has not created its journal yet
    if json:
        streams.print_line(jsonlib.dumps(found.as_object(str(dest))))
    else:
        streams.print_report("\n".join(found.lines(str(dest), time.time())))
    return 0


@dataclass(frozen=True, slots=True)
class Progress:
    """The content of a journal, summarised. `holder` is the process that holds the lock, or None. `partial`
    objects are not complete; `partial_bytes` counts their bytes that are here."""

    source: str
    holder: str | None
    runs: "list[Run]"
    counts: "list[Count]"
    partial: int
    partial_bytes: int

    def of(self, state: str) -> tuple[int, int]:
        """The number of objects in this state, and their bytes."""
        found = [count for count in self.counts if count.state == state]
        return sum(count.objects for count in found), sum(count.bytes for count in found)

    def reasons(self, state: str) -> dict[str, int]:
        """The reasons, with the number of objects each; for done objects the verdicts, which
        directories do not have."""
        found: dict[str, int] = {}
        for count in self.counts:
            why = count.verdict or "directories" if state == "done" else count.reason
            if count.state == state and why:
                found[why] = found.get(why, 0) + count.objects
        return found

    def lines(self, root: str, now: float) -> Iterator[str]:
        """As text."""
        yield f"{show(self.source) or '...'} -> {show(root)}"
        yield f"  run       {self._run(now)}"
        for state in STATES:
            objects, size = self.of(state)
            if objects or state == "done":
                why = ", ".join(f"{reason}: {count:,}" for reason, count in self.reasons(state).items())
                yield f"  {state:<9} {human_count(objects, 'object')}, {human_bytes(size)}{why and f' ({why})'}"
        if self.partial:
            yield f"  in part   {human_count(self.partial, 'object')}, of which {human_bytes(self.partial_bytes)} are here"
        complete = [run for run in self.runs if run.complete and run.listed is not None]
        if complete:
            yield f"  listed    {human_count(complete[-1].listed or 0, 'object')} by run {complete[-1].number}"

    def _run(self, now: float) -> str:
        if not self.runs:
            return "none was started" if self.holder is None else f"starting, {show(self.holder)}"
        run = self.runs[-1]
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started))
        if self.holder is not None and run.ended is None:
            age = human_duration(now - run.started)
            return f"{run.number}, running since {since} ({age}), {show(self.holder)}"
        if self.holder is not None:
            return f"{run.number + 1} is starting, {show(self.holder)}"
        if run.ended is None:
            return f"{run.number}, begun {since}, was interrupted; the same s3haul cp command resumes"
        took = human_duration(run.ended - run.started)
        return f"{run.number}, begun {since}, ended after {took} with exit code {run.exit_code}"

    def as_object(self, root: str) -> dict[str, Any]:
        """As JSON values."""
        return {
            "schema": 1,
            "source": self.source,
            "destination": root,
            "under_way": self.holder is not None,
            "holder": self.holder,
            "runs": [run.as_object() for run in self.runs],
            "objects": {
                state: {
                    "objects": self.of(state)[0],
                    "bytes": self.of(state)[1],
                    "by": self.reasons(state),
                }
                for state in STATES
            },
            "in_part": {"objects": self.partial, "bytes": self.partial_bytes},
        }


def look(reader: "Reader", holder: str | None) -> Progress:
    """Summarise a journal. Raises `JournalError`."""
    partials = reader.partials()
    partial_bytes = sum(block.size for each in partials for block in reader.blocks(each.temporary))
    return Progress(
        reader.url,
        holder,
        reader.runs(),
        reader.counts(),
        len(partials),
        partial_bytes,
    )


def limit(
    dest: flags.State,
    *,
    concurrency: Concurrency = None,
    max_rps: Rps = None,
    max_kms_rps: KmsRps = None,
    bwlimit: Bandwidth = None,
) -> int:
    """Change the limits of the run that works on DEST; they apply within two seconds."""
    from s3haul.disk.limits_file import LimitsFile  # noqa: PLC0415 - same
    from s3haul.disk.root import holder_of  # noqa: PLC0415 - help stays fast

    given = {"concurrency": concurrency, "max_rps": max_rps, "max_kms_rps": max_kms_rps}
    limits = {
        name: _number(f"--{name.replace('_', '-')}", text) for name, text in given.items() if text is not None
    }
    if bwlimit is not None:
        limits["bandwidth"] = None if bwlimit == OFF else parse_bwlimit(bwlimit)
    if not limits:
        raise UsageError(
            "No limit is given.",
            hint=f"s3haul limit {shlex.quote(str(dest))} --bwlimit 20MB/s; off removes a limit",
        )
    holder = holder_of(dest)
    if holder is None:
        raise UsageError(f"No run works on {dest}.", hint="give the flags to s3haul cp instead")
    LimitsFile(dest).add(limits)
    streams.print_line(f"new limits sent to {show(holder) or 'the run'}")
    return 0


def _number(flag: str, text: str) -> float | None:
    if text == OFF:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    least = 1.0 if flag == "--concurrency" else 0.01
    if not least <= value < float("inf"):
        raise UsageError(
            f"{flag} {text!r} is not a number from {least:g} up.", hint=f"{flag} 50, or {flag} off"
        )
    return value
