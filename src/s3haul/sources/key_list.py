"""Lists of keys that people and programs write: one key a line, CSV, or the completion report of S3 Batch Operations.

The CSV is what S3 Batch Operations takes as a manifest: bucket, key and perhaps version. Its report has the columns
Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage, without a heading; keys are encoded.
Objects whose task failed (a restore that was refused, say) are counted and left out.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from s3haul.sources import fields
from s3haul.sources.rows import ObjectRow, list_error

LONGEST_LINE = 64 << 10  # bytes
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # with which some editors begin a UTF-8 file

_COLUMNS = 7
_STATUSES = frozenset({"succeeded", "failed"})


def text_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """Numbered lines with their line ends. Raises `SourceError` for a line that is too long or not UTF-8."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise list_error(f"{name}, line {number:,}", f"the line is longer than {LONGEST_LINE:,} bytes")
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        try:
            yield number, line.decode()
        except UnicodeDecodeError:
            raise list_error(f"{name}, line {number:,}", "the line is not UTF-8 text") from None


def lines(file: BinaryIO, name: str, *, encoded: bool) -> Iterator[ObjectRow]:
    """One key per line; empty lines are skipped."""
    for number, line in text_lines(file, name):
        text = line.removesuffix("\n").removesuffix("\r")
        if not text:
            continue
        try:
            yield ObjectRow(fields.key(text, encoded=encoded))
        except ValueError as error:
            raise list_error(f"{name}, line {number:,}", str(error)) from None


def table(file: BinaryIO, name: str, bucket: str, *, encoded: bool) -> Iterator[ObjectRow]:
    """`bucket,key` or `bucket,key,version` per line."""
    for number, cells in csv_rows(file, name):
        try:
            yield _row(cells, bucket, encoded=encoded)
        except ValueError as error:
            raise list_error(f"{name}, line {number:,}", str(error)) from None


def _row(cells: Sequence[str], bucket: str, *, encoded: bool) -> ObjectRow:
    if len(cells) not in {2, 3}:
        raise ValueError(f"it has {len(cells)} columns, not bucket,key or bucket,key,version")
    fields.check_bucket(cells[0], bucket)
    version = fields.short_text(cells[2], "version") if len(cells) > 2 else ""
    return ObjectRow(fields.key(cells[1], encoded=encoded), version)


def csv_rows(file: BinaryIO, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with the number of their last line."""
    reader = csv.reader((line for _, line in text_lines(file, name)), strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise list_error(f"{name}, line {reader.line_num:,}", f"not CSV: {error}") from None
        if cells is None:
            return
        if cells:
            yield reader.line_num, cells


def report_rows(file: BinaryIO, name: str, bucket: str, failed: Callable[[], None]) -> Iterator[ObjectRow]:
    """The objects of tasks that succeeded; `failed` is called for each of the others."""
    for number, cells in csv_rows(file, name):
        try:
            row = _report_row(cells, bucket)
        except ValueError as error:
            raise list_error(f"{name}, line {number:,}", str(error)) from None
        if row is None:
            failed()
        else:
            yield row


def _report_row(cells: Sequence[str], bucket: str) -> ObjectRow | None:
    if len(cells) != _COLUMNS or cells[3].lower() not in _STATUSES:
        raise ValueError(
            f"this is not a line of a report: those have {_COLUMNS} columns, the 4th is succeeded or failed"
        )
    fields.check_bucket(cells[0], bucket)
    row = ObjectRow(fields.key(cells[1], encoded=True), fields.short_text(cells[2], "version"))
    return row if cells[3].lower() == "succeeded" else None
