"""The disk and the journal of a simulated run: real files and a real database,
whose crashes are known exactly.

`image` is what a kill or a power loss would leave: the files of this moment,
of which a power loss spoils those that were not synced.
"""

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk import Destination
from s3haul.journal.errors import translated
from s3haul.journal.journal import Writer

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS)


class SimulatedDestination(Destination):
    """As `Destination`, knowing what a power loss would spoil;
    `fails_after` so many files it takes no more."""

    dice: Random
    fails_after: int | None = None
    code = errno.ENOSPC
    _writes = 0
    unsynced: set[str]

    def land(self, path, body, mtime):
        self._count()
        super().land(path, body, mtime)
        self.unsynced.add(str(path))

    def create_temporary(self, size):
        self._count()
        return super().create_temporary(size)

    def write(self, temporary, data, offset):
        self._count()
        super().write(temporary, data, offset)
        self.unsynced.add(f"{STATE_DIRECTORY}/tmp/{temporary.name}")

    def publish(self, temporary, path, mtime):
        name = f"{STATE_DIRECTORY}/tmp/{temporary.name}"
        super().publish(temporary, path, mtime)
        if name in self.unsynced:
            self.unsynced.discard(name)
            self.unsynced.add(str(path))

    def sync(self):
        super().sync()
        self.unsynced.clear()

    def image(self, copy: Path, *, power_loss: bool) -> set[str]:
        """What the next run would find; the files that lost their bytes."""
        spoiled = set()
        shutil.copytree(self.root, copy, symlinks=True, ignore=shutil.ignore_patterns("*-shm"))
        if power_loss:
            for name in sorted(self.unsynced):
                if (file := copy / name).exists() and self.dice.random() < 0.7:
                    os.truncate(file, 0)
                    spoiled.add(name)
        return spoiled

    def _count(self) -> None:
        self._writes += 1
        if self.fails_after is not None and self._writes > self.fails_after:
            raise self.write_error(OSError(self.code, "simulated"))


class SimulatedWriter(Writer):
    """As `journal.journal.Writer`, without a thread: it commits on the loop, when a batch is due."""

    batch_size = 1000

    def __init__(self, connection, path, *, sync, on_error, batch, interval) -> None:
        self._connection, self._path, self._on_error = connection, path, on_error
        self._sync: Callable[[], None] = sync
        self._interval = interval
        self._statements: list[tuple[str, list]] = []
        self._due: asyncio.Handle | None = None
        self._submitted = self._committed = 0
        self.failure: Exception | None = None

    @property
    def backlog(self) -> int:
        return self._submitted - self._committed

    def submit(self, sql, *parameters):
        self._raise_failure()
        if not parameters:
            return
        self._statements.append((sql, list(parameters)))
        self._submitted += len(parameters)
        loop = asyncio.get_running_loop()
        if self.backlog >= self.batch_size:
            loop.call_soon(self._commit_all)
        elif self._due is None:
            self._due = loop.call_later(self._interval, self._commit_all)

    def flush(self):
        self._commit_all()
        self._raise_failure()

    def close(self):
        self._commit_all()
        self._connection.close()
        self._raise_failure()

    def _commit_all(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if not self._statements or self.failure is not None:
            return
        statements, self._statements = self._statements, []
        try:
            with translated(self._path):
                self._sync()
                self._connection.execute("BEGIN IMMEDIATE")
                for sql, parameters in statements:
                    self._connection.executemany(sql, parameters)
                self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - as the real one: the run must hear of it
            self.failure = error
            self._on_error(error)
            return
        self._committed += sum(len(parameters) for _, parameters in statements)
