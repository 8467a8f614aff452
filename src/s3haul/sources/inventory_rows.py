"""The rows of one data file of an inventory, read in bounded memory: CSV, Parquet, ORC.

Rows of old versions and of delete markers are only counted. Files that unpack to far more than an inventory
can are refused. All functions raise ValueError for data that is not an inventory of this bucket.
"""

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from s3haul.errors import UsageError
from s3haul.sources.lists import Lines, csv_cells
from s3haul.sources.rows import (
    ObjectRow,
    Unread,
    check_bucket,
    parse_etag,
    parse_key,
    parse_size,
    parse_time,
    short_text,
)

MOST_UNPACKED = 200  # times the file's size; a row has an ETag, which hardly compresses
MARGIN = 1 << 20  # bytes that any file may unpack to
MOST_ROWS = 8  # per byte, in addition to 100,000
LARGEST_GROUP = 1 << 30  # bytes of a row group
BATCH = 1024  # rows
_READ = frozenset(
    {"bucket", "key", "islatest", "isdeletemarker", "size", "lastmodifieddate", "etag", "storageclass"}
)
_TRUE, _FALSE = frozenset({True, "true", "True", "TRUE"}), frozenset({False, "false", "False", "FALSE"})

Cells = Mapping[str, Any]


def plain(name: str) -> str:
    """The normalised name of a column: the formats write VersionId and version_id."""
    return name.strip().replace("_", "").lower()


def rows(path: Path, form: str, columns: tuple[str, ...], bucket: str, unread: Unread) -> Iterator[ObjectRow]:
    """The rows of a file. Raises `UsageError` if the library for its format is not installed."""
    match form:
        case "CSV":
            found = _csv(path, columns)
        case "Parquet":
            found = _parquet(path)
        case _:
            found = _orc(path)
    for number, cells in enumerate(found, 1):
        try:
            row = _row(cells, bucket, unread, encoded=form == "CSV")
        except ValueError as error:
            raise ValueError(f"row {number:,}: {error}") from None
        if row is not None:
            yield row


def _row(cells: Cells, bucket: str, unread: Unread, *, encoded: bool) -> ObjectRow | None:
    check_bucket(_text(cells.get("bucket")), bucket)
    if not _flag(cells.get("islatest"), usual=True):
        unread.old_versions += 1
        return None
    if _flag(cells.get("isdeletemarker"), usual=False):
        unread.delete_markers += 1
        return None
    return ObjectRow(
        parse_key(_text(cells.get("key")), encoded=encoded),
        "",
        parse_size(cells.get("size")),
        parse_etag(cells.get("etag")),
        parse_time(cells.get("lastmodifieddate")),
        short_text(cells.get("storageclass"), "storage class"),
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _flag(value: object, *, usual: bool) -> bool:
    if value is None or value == "":
        return usual
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise ValueError(f"{str(value)[:40]!a} is neither true nor false")


class _Unpacking(io.RawIOBase):
    """A gzip file that raises ValueError if it unpacks to too many bytes."""

    def __init__(self, path: Path) -> None:
        self._left = path.stat().st_size * MOST_UNPACKED + MARGIN
        self._file = gzip.open(path)  # noqa: SIM115 - closed with this

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self._file.readinto(buffer)
        self._left -= size
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {MOST_UNPACKED} times its size")
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _csv(path: Path, columns: tuple[str, ...]) -> Iterator[Cells]:
    with io.BufferedReader(_Unpacking(path)) as file:
        try:
            for cells in csv_cells(Lines(file)):
                if len(cells) != len(columns):
                    raise ValueError(f"a row has {len(cells)} columns, not {len(columns)}")
                yield dict(zip(columns, cells, strict=True))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"it cannot be unpacked: {error}") from None


def _parquet(path: Path) -> Iterator[Cells]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - same
    except ImportError:
        raise _not_installed("Parquet") from None
    try:
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            names = _columns(file.schema_arrow.names)
            _check_groups(file.metadata, path.stat().st_size)
            for batch in file.iter_batches(BATCH, columns=list(names), use_threads=False):
                found = {names[name]: batch.column(name).to_pylist() for name in names}
                for values in zip(*found.values(), strict=True):
                    yield dict(zip(found, values, strict=True))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it cannot be read: {str(error)[:200]!a}") from None


def _check_groups(metadata: Any, size: int) -> None:
    """Check the sizes in the metadata, before anything is unpacked."""
    groups = [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]
    if sum(groups) > size * MOST_UNPACKED + MARGIN or max(groups, default=0) > LARGEST_GROUP:
        raise ValueError(f"it unpacks to {sum(groups):,} bytes, far more than its size")
    _check_count(metadata.num_rows, size)


def _check_count(count: int, size: int) -> None:
    """Refuse more rows than different objects can have in a file of this size."""
    if count > size * MOST_ROWS + 100_000:
        raise ValueError(f"{count:,} rows are far more than fit into {size:,} bytes")


def _orc(path: Path) -> Iterator[Cells]:
    try:
        import pyorc  # noqa: PLC0415 - of an extra
    except ImportError:
        raise _not_installed("ORC") from None
    with path.open("rb") as file:
        try:
            schema: Any = pyorc.Reader(file).schema
            names = _columns(schema.fields)
            file.seek(0)
            reader = pyorc.Reader(file, BATCH, column_names=list(names), struct_repr=pyorc.StructRepr.DICT)
            _check_count(len(reader), path.stat().st_size)
            for found in reader:
                yield {names[name]: value for name, value in found.items()}
        except (RuntimeError, pyorc.errors.ORCError, TypeError, AttributeError) as error:
            raise ValueError(f"it cannot be read: {str(error)[:200]!a}") from None


def _columns(names: Any) -> dict[str, str]:
    """The columns of a file that are read, with their normalised names."""
    columns = {name: plain(name) for name in names if plain(name) in _READ}
    if not {"bucket", "key"} <= set(columns.values()) or len(set(columns.values())) != len(columns):
        raise ValueError("its columns lack bucket or key, or name one twice")
    return columns


def _not_installed(form: str) -> UsageError:
    return UsageError(
        f"To read an inventory in {form}, s3haul needs its extra inventory.",
        hint="pip install 's3haul[inventory]', or have the inventory written as CSV",
    )
