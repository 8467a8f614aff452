"""The manifest as one Parquet file on stdout, written group by group: memory does not grow with the number of rows.

Imported only when it is asked for: pyarrow is large, and comes with the extra `parquet`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from s3haul.cli import streams

GROUP = 50_000  # rows
_TYPES = {"size": pa.int64(), "last_modified": pa.timestamp("ms", tz="UTC")}


class _Stdout:
    """What pyarrow writes to."""

    closed = False

    def __init__(self) -> None:
        self._written = 0

    def write(self, data: bytes) -> int:
        streams.put_bytes(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Stdout stays open."""


def put_parquet(columns: Sequence[str], rows: Iterator[dict[str, Any]]) -> None:
    """Write rows of these columns. Raises as `streams.put`."""
    schema = pa.schema([(column, _TYPES.get(column, pa.string())) for column in columns])
    with ParquetWriter(_Stdout(), schema, compression="zstd") as writer:
        while group := [_typed(row) for row in islice(rows, GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """With a time for a text, and without what no UTF-8 can spell."""
    spelled = {name: _spelled(value) if isinstance(value, str) else value for name, value in row.items()}
    modified = row["last_modified"]
    return spelled | {"last_modified": modified and datetime.fromisoformat(modified)}


def _spelled(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
