"""Reads a journal, through a read-only connection.

Rows are read in pages, in the order of their keys. Memory is bounded, and no read transaction stays open:
while one is open, SQLite cannot move the log into the database file (checkpoint), and the log would grow
during a run. As a consequence, a pass over all rows during a run does not see all rows at the same moment.
"""

import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from s3haul.core.key_ranges import prefix_end
from s3haul.core.text import iso_time
from s3haul.diagnose.reasons import DAMAGED
from s3haul.journal import version2
from s3haul.journal.database import SourceIdentity, is_empty, open_for_reading, source_of, version_of
from s3haul.journal.errors import damaged, other_source, translated
from s3haul.journal.performance import Performance, read_performance
from s3haul.journal.rows import (
    BLOCKS,
    KIND,
    LATEST_KINDS,
    PARTIALS,
    REMEMBERED,
    NumberedKind,
    Row,
    end_of_keys,
    is_sound,
    key_bytes,
    numbered,
    path_of,
    to_block,
    to_outcome,
)
from s3haul.models import Block, Outcome, Partial, State

PAGE = 1000

_LISTED_BETWEEN = """SELECT * FROM objects
    WHERE key >= CAST(? AS TEXT) AND key < CAST(? AS TEXT) AND listed = 1 ORDER BY key"""
_LISTED_OF = "SELECT * FROM objects WHERE listed = 1 AND key IN"
_KEYS_AT_ONCE = 500  # parameters of a statement
_KEYS_BETWEEN = """SELECT key FROM objects
    WHERE key >= CAST(? AS TEXT) AND key < CAST(? AS TEXT) AND listed = 1 ORDER BY key LIMIT ?"""
_AFTER = "SELECT * FROM objects WHERE key > CAST(? AS TEXT) ORDER BY key LIMIT ?"
_COUNTS = """SELECT state, reason, verdict, count(*), sum(size), sum(fetched)
    FROM objects LEFT JOIN kinds ON kind = number WHERE listed = 1
    GROUP BY state, reason, verdict ORDER BY state, reason, verdict"""
_RUNS = (
    "SELECT number, started, ended, exit_code, complete, listed, listed_bytes, {} FROM runs ORDER BY number"
)
_AT_PATHS = "SELECT * FROM objects WHERE listed = 1 AND path != '' AND path IN"
_ANY_OTHER_PATH = "SELECT 1 FROM objects WHERE path != '' LIMIT 1"


class Count(NamedTuple):
    """Listed objects with the same outcome: how many, their bytes, and the bytes received for them."""

    state: str
    reason: str | None
    verdict: str | None
    objects: int
    bytes: int
    fetched: int


class KnownRow(NamedTuple):
    """What this run or an earlier one recorded about a key that is still marked as listed."""

    etag: str
    size: int
    path: str | None
    state: State
    reason: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether an earlier run wrote the file at the path, even if it was damaged since."""
        return self.state is State.DONE or self.reason == DAMAGED


class Run(NamedTuple):
    """One run of one prefix, or of one key, with times in seconds since 1970. If it was killed, `ended` and
    the fields after it are None, and it is not `complete`."""

    number: int
    started: float
    ended: float | None
    exit_code: int | None
    complete: bool
    listed: int | None
    listed_bytes: int | None
    prefix: str = ""

    def as_object(self) -> dict[str, Any]:
        """As JSON values."""
        ended = None if self.ended is None else iso_time(self.ended)
        return {**self._asdict(), "started": iso_time(self.started), "ended": ended}


class Reader:
    """One journal, read-only. All methods raise `S3HaulError`, `JournalError` if it is damaged."""

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
        """Close the file."""
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
        with self._lock, translated(self._path):
            return is_empty(self._connection)

    def known(self, first: str, end: str | None) -> dict[str, KnownRow]:
        """What is known of the listed keys with first <= key < end (None: without end). Only of a journal
        that is up to date. A key that is listed again after it was gone is unknown, so that its file is
        verified first."""
        return self._known(self._query(_LISTED_BETWEEN, (key_bytes(first), end_of_keys(end))))

    def known_of(self, keys: Sequence[str]) -> dict[str, KnownRow]:
        """As `known`, of just these keys."""
        return self._known(self._listed_of(keys))

    def done_of(self, keys: Sequence[str]) -> set[tuple[str, str, int]]:
        """Key, ETag and size of those of these keys that are done and listed."""
        outcomes = self.outcomes_of(keys)
        return {(ref.key, ref.etag, ref.size) for ref, state, *_ in outcomes if state is State.DONE}

    def outcomes_of(self, keys: Sequence[str]) -> list[Outcome]:
        """The outcomes of those of these keys that are listed."""
        return self._listed(self._listed_of(keys))

    def owners_of(self, paths: Sequence[str]) -> dict[str, str]:
        """The keys of the objects whose files are at those of these paths that have one."""
        base = self.source.base
        rows = self._listed_of([base + path for path in paths]) + self._some(_AT_PATHS, paths)
        known = self._known(rows).items()
        wanted = frozenset(paths)
        return {row.path: key for key, row in known if row.path in wanted and row.is_here}

    def shares_paths(self, base: str) -> bool:
        """Whether objects that are not below `base` may have the paths of some that are.
        Only of a journal that is up to date."""
        with self._lock, translated(self._path):
            if version_of(self._connection) < 5:
                return False
        return base != self.source.base or bool(self._query(_ANY_OTHER_PATH))

    def has_below(self, key: str) -> bool:
        """Whether a listed key begins with this one and a slash."""
        return bool(self.keys_between(f"{key}/", f"{key}0", 1))  # "0" follows "/"

    def keys_between(self, first: str, end: str | None, count: int) -> list[str]:
        """The listed keys with first <= key < end (None: without end), at most so many."""
        return [found for (found,) in self._query(_KEYS_BETWEEN, (key_bytes(first), end_of_keys(end), count))]

    def _known(self, rows: list[tuple[Any, ...]]) -> dict[str, KnownRow]:
        base, known = self.source.base, dict[str, KnownRow]()
        for found in rows:
            row = Row._make(found)
            kind, path = self._checked(row).kind, path_of(row.key, row.path, base)
            known[row.key] = KnownRow(row.etag, row.size, path, kind.state, kind.reason)
        return known

    def _listed_of(self, keys: Sequence[str]) -> list[tuple[Any, ...]]:
        return self._some(_LISTED_OF, keys)

    def _some(self, sql: str, texts: Sequence[str]) -> list[tuple[Any, ...]]:
        """The rows of a query that ends in IN, for these keys or paths."""
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(texts), _KEYS_AT_ONCE):
            some = tuple(map(key_bytes, texts[start : start + _KEYS_AT_ONCE]))
            places = ", ".join("?" if isinstance(text, str) else "CAST(? AS TEXT)" for text in some)
            found += self._query(f"{sql} ({places})", some)
        return found

    def outcomes(self) -> Iterator[Outcome]:
        """The outcome of every listed key, in key order."""
        key = ""
        while found := self._query(_AFTER, (key_bytes(key), PAGE)):
            yield from self._listed(found)
            key = found[-1][0]

    def counts(self) -> list[Count]:
        """The listed objects, grouped by outcome."""
        with self._lock, translated(self._path), self._snapshot():
            sql = _COUNTS if version_of(self._connection) > 2 else version2.COUNTS
            counts = [Count._make(found) for found in self._connection.execute(sql)]
        if any(count.state is None for count in counts):
            raise damaged(self._path, "rows refer to a kind that does not exist")
        return counts

    def latest_kinds(self) -> list[tuple[Any, ...]]:
        """Rows of the table of kinds, the latest first."""
        return self._query(LATEST_KINDS)

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        with self._lock, translated(self._path):
            prefix = "prefix" if version_of(self._connection) > 4 else "NULL"
        base, found = self.source.base, self._query(_RUNS.format(prefix))
        runs = (Run._make((*rest, base if prefix is None else prefix)) for *rest, prefix in found)
        return [run._replace(complete=bool(run.complete)) for run in runs]

    def prefixes(self) -> list[str]:
        """What the runs copied: prefixes, which end in "/" or are empty, and single keys; the first one
        first. Without those that had no object."""
        return list(dict.fromkeys(run.prefix for run in self.runs() if run.listed != 0))

    @property
    def url(self) -> str:
        """The URL of what all runs copied, or of the prefix above that."""
        prefixes = self.prefixes() or [self.source.base]
        pairs = zip(min(prefixes), max(prefixes), strict=False)
        common = "".join(one for one, other in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        return f"s3://{self.source.bucket}/{common[: common.rfind('/') + 1]}"

    def refuse_nested(self, source: SourceIdentity) -> None:
        """Raise `JournalError` if objects of the source are here with other paths, because an earlier run
        copied a prefix above or below it: a journal has one path for each key. A single object may move."""
        for prefix in self.prefixes() if source.key is None else ():
            outer, inner = sorted((prefix, source.base), key=len)
            if outer == inner or not inner.startswith(outer) or prefix.rpartition("/")[2]:
                continue
            if self.keys_between(inner, prefix_end(inner), 1):
                place = f"s3://{source.bucket}/"
                raise other_source(
                    f"{self._path} has objects of {place}{prefix}: {place}{source.base} would copy the same keys to"
                    " other paths",
                    self._path,
                )

    def performance(self, run: int) -> Performance:
        """How a run went, as far as it was written down; earlier versions did not."""
        with self._lock, translated(self._path):
            known = version_of(self._connection) > 3
            return read_performance(self._connection, run) if known else Performance()

    def partials(self) -> list[Partial]:
        """The partial objects, without their blocks."""
        return [Partial(*found) for found in self._query(PARTIALS)]

    def blocks(self, temporary: str) -> tuple[Block, ...]:
        """The blocks that were recorded for this temporary file."""
        return tuple(to_block(found) for found in self._query(BLOCKS, (temporary,)))

    def _listed(self, rows: list[tuple[Any, ...]]) -> list[Outcome]:
        """The outcomes of the listed rows among `rows`. Raises `JournalError` if any row is damaged."""
        if rows and len(rows[0]) == len(version2.OldRow._fields):
            old = [version2.checked(found, self._path) for found in rows]
            return [version2.to_outcome(row) for row in old if row.listed]
        base = self.source.base
        checked = [(row, self._checked(row)) for row in itertools.starmap(Row, rows)]
        return [to_outcome(row, kind, base) for row, kind in checked if row.listed]

    def _checked(self, row: Row) -> NumberedKind:
        """The kind of a row. Raises `JournalError` unless both are as they were written."""
        kind = self._kinds.get(row.kind) or self._read_kind(row.kind)
        if kind is None or not is_sound(row, kind):
            raise damaged(self._path, f"the row of {row.key!a} is not as it was written")
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
        """All statements read the same state, even if a run converts the journal to a
        newer version meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def _query(self, sql: str, parameters: tuple[str | int | bytes, ...] = ()) -> list[Any]:
        with self._lock, translated(self._path):
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except sqlite3.OperationalError as error:
                if "UTF-8" not in str(error):  # what sqlite3 says of text that it cannot decode
                    raise
                return self._read_raw(sql, parameters)

    def _read_raw(self, sql: str, parameters: tuple[str | bytes | int, ...]) -> list[Any]:
        """For rows of keys that are no UTF-8; a text that is damaged shows in the CRC."""
        self._connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        try:
            return self._connection.execute(sql, parameters).fetchall()
        finally:
            self._connection.text_factory = str
