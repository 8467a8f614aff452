"""Reads journals of versions 1 and 2, which have no table of kinds, and converts them to the current version.

Such rows are no longer written.
"""

import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from s3haul.journal.errors import damaged
from s3haul.journal.rows import KINDS_TABLE, OBJECTS_TABLE, PUT, PUT_KIND, KindNumbers, gone, to_row, unpack
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict

COUNTS = """SELECT state, reason, verdict, count(*), sum(size), sum(fetched) FROM objects WHERE listed = 1
    GROUP BY state, reason, verdict ORDER BY state, reason, verdict"""
_ONES = 0xFFFFFFFF


class OldRow(NamedTuple):
    """A row as stored. The fields are the columns of the table, in their order."""

    key: str
    size: int
    etag: str
    last_modified: float
    storage_class: str
    version_id: str | None
    state: str
    path: str | None
    reason: str | None
    detail: str | None
    verdict: str | None
    algorithm: str | None
    checksum_type: str | None
    checksum: str | None
    part_sizes: str
    computed: str
    sse: str
    kms_key_id: str
    attempts: int
    fetched: int
    run: int
    updated: float
    listed: int
    crc: int

    @property
    def is_sound(self) -> bool:
        """Whether the row is undamaged. A row that is no longer listed has the complement of its CRC."""
        crc = zlib.crc32(ascii(tuple(self[:-2])).encode("ascii"))
        return self.crc == {1: crc, 0: _ONES - crc}.get(self.listed, -1)


def checked(found: tuple[Any, ...], path: Path) -> OldRow:
    """Parse a row. Raises `JournalError` if it is damaged."""
    row = OldRow._make(found)
    if not row.is_sound:
        raise damaged(path, f"the row of {row.key!a} has a wrong CRC")
    return row


def to_outcome(row: OldRow) -> Outcome:
    """The outcome of an undamaged row."""
    checksum = None
    if row.algorithm is not None:
        checksum = Checksum(row.algorithm, row.checksum_type or "", row.checksum or "")
    return Outcome(
        ref=ObjectRef(
            row.key, row.size, row.etag, row.last_modified, row.storage_class, version_id=row.version_id
        ),
        state=State(row.state),
        path=row.path,
        reason=row.reason,
        detail=row.detail,
        verdict=Verdict(row.verdict) if row.verdict else None,
        checksum=checksum,
        part_sizes=unpack(row.part_sizes) if row.part_sizes else (),
        computed=row.computed,
        sse=row.sse,
        kms_key_id=row.kms_key_id,
        version_id=row.version_id,
        attempts=row.attempts,
        fetched=row.fetched,
    )


def bring_up_to_date(connection: sqlite3.Connection, base: str, path: Path) -> None:
    """Write all rows again, in the caller's transaction. Raises `JournalError` if one is damaged."""
    connection.execute("ALTER TABLE objects RENAME TO old_objects")
    connection.execute(KINDS_TABLE)
    connection.execute(OBJECTS_TABLE)
    connection.executemany(PUT, _anew(connection, base, path))
    connection.execute("DROP TABLE old_objects")


def _anew(connection: sqlite3.Connection, base: str, path: Path) -> Iterator[tuple[Any, ...]]:
    kinds = KindNumbers(base, lambda row: connection.execute(PUT_KIND, row))
    for found in connection.execute("SELECT * FROM old_objects ORDER BY key"):
        old = checked(found, path)
        outcome = to_outcome(old)
        row = to_row(outcome, kinds.of(outcome), base, old.run, old.updated)
        yield row if old.listed else gone(row)
