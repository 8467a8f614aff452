"""`s3haul manifest`: prints one line per key of the latest listing, from the journal, as JSON or CSV."""

import csv
import io
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from s3haul.cli import flags, streams

# One column per field, three for the checksum. `part_sizes` is only in the JSON output.
COLUMNS = (
    *("key", "version_id", "etag", "size", "last_modified", "path", "state", "reason", "verdict"),
    *("checksum_algorithm", "checksum_type", "checksum_value", "sse", "kms_key_id", "detail", "computed"),
)


class States(StrEnum):
    """The states of a key."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class Formats(StrEnum):
    """The format of a line."""

    JSONL = "jsonl"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("manifest")(manifest)


def manifest(
    dest: flags.State,
    *,
    state: Annotated[list[States] | None, typer.Option(help="Only keys in this state.")] = None,
    form: Annotated[Formats, typer.Option("--format", help="JSON lines, or CSV.")] = Formats.JSONL,
) -> int:
    """Print the outcome of every listed key, as JSON lines on stdout."""
    from s3haul.journal import manifest_entries, manifest_lines  # noqa: PLC0415 - start-up stays fast
    from s3haul.journal.location import existing_journal  # noqa: PLC0415 - same

    path, states = existing_journal(dest), frozenset(state or States)
    csv_wanted = form is Formats.CSV
    lines = _csv_lines(manifest_entries(path, states)) if csv_wanted else manifest_lines(path, states)
    for line in lines:
        streams.put(line)
    return 0


def _csv_lines(entries: Iterator[dict[str, Any]]) -> Iterator[str]:
    """RFC 4180, except that lines end with LF. A key with a line break is quoted."""
    yield ",".join(COLUMNS)
    for entry in entries:
        for name, value in (entry.pop("checksum") or {}).items():
            entry[f"checksum_{name}"] = value
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(entry.get(column) for column in COLUMNS)
        yield line.getvalue()
