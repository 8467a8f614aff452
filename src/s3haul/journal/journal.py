"""The journal of one run: what the engine writes to, and asks what earlier runs have done.

A row says done only after its file is durable: `sync` comes before every commit. What was recorded and
not committed when a run dies is fetched or verified again, never believed.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from s3haul.errors import DestinationError
from s3haul.journal.database import SourceIdentity, open_for_writing
from s3haul.journal.errors import translated
from s3haul.journal.kinds import PUT_KIND, KindNumbers
from s3haul.journal.parts import DROP_BLOCKS, DROP_PARTIAL, PUT_BLOCK, PUT_PARTIAL, block_row, partial_row
from s3haul.journal.reader import KnownRow, Reader
from s3haul.journal.rows import GONE, GONE_AFTER, PUT, to_row
from s3haul.journal.writer import Writer
from s3haul.models import Block, Outcome, Partial

_BEGIN = "INSERT INTO runs (number, started) VALUES (?, ?)"
_END = "UPDATE runs SET ended = ?, complete = ?, exit_code = ?, listed = ?, listed_bytes = ? WHERE number = ?"


class Journal:
    """Made by `open`, ended by `close`. What only queues (`record*`, `mark_gone*`, `begin`, `landed`, `forget`) never blocks; the rest may touch the disk.

    All methods may be called from any thread, and raise what ended the writer once it has ended.
    """

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        kinds: KindNumbers,
        base: str,
        clock: Callable[[], float],
        *,
        empty: bool,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._base = base
        self._clock = clock
        self._kinds = kinds
        self._run = 0
        self._empty = empty  # no row of an earlier run, and none recorded yet

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
        """The journal at `path`, created as needed in a directory that exists. One writer at a time.

        `sync` makes landed files durable; it is called in the writer's thread before each commit, which
        comes when `batch` statements wait or `interval` seconds after the first. `on_error` is called
        from that thread, once, with what ended it. Raises `JournalError` and `DestinationError`.
        """
        with contextlib.ExitStack() as undo:
            connection = undo.enter_context(contextlib.closing(open_for_writing(path, source, clock)))
            reader = undo.enter_context(Reader(path))
            with translated(path):
                identity = path.stat()
            latest, empty = reader.latest_kinds(), reader.is_empty
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
        return cls(writer, reader, kinds, source.base, clock, empty=empty)

    def begin_run(self) -> int:
        """Open the books of a new run; its number, from 1."""
        self._run = 1 + max((run.number for run in self._reader.runs()), default=0)
        self._writer.submit(_BEGIN, (self._run, self._clock()))
        self._writer.flush()
        return self._run

    def record(self, outcome: Outcome) -> None:
        """`record_all` for one object."""
        self.record_all((outcome,))

    def record_all(self, outcomes: Iterable[Outcome]) -> None:
        """Queue the outcomes of some objects; a later one of the same key replaces it.

        Raises `JournalError` for a key that no journal can hold; then none of them is queued.
        """
        kind_of, base, run, now = self._kinds.of, self._base, self._run, self._clock()
        rows = [to_row(outcome, kind_of(outcome), base, run, now) for outcome in outcomes]
        self._empty = False
        self._writer.submit(PUT, *rows)

    def known(self, first_key: str, last_key: str) -> dict[str, KnownRow]:
        """The committed rows with first_key < key <= last_key, without keys that are marked gone.

        A key that comes back after it was gone is unknown, so that its file is verified first.
        """
        return {} if self._empty else self._reader.known(first_key, last_key)

    def begin(self, partial: Partial) -> None:
        """Queue an object that will land block by block in a temporary file of its own."""
        self._writer.submit(PUT_PARTIAL, partial_row(partial))

    def block_stored(self, temporary: str, block: Block) -> None:
        """Queue a block of that file; its bytes must have been written."""
        self._writer.submit(PUT_BLOCK, block_row(temporary, block))

    def forget(self, temporary: str) -> None:
        """The file is finished, or of no use any more."""
        self._writer.submit(DROP_BLOCKS, (temporary,))
        self._writer.submit(DROP_PARTIAL, (temporary,))

    def partials(self) -> list[Partial]:
        """The objects that earlier runs left here in part, without their blocks."""
        return self._reader.partials()

    def blocks(self, temporary: str) -> tuple[Block, ...]:
        """The committed blocks of one of them."""
        return self._reader.blocks(temporary)

    def mark_gone(self, keys: Iterable[str]) -> None:
        """These keys are no longer listed: their rows stay, but out of the manifest."""
        self._writer.submit(GONE, *[(key,) for key in keys])

    def mark_gone_after(self, key: str) -> None:
        """The listing ended with `key` ("" for an empty one): all greater keys are gone."""
        self._writer.submit(GONE_AFTER, (key,))

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
        """Close the books of a run; `complete` says that every listed key has ended."""
        self._writer.submit(_END, (self._clock(), complete, exit_code, listed, listed_bytes, number))
        self._writer.flush()

    def close(self) -> None:
        """Commit what is left and close the file, in any case; then raise what went wrong, if anything."""
        self._reader.close()
        self._writer.close()

    @property
    def failed(self) -> Exception | None:
        """What ended the writer, or None."""
        return self._writer.failure

    @property
    def backlog(self) -> int:
        """Statements that wait for their commit: grows where the disk is slower than the network."""
        return self._writer.backlog


def _refuse_replaced(path: Path, identity: os.stat_result) -> None:
    try:
        same = os.path.samestat(path.stat(), identity)
    except FileNotFoundError:
        same = False
    if not same:
        raise DestinationError(
            f"the journal {path} was removed or replaced during the run",
            hint="run the same command again: files that are here are verified and not fetched again",
        )
