"""Everything that is read from a journal, through a connection that can only read.

Rows are read a page at a time, in the order of their keys: no list of all of them, and no read that
stays open and keeps SQLite from folding its log back while a run goes on. So a pass over all rows during
a run sees every row as of some moment, not all as of one moment.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from s3haul.journal.database import SourceIdentity, open_for_reading, source_of
from s3haul.journal.parts import BLOCKS, PARTIALS, to_block
from s3haul.journal.rows import Row, to_outcome
from s3haul.journal.trouble import damaged, translated
from s3haul.models import Block, Outcome, Partial, State

PAGE = 1000

_BETWEEN = "SELECT * FROM objects WHERE key > ? AND key <= ? ORDER BY key"
_AFTER = "SELECT * FROM objects WHERE key > ? ORDER BY key LIMIT ?"
_COUNTS = """SELECT state, reason, verdict, count(*), sum(size), sum(fetched) FROM objects WHERE listed = 1
    GROUP BY state, reason, verdict ORDER BY state, reason, verdict"""
_RUNS = "SELECT number, started, ended, exit_code, complete, listed, listed_bytes FROM runs ORDER BY number"


class Count(NamedTuple):
    """Listed objects that ended alike: how many, their bytes, and the bytes received for them."""

    state: str
    reason: str | None
    verdict: str | None
    objects: int
    bytes: int
    fetched: int


class Run(NamedTuple):
    """One run. `ended` and what follows is None (`complete` 0) for a run that was killed."""

    number: int
    started: float
    ended: float | None
    exit_code: int | None
    complete: int
    listed: int | None
    listed_bytes: int | None


class Reader:
    """One journal, read-only. All methods raise `S3HaulError`: `JournalError` for damage."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_for_reading(path)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()

    @property
    def source(self) -> SourceIdentity:
        """Where the objects come from."""
        with self._lock, translated(self._path):
            return source_of(self._connection, self._path)

    def between(self, first: str, last: str) -> list[Row]:
        """The rows with first < key <= last, those that are no longer listed too."""
        return self._rows(_BETWEEN, (first, last))

    def done(self, first: str, last: str) -> set[tuple[str, str, int]]:
        """Key, ETag and size of what is done and listed, with first < key <= last."""
        rows = self.between(first, last)
        return {(row.key, row.etag, row.size) for row in rows if row.listed and row.state == State.DONE}

    def outcomes(self) -> Iterator[Outcome]:
        """What became of every listed key, in key order."""
        key = ""
        while rows := self._rows(_AFTER, (key, PAGE)):
            for row in rows:
                if row.listed:
                    yield to_outcome(row)
            key = rows[-1].key

    def counts(self) -> list[Count]:
        """The listed objects by how they ended."""
        return [Count._make(found) for found in self._query(_COUNTS)]

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        return [Run._make(found) for found in self._query(_RUNS)]

    def partials(self) -> list[Partial]:
        """The objects that are here in part, without their blocks."""
        return [Partial(*found) for found in self._query(PARTIALS)]

    def blocks(self, temporary: str) -> tuple[Block, ...]:
        """What the journal says that this temporary file holds."""
        return tuple(to_block(found) for found in self._query(BLOCKS, (temporary,)))

    def _rows(self, sql: str, parameters: tuple[str | int, ...]) -> list[Row]:
        rows = [Row._make(found) for found in self._query(sql, parameters)]
        for row in rows:
            if not row.is_sound:
                raise damaged(self._path, f"the row of {row.key!a} is not as it was written")
        return rows

    def _query(self, sql: str, parameters: tuple[str | int, ...] = ()) -> list[Any]:
        with self._lock, translated(self._path):
            return self._connection.execute(sql, parameters).fetchall()
