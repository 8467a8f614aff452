"""The only writer: takes statements from any thread, and commits them in batches in its own thread.

    take a batch -> sync() -> BEGIN, statements in their order, COMMIT

Consecutive statements with the same SQL are sorted by key (the first parameter); those of one key keep their order.

`sync` runs after the batch is taken and before the commit. So it makes all files durable that the batch refers to, and
after a power loss no committed row refers to a file that is lost. The first error is final: nothing is written after
it, and every later call raises it.
"""

import sqlite3
import threading
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

from s3haul.journal.errors import translated

Parameters = tuple[Any, ...]
Statements = tuple[str, list[Parameters]]  # one text, executed with each of the parameters


class Writer:
    """Owns the connection. `on_error` is called at most once, in the writer's thread."""

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
        self._settled = threading.Condition(self._lock)  # `flush` waits here for a commit or an error
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
        """Queue one SQL text with each of `parameters`, and return at once. Raises the error that ended the writer."""
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
            self._settled.wait_for(lambda: self._committed >= goal or self.failure is not None)
            if self._committed < goal:
                self._raise_failure()

    def close(self) -> None:
        """Commit what is queued, and end the thread. Raises the error that ended the writer, if there was one."""
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
        # IMMEDIATE takes the write lock now: a transaction that upgrades from read to write later can fail at once
        # with SQLITE_BUSY, without the busy timeout.
        self._connection.execute("BEGIN IMMEDIATE")
        for sql, parameters in statements:
            parameters.sort(key=itemgetter(0))  # in key order, each page of the table is written once
            self._connection.executemany(sql, parameters)
        self._connection.execute("COMMIT")
        with self._lock:
            self._committed += sum(len(parameters) for _, parameters in statements)
            self._settled.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self.failure = error
            self._waiting.clear()
            self._settled.notify_all()
        self._on_error(error)
