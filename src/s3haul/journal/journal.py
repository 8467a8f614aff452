"""The journal of one run: the engine records outcomes in it, and reads the outcomes of earlier runs.

A row says "done" only after its file is durable: `sync` runs before every commit. Outcomes that were recorded but not
committed when a run dies are lost; the next run fetches or verifies those objects again.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from s3haul.errors import DestinationError
from s3haul.journal.course import Course, statements
from s3haul.journal.database import SourceIdentity, open_for_writing
from s3haul.journal.errors import translated
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
    to_row,
)
from s3haul.journal.writer import Writer
from s3haul.models import Block, Outcome, Partial

_BEGIN = "INSERT INTO runs (number, started) VALUES (?, ?)"
_END = "UPDATE runs SET ended = ?, complete = ?, exit_code = ?, listed = ?, listed_bytes = ? WHERE number = ?"


class Journal:
    """Create it with `open`; end it with `close`. `committed` reads what this run and earlier ones have committed. All
    methods may be called from any thread.

    `record*`, `mark_gone*`, `begin`, `block_stored` and `forget` only queue and never block; the others may access the disk.
    After an error in the writer's thread, all methods raise that error.
    """

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        kinds: KindNumbers,
        base: str,
        clock: Callable[[], float],
    ) -> None:
        self._writer = writer
        self.committed = reader
        self._base = base
        self._clock = clock
        self._kinds = kinds
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

        `sync` makes published files durable. The writer's thread calls it before each commit; it commits when `batch`
        statements wait, or `interval` seconds after the first one. If an error ends that thread, it calls `on_error`
        once. Raises `JournalError` and `DestinationError`.
        """
        with contextlib.ExitStack() as undo:
            connection = undo.enter_context(contextlib.closing(open_for_writing(path, source, clock)))
            reader = undo.enter_context(Reader(path))
            with translated(path):
                identity = path.stat()
            latest = reader.latest_kinds()
            undo.pop_all()

        def sync_and_check() -> None:
            sync()
            _refuse_replaced(path, identity)

        writer = Writer(
            connection,
            path,
            sync=sync_and_check,
            on_error=on_error,
            batch=batch,
            interval=interval,
        )
        kinds = KindNumbers(source.base, lambda row: writer.submit(PUT_KIND, row), latest)
        return cls(writer, reader, kinds, source.base, clock)

    def begin_run(self) -> int:
        """Record the start of a run. Returns its number; the first run is 1."""
        self._run = 1 + max((run.number for run in self.committed.runs()), default=0)
        self._writer.submit(_BEGIN, (self._run, self._clock()))
        self._writer.flush()
        return self._run

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

    def begin(self, partial: Partial) -> None:
        """Queue an object that is written block by block to its own temporary file."""
        self._writer.submit(PUT_PARTIAL, partial_row(partial))

    def block_stored(self, temporary: str, block: Block) -> None:
        """Queue a block of that file; its bytes must have been written."""
        self._writer.submit(PUT_BLOCK, block_row(temporary, block))

    def forget(self, temporary: str) -> None:
        """Queue the removal of a temporary file and its blocks: it is finished or discarded."""
        self._writer.submit(DROP_BLOCKS, (temporary,))
        self._writer.submit(DROP_PARTIAL, (temporary,))

    def mark_gone(self, keys: Iterable[str]) -> None:
        """These keys are no longer listed, or are about to be replaced: their rows stay, but out of the manifest.

        What this run has recorded is listed: it may be an entry that is not UTF-8, on a page that does not cover
        its place among the keys.
        """
        for key in map(key_bytes, keys):
            self._writer.submit(GONE if isinstance(key, str) else GONE_RAW, (self._run, key))

    def mark_gone_between(self, first: str, end: str | None) -> None:
        """As `mark_gone`, of all keys with first <= key < end (None: without end)."""
        self._writer.submit(GONE_BETWEEN, (self._run, key_bytes(first), end_of_keys(end)))

    def put_course(self, number: int, course: Course) -> None:
        """Queue how a run goes, in place of what was said of it before."""
        for sql, parameters in statements(number, course):
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
        """Commit what is queued and close the file, also after an error; then raise the error, if there was one."""
        self.committed.close()
        self._writer.close()

    @property
    def backlog(self) -> int:
        """How many statements wait for a commit. It grows if the disk is slower than the network."""
        return self._writer.backlog


def _refuse_replaced(path: Path, identity: os.stat_result) -> None:
    # SQLite would write on to a file that was deleted, without an error, and everything would be lost at the end.
    try:
        same = os.path.samestat(path.stat(), identity)
    except FileNotFoundError:
        same = False
    if not same:
        raise DestinationError(
            f"the journal {path} was removed or replaced during the run",
            hint="run the same command again: it verifies the files that are here and does not download them again",
        )
