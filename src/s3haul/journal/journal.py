"""The journal of one run: the engine records outcomes in it, and reads the outcomes of earlier runs.

`Journal` turns outcomes into SQL statements. Its one `Writer` takes them from any thread, and commits them in
batches in a thread of its own. A row says "done" only after its file is durable: `sync` runs before every
commit. Outcomes that were recorded but not committed when a run dies are lost; the next run fetches or
verifies those objects again.
"""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from s3haul.errors import DestinationError
from s3haul.journal.database import SourceIdentity, open_for_writing
from s3haul.journal.errors import translated
from s3haul.journal.performance import Performance, statements
from s3haul.journal.reader import Reader
from s3haul.journal.rows import (
    DROP_BLOCKS,
    DROP_PARTIAL,
    GONE,
    GONE_BETWEEN,
    GONE_RAW,
    PUT,
    PUT_BLOCK,
    PUT_KIND,
    PUT_PARTIAL,
    PUT_RAW,
    KindNumbers,
    block_row,
    end_of_keys,
    key_bytes,
    partial_row,
    storable,
    to_row,
)
from s3haul.models import Block, Outcome, Partial

_BEGIN = "INSERT INTO runs (number, started, prefix) VALUES (?, ?, ?)"
_END = "UPDATE runs SET ended = ?, complete = ?, exit_code = ?, listed = ?, listed_bytes = ? WHERE number = ?"
Parameters = tuple[Any, ...]
Statements = tuple[str, list[Parameters]]  # one text, executed with each of the parameters


class Writer:
    """Owns the connection. `on_error` is called at most once, in the writer's thread.

        take a batch -> sync() -> BEGIN, statements in their order, COMMIT

    `sync` runs after the batch is taken and before the commit. So it makes all files durable that the batch
    refers to, and after a power loss no committed row refers to a file that is lost. Consecutive statements
    with the same SQL are sorted by key (the first parameter); those of one key keep their order. The first
    error is final: nothing is written after it, and every later call raises it.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        sync: Callable[[], None],
        on_error: Callable[[Exception], None],
        batch: int,
        interval: float,
    ) -> None:
        self._connection = connection
        self._path = path
        self._sync = sync
        self._on_error = on_error
        self._batch = batch
        self._interval = interval
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)  # the writer's thread waits here for statements
        self._progress = threading.Condition(self._lock)  # `flush` waits here for a commit or an error
        self._waiting: list[Statements] = []
        self._queued = 0  # statements in `_waiting`
        self._submitted = 0
        self._committed = 0
        self._urgent = 0  # do not wait for a full batch while `_committed` is below this
        self._closing = False
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="s3haul-journal", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """How many statements are submitted but not yet committed."""
        return self._submitted - self._committed

    def submit(self, sql: str, *parameters: Parameters) -> None:
        """Queue one SQL text with each of `parameters`, and return at once.
        Raises the error that ended the writer."""
        with self._lock:
            self._raise_failure()
            if self._closing:
                raise RuntimeError("the journal is closed")
            if not parameters:
                return
            if self._waiting and self._waiting[-1][0] == sql:
                self._waiting[-1][1].extend(parameters)
            else:
                self._waiting.append((sql, list(parameters)))
            self._submitted += len(parameters)
            before, self._queued = self._queued, self._queued + len(parameters)
            if not before or before < self._batch <= self._queued:
                self._wake.notify()

    def flush(self) -> None:
        """Return when everything submitted so far is committed. Raises the error that ended the writer."""
        with self._lock:
            goal = self._urgent = self._submitted
            self._wake.notify()
            self._progress.wait_for(lambda: self._committed >= goal or self.failure is not None)
            if self._committed < goal:
                self._raise_failure()

    def close(self) -> None:
        """Commit what is queued, and end the thread. Raises the error that ended the
        writer, if there was one."""
        with self._lock:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            with translated(self._path):
                while statements := self._take():
                    self._commit(statements)
        except Exception as error:  # noqa: BLE001 - any error must end the run
            self._fail(error)
        finally:
            self._connection.close()

    def _take(self) -> list[Statements]:
        """The next batch; empty if the journal is closed and nothing is queued."""
        with self._lock:
            self._wake.wait_for(lambda: self._waiting or self._closing)
            self._wake.wait_for(self._is_due, timeout=self._interval)
            statements, self._waiting, self._queued = self._waiting, [], 0
            return statements

    def _is_due(self) -> bool:
        return self._closing or self._urgent > self._committed or self._queued >= self._batch

    def _commit(self, statements: list[Statements]) -> None:
        self._sync()
        # IMMEDIATE takes the write lock now: a transaction that upgrades from read to write later can fail at
        # once with SQLITE_BUSY, without the busy timeout.
        self._connection.execute("BEGIN IMMEDIATE")
        for sql, parameters in statements:
            parameters.sort(key=itemgetter(0))  # in key order, each page of the table is written once
            self._connection.executemany(sql, parameters)
        self._connection.execute("COMMIT")
        with self._lock:
            self._committed += sum(len(parameters) for _, parameters in statements)
            self._progress.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self.failure = error
            self._waiting.clear()
            self._progress.notify_all()
        self._on_error(error)


class Journal:
    """Create it with `open`; end it with `close`. `committed` reads what this run and earlier ones have
    committed. All methods may be called from any thread.

    `record*`, `mark_gone*` and `*_partial` only queue and never block; the others may access the disk.
    After an error in the writer's thread, all methods raise that error.
    """

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        kinds: KindNumbers,
        source: SourceIdentity,
        clock: Callable[[], float],
    ) -> None:
        self._writer = writer
        self.committed = reader
        self._base = reader.source.base
        self._source = source
        self._clock = clock
        self._kinds = kinds
        self._shares_paths = True
        self._run = 0

    @classmethod
    def open(
        cls,
        path: Path,
        source: SourceIdentity,
        *,
        sync: Callable[[], None],
        on_error: Callable[[Exception], None] = lambda _: None,
        batch: int = 1000,
        interval: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Open the journal at `path`, or create it; the directory must exist. One writer at a time.

        `sync` makes published files durable. The writer's thread calls it before each commit; it commits when
        `batch` statements wait, or `interval` seconds after the first one. If an error ends that thread, it
        calls `on_error` once. Raises `JournalError` and `DestinationError`.
        """

        def sync_and_check() -> None:
            sync()
            _refuse_replaced(path, identity)

        with contextlib.ExitStack() as undo:
            connection = undo.enter_context(contextlib.closing(open_for_writing(path, source, clock)))
            reader = undo.enter_context(Reader(path))
            with translated(path):
                identity = path.stat()
            base, latest = reader.source.base, reader.latest_kinds()
            # It starts a thread, which may be refused.
            writer = Writer(
                connection,
                path,
                sync=sync_and_check,
                on_error=on_error,
                batch=batch,
                interval=interval,
            )
            undo.pop_all()
        kinds = KindNumbers(base, lambda row: writer.submit(PUT_KIND, row), latest)
        return cls(writer, reader, kinds, source, clock)

    def begin_run(self) -> int:
        """Record the start of a run. Returns its number; the first run is 1. Raises `JournalError` for a
        source above or below one that an earlier run copied."""
        base, key = self._source.base, self._source.key
        self.committed.refuse_nested(self._source)
        self._shares_paths = self.committed.shares_paths(base)
        self._run = 1 + max((run.number for run in self.committed.runs()), default=0)
        self._writer.submit(_BEGIN, (self._run, self._clock(), storable(base if key is None else key)))
        self._writer.flush()
        return self._run

    def owners_of(self, paths: Sequence[str]) -> dict[str, str]:
        """The keys of the objects whose files earlier runs, of other sources, wrote to those of these paths
        that have one: within one source, no two keys have the same path."""
        return self.committed.owners_of(paths) if paths and self._shares_paths else {}

    def record(self, outcome: Outcome) -> None:
        """`record_all` for one object."""
        self.record_all((outcome,))

    def record_all(self, outcomes: Iterable[Outcome]) -> None:
        """Queue outcomes. A later outcome of the same key replaces the earlier one.

        Raises `JournalError` for a key that cannot be stored; then none of them is queued.
        """
        kind_of, base, run, now = self._kinds.of, self._base, self._run, self._clock()
        rows = [to_row(outcome, kind_of(outcome), base, run, now) for outcome in outcomes]
        self._writer.submit(PUT, *[row for row in rows if type(row[0]) is str])
        self._writer.submit(PUT_RAW, *[row for row in rows if type(row[0]) is bytes])

    def begin_partial(self, partial: Partial) -> None:
        """Queue an object that is written block by block to its own temporary file."""
        self._writer.submit(PUT_PARTIAL, partial_row(partial))

    def record_block(self, temporary: str, block: Block) -> None:
        """Queue a block of that file; its bytes must have been written."""
        self._writer.submit(PUT_BLOCK, block_row(temporary, block))

    def forget_partial(self, temporary: str) -> None:
        """Queue the removal of a temporary file and its blocks: it is finished or discarded."""
        self._writer.submit(DROP_BLOCKS, (temporary,))
        self._writer.submit(DROP_PARTIAL, (temporary,))

    def mark_gone(self, keys: Iterable[str]) -> None:
        """These keys are no longer listed, or are about to be replaced: their rows stay,
        but out of the manifest.

        What this run has recorded is listed: it may be an entry that is not UTF-8, on a page that does not
        cover its place among the keys.
        """
        for key in map(key_bytes, keys):
            self._writer.submit(GONE if isinstance(key, str) else GONE_RAW, (self._run, key))

    def mark_gone_between(self, first: str, end: str | None) -> None:
        """As `mark_gone`, of all keys with first <= key < end (None: without end)."""
        self._writer.submit(GONE_BETWEEN, (self._run, key_bytes(first), end_of_keys(end)))

    def put_performance(self, number: int, performance: Performance) -> None:
        """Queue how a run goes, in place of what was said of it before."""
        for sql, parameters in statements(number, performance):
            self._writer.submit(sql, *parameters)

    def flush(self) -> None:
        """Return when everything recorded so far is committed."""
        self._writer.flush()

    def end_run(
        self,
        number: int,
        *,
        complete: bool,
        exit_code: int | None = None,
        listed: int | None = None,
        listed_bytes: int | None = None,
    ) -> None:
        """Record the end of a run. `complete` means that every listed key has an outcome."""
        self._writer.submit(_END, (self._clock(), complete, exit_code, listed, listed_bytes, number))
        self._writer.flush()

    def close(self) -> None:
        """Commit what is queued and close the file, also after an error;
        then raise the error, if there was one."""
        self.committed.close()
        self._writer.close()

    @property
    def backlog(self) -> int:
        """How many statements wait for a commit. It grows if the disk is slower than the network."""
        return self._writer.backlog


def _refuse_replaced(path: Path, identity: os.stat_result) -> None:
    # SQLite would write on to a file that was deleted, without an error,
    # and everything would be lost at the end.
    try:
        same = os.path.samestat(path.stat(), identity)
    except FileNotFoundError:
        same = False
    if not same:
        raise DestinationError(
            f"the journal {path} was removed or replaced during the run",
            hint="run the same command again: it verifies the files that are here and does not download them again",
        )
