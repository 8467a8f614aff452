"""Lists of keys that people and programs write: one key a line, or CSV of bucket, key and perhaps version.

The CSV is what S3 Batch Operations takes as a manifest. Only what cannot be meant is refused, with its line.
"""

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from s3haul.sources import fields
from s3haul.sources.rows import ObjectRow, wrong

LONGEST_LINE = 64 << 10  # bytes
_MARK = b"\xef\xbb\xbf"  # with which some editors begin a UTF-8 file


def text_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """Numbered lines with their ends. Raises `SourceError` for what is no text, or no list."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise wrong(f"{name}, line {number:,}", f"the line is longer than {LONGEST_LINE:,} bytes")
        if number == 1:
            line = line.removeprefix(_MARK)
        try:
            yield number, line.decode()
        except UnicodeDecodeError:
            raise wrong(f"{name}, line {number:,}", "the line is no UTF-8 text") from None


def lines(file: BinaryIO, name: str, *, encoded: bool) -> Iterator[ObjectRow]:
    """One key a line; empty lines are passed over."""
    for number, line in text_lines(file, name):
        text = line.removesuffix("\n").removesuffix("\r")
        if not text:
            continue
        try:
            yield ObjectRow(fields.key(text, encoded=encoded))
        except ValueError as error:
            raise wrong(f"{name}, line {number:,}", str(error)) from None


def table(file: BinaryIO, name: str, bucket: str, *, encoded: bool) -> Iterator[ObjectRow]:
    """`bucket,key` or `bucket,key,version` a line."""
    for number, cells in csv_rows(file, name):
        try:
            yield _row(cells, bucket, encoded=encoded)
        except ValueError as error:
            raise wrong(f"{name}, line {number:,}", str(error)) from None


def _row(cells: Sequence[str], bucket: str, *, encoded: bool) -> ObjectRow:
    if len(cells) not in {2, 3}:
        raise ValueError(f"it has {len(cells)} columns, not bucket,key or bucket,key,version")
    fields.own_bucket(cells[0], bucket)
    version = fields.word(cells[2], "version") if len(cells) > 2 else ""
    return ObjectRow(fields.key(cells[1], encoded=encoded), version)


def csv_rows(file: BinaryIO, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that have cells, with the number of their last line."""
    reader = csv.reader((line for _, line in text_lines(file, name)), strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise wrong(f"{name}, line {reader.line_num:,}", f"no CSV: {error}") from None
        if cells is None:
            return
        if cells:
            yield reader.line_num, cells
