"""Everything that is read from a journal, through a connection that can only read.

Rows are read a page at a time, in the order of their keys: no list of all of them, and no read that
stays open and keeps SQLite from folding its log back while a run goes on. So a pass over all rows during
a run sees every row as of some moment, not all as of one moment.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from s3haul.journal import version2
from s3haul.journal.database import SourceIdentity, open_for_reading, source_of, version_of
from s3haul.journal.errors import damaged, translated
from s3haul.journal.kinds import KIND, LATEST_KINDS, REMEMBERED, NumberedKind, numbered
from s3haul.journal.parts import BLOCKS, PARTIALS, to_block
from s3haul.journal.rows import Row, is_sound, path_of, to_outcome
from s3haul.journal.storable import bound
from s3haul.models import Block, Outcome, Partial, State

PAGE = 1000

_ANY = "SELECT 1 FROM objects LIMIT 1"
_LISTED_BETWEEN = (
    "SELECT * FROM objects WHERE key > CAST(? AS TEXT) AND key <= CAST(? AS TEXT) AND listed = 1 ORDER BY key"
)
_LISTED_OF = "SELECT * FROM objects WHERE listed = 1 AND key IN"
_KEYS_AT_ONCE = 500  # parameters of a statement
_BELOW = "SELECT 1 FROM objects WHERE key >= ? AND key < ? AND listed = 1 LIMIT 1"  # "0" follows "/"
_KEYS_AFTER = "SELECT key FROM objects WHERE key > CAST(? AS TEXT) AND listed = 1 ORDER BY key LIMIT ?"
_KIND = Row._fields.index("kind")
_AFTER = "SELECT * FROM objects WHERE key > ? ORDER BY key LIMIT ?"
_COUNTS = """SELECT state, reason, verdict, count(*), sum(size), sum(fetched)
    FROM objects LEFT JOIN kinds ON kind = number WHERE listed = 1
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


class KnownRow(NamedTuple):
    """What an earlier run, or this one, wrote about a key that is (or was, until now) listed."""

    etag: str
    size: int
    path: str | None
    state: State
    reason: str | None = None


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
        self._kinds: dict[int, NumberedKind] = {}

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

    @cached_property
    def source(self) -> SourceIdentity:
        """Where the objects come from."""
        with self._lock, translated(self._path):
            return source_of(self._connection, self._path)

    @property
    def is_empty(self) -> bool:
        """Whether there is no row of any object."""
        return not self._query(_ANY)

    def known(self, first: str, last: str) -> dict[str, KnownRow]:
        """What is known of the listed keys with first < key <= last. Only of a journal that is up to date."""
        return self._known(self._query(_LISTED_BETWEEN, (bound(first), bound(last))))

    def known_of(self, keys: Sequence[str]) -> dict[str, KnownRow]:
        """As `known`, of just these keys."""
        return self._known(self._listed_of(keys))

    def _known(self, rows: list[tuple[Any, ...]]) -> dict[str, KnownRow]:
        base, known = self.source.base, dict[str, KnownRow]()
        for found in rows:
            kind, row = self._checked(found), Row._make(found)
            known[row.key] = KnownRow(
                row.etag, row.size, path_of(row, base), kind.kind.state, kind.kind.reason
            )
        return known

    def done_of(self, keys: Sequence[str]) -> set[tuple[str, str, int]]:
        """Key, ETag and size of those of these keys that are done and listed."""
        outcomes = self.outcomes_of(keys)
        return {(ref.key, ref.etag, ref.size) for ref, state, *_ in outcomes if state is State.DONE}

    def outcomes_of(self, keys: Sequence[str]) -> list[Outcome]:
        """What became of those of these keys that are listed."""
        return self._listed(self._listed_of(keys))

    def has_below(self, key: str) -> bool:
        """Whether a listed key begins with this one and a slash."""
        return bool(self._query(_BELOW, (f"{key}/", f"{key}0")))

    def keys_after(self, key: str, count: int) -> list[str]:
        """The listed keys behind `key`, at most so many."""
        return [found for (found,) in self._query(_KEYS_AFTER, (bound(key), count))]

    def _listed_of(self, keys: Sequence[str]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = tuple(keys[start : start + _KEYS_AT_ONCE])
            found += self._query(f"{_LISTED_OF} ({', '.join('?' * len(some))})", some)
        return found

    def outcomes(self) -> Iterator[Outcome]:
        """What became of every listed key, in key order."""
        key = ""
        while found := self._query(_AFTER, (key, PAGE)):
            yield from self._listed(found)
            key = found[-1][0]

    def counts(self) -> list[Count]:
        """The listed objects by how they ended."""
        with self._lock, translated(self._path), self._snapshot():
            sql = _COUNTS if version_of(self._connection) > 2 else version2.COUNTS
            counts = [Count._make(found) for found in self._connection.execute(sql)]
        if any(count.state is None for count in counts):
            raise damaged(self._path, "rows name a kind that is not there")
        return counts

    def latest_kinds(self) -> list[tuple[Any, ...]]:
        """Rows of the table of kinds, the latest first."""
        return self._query(LATEST_KINDS)

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        return [Run._make(found) for found in self._query(_RUNS)]

    def partials(self) -> list[Partial]:
        """The objects that are here in part, without their blocks."""
        return [Partial(*found) for found in self._query(PARTIALS)]

    def blocks(self, temporary: str) -> tuple[Block, ...]:
        """What the journal says that this temporary file holds."""
        return tuple(to_block(found) for found in self._query(BLOCKS, (temporary,)))

    def _listed(self, rows: list[tuple[Any, ...]]) -> list[Outcome]:
        """The outcomes of those of some rows that are listed; all of them must be as they were written."""
        if rows and len(rows[0]) == len(version2.OldRow._fields):
            old = [version2.checked(found, self._path) for found in rows]
            return [version2.to_outcome(row) for row in old if row.listed]
        base = self.source.base
        checked = [(Row._make(found), self._checked(found)) for found in rows]
        return [to_outcome(row, kind, base) for row, kind in checked if row.listed]

    def _checked(self, row: tuple[Any, ...]) -> NumberedKind:
        """The kind of a row. Raises `JournalError` unless both are as they were written."""
        kind = self._kinds.get(row[_KIND]) or self._read_kind(row[_KIND])
        if kind is None or not is_sound(row, kind):
            raise damaged(self._path, f"the row of {row[0]!a} is not as it was written")
        return kind

    def _read_kind(self, number: int) -> NumberedKind | None:
        for row in self._query(KIND, (number,)):
            with contextlib.suppress(ValueError):
                kind = numbered(row, self.source.base)
                if len(self._kinds) >= REMEMBERED:
                    self._kinds.clear()
                self._kinds[number] = kind
                return kind
        return None

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[None]:
        """All statements see one moment: a run may bring the journal up to date meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def _query(self, sql: str, parameters: tuple[str | bytes | int, ...] = ()) -> list[Any]:
        with self._lock, translated(self._path):
            return self._connection.execute(sql, parameters).fetchall()
