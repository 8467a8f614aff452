"""`s3haul manifest`: prints one line per key of the latest listing, from the journal,
as JSON, CSV or Parquet."""

import csv
import io
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer

from s3haul.cli import flags, streams
from s3haul.diagnose.reasons import REASONS
from s3haul.errors import UsageError

# One column per field, three for the checksum. `part_sizes` is only in the JSON output.
COLUMNS = (
    *("key", "version_id", "etag", "size", "last_modified", "path", "state", "reason", "verdict"),
    *("checksum_algorithm", "checksum_type", "checksum_value", "sse", "kms_key_id", "storage_class"),
    *("content_type", "user_metadata", "detail", "computed"),
)
PARQUET_GROUP = 50_000  # rows


class States(StrEnum):
    """How a key ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    VANISHED = "vanished"


class Formats(StrEnum):
    """The format of a line."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


EPILOG = """\b
Examples:
  s3haul manifest ./data
  s3haul manifest ./data --state failed --format csv > failed.csv
  s3haul manifest ./data | jq -r 'select(.state == "failed") | .key'
"""


def _reasons(incomplete: str) -> list[str]:
    return [reason for reason in REASONS if reason.startswith(incomplete)]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("manifest", epilog=EPILOG)(manifest)


def manifest(
    dest: flags.State,
    *,
    state: Annotated[list[States] | None, typer.Option(help="Only keys with this result.")] = None,
    reason: Annotated[
        list[str] | None,
        typer.Option(metavar="REASON", help="Only keys with this reason.", autocompletion=_reasons),
    ] = None,
    form: Annotated[
        Formats, typer.Option("--format", help="JSON lines, or one table as CSV or Parquet.")
    ] = Formats.JSONL,
) -> int:
    """Print the result of every listed key, as JSON lines, CSV or Parquet on stdout."""
    from s3haul.journal import manifest_entries, manifest_lines  # noqa: PLC0415 - start-up stays fast
    from s3haul.journal.database import existing_journal  # noqa: PLC0415 - same

    chosen = existing_journal(dest), frozenset(state or States), frozenset(reason or ())
    if form is Formats.PARQUET:
        _put_parquet(map(flat, manifest_entries(*chosen)))
        return 0
    lines = _csv_lines(manifest_entries(*chosen)) if form is Formats.CSV else manifest_lines(*chosen)
    for line in lines:
        streams.print_data(line)
    return 0


def flat(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as a row of `COLUMNS`."""
    checksum, metadata = entry.get("checksum") or {}, entry.get("user_metadata")
    row = {column: entry.get(column) for column in COLUMNS}
    row |= {f"checksum_{name}": value for name, value in checksum.items()}
    return row | {"user_metadata": metadata and json.dumps(metadata)}


def _put_parquet(rows: Iterator[dict[str, Any]]) -> None:
    """One Parquet file on stdout, written group by group: memory does not grow with the number of rows."""
    if sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal.", hint="send it to a file: > manifest.parquet")
    try:
        import pyarrow as pa  # noqa: PLC0415 - a large library, which is optional
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415 - same
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"--format parquet needs {missing.name}, which is not installed.",
            hint="pip install 's3haul[parquet]', or take --format csv",
        ) from None
    types = {"size": pa.int64(), "last_modified": pa.timestamp("ms", tz="UTC")}
    schema = pa.schema([(column, types.get(column, pa.string())) for column in COLUMNS])
    with ParquetWriter(_Stdout(), schema, compression="zstd") as writer:
        while group := [_typed(row) for row in islice(rows, PARQUET_GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


class _Stdout:
    """The file that pyarrow writes to."""

    closed = False

    def __init__(self) -> None:
        self._written = 0

    def write(self, data: bytes) -> int:
        streams.write_bytes(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Stdout stays open."""


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with a time instead of its text; what UTF-8 cannot encode is escaped."""
    encodable = {name: _encodable(value) if isinstance(value, str) else value for name, value in row.items()}
    modified = row["last_modified"]
    return encodable | {"last_modified": modified and datetime.fromisoformat(modified)}


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _csv_lines(entries: Iterator[dict[str, Any]]) -> Iterator[str]:
    """RFC 4180, except that lines end with LF. A key with a line break is quoted."""
    yield ",".join(COLUMNS)
    for entry in entries:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(flat(entry).values())
        yield line.getvalue()
