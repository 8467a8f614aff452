"""The completion report of an S3 Batch Operations job, as a list of the objects that the job dealt with.

Its columns are Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage, without a heading; keys
are encoded. Objects whose task failed (a restore that was refused, say) are counted and left out.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from s3haul.sources import fields
from s3haul.sources.key_list import csv_rows
from s3haul.sources.rows import ObjectRow, wrong

_COLUMNS = 7
_STATUSES = frozenset({"succeeded", "failed"})


def rows(file: BinaryIO, name: str, bucket: str, failed: Callable[[], None]) -> Iterator[ObjectRow]:
    """The objects of tasks that succeeded; `failed` is called for each of the others."""
    for number, cells in csv_rows(file, name):
        try:
            row = _row(cells, bucket)
        except ValueError as error:
            raise wrong(f"{name}, line {number:,}", str(error)) from None
        if row is None:
            failed()
        else:
            yield row


def _row(cells: Sequence[str], bucket: str) -> ObjectRow | None:
    if len(cells) != _COLUMNS or cells[3].lower() not in _STATUSES:
        raise ValueError(f"this is no line of a report: {_COLUMNS} columns, the 4th says how it ended")
    fields.own_bucket(cells[0], bucket)
    row = ObjectRow(fields.key(cells[1], encoded=True), fields.word(cells[2], "version"))
    return row if cells[3].lower() == "succeeded" else None
