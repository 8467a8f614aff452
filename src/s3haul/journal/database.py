"""The journal's file: made, recognised and opened, for writing or for reading.

Write-ahead logging with synchronous=FULL: a commit that returned survives a power loss, and the file is
valid after a kill at any moment. The log's frames carry checksums, so a log that is cut or damaged ends
at its last whole commit. The file itself has no checksums: what damages its structure is found when a
run opens it (`quick_check`), what damages the content of a row by that row's CRC (`rows`), and what
neither covers (a row that vanished whole) makes an object unknown, which is then verified anew.
"""

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from s3haul.errors import JournalError
from s3haul.journal import version2
from s3haul.journal.errors import damaged, translated
from s3haul.journal.kinds import KINDS_TABLE
from s3haul.journal.parts import PARTS_TABLES
from s3haul.journal.rows import OBJECTS_TABLE

APPLICATION_ID = 0x73334861  # "s3Ha", as `file` shows it
VERSION = 3  # 2 had no kinds (`version2`), 1 no tables of objects that are here in part
BUSY_TIMEOUT = 30.0  # seconds to wait for another process's lock

_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE runs (number INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, exit_code INTEGER,
    complete INTEGER NOT NULL DEFAULT 0, listed INTEGER, listed_bytes INTEGER)""",
    KINDS_TABLE,
    OBJECTS_TABLE,
    *PARTS_TABLES,
)


class SourceIdentity(NamedTuple):
    """Where the objects of one journal come from; `base` is the prefix that their paths leave out.

    The endpoint is for the record: one bucket has several, and ETags tell two buckets of one name apart.
    """

    bucket: str
    base: str
    endpoint: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.base} at {self.endpoint}"


def open_for_writing(
    path: Path, source: SourceIdentity, clock: Callable[[], float] = time.time
) -> sqlite3.Connection:
    """The journal of `source`, created with mode 0600 as needed; may be used from any one thread at a time.

    Raises `JournalError` (damaged, no journal, of another source, of a newer version) and
    `DestinationError`.
    """
    with translated(path):
        if not is_there(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = _connect(path, "mode=rw")
        with _closed_on_error(connection):
            if _is_new(connection):
                _create(connection, source, clock())
                _sync_directory(path.parent)
            else:
                _refuse_foreign(connection, path)
                _refuse_damaged(connection, path)
                _refuse_other_source(source_of(connection, path), source, path)
                _bring_up_to_date(connection, source.base, path)
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """An existing journal, read-only, also while a run writes it or on a read-only file system."""
    with translated(path):
        if not is_there(path):
            raise JournalError(
                f"there is no journal {path}", hint="name a directory that s3haul cp hauled to"
            )
        try:
            return _connect_known(path, "mode=ro")
        except sqlite3.OperationalError:
            # Without the right to make the shared index of a log, SQLite reads only a file that has no
            # log, and only when told that nobody writes it. Where no log is, nobody does.
            if _log_size(path):
                raise
            return _connect_known(path, "mode=ro&immutable=1")


def source_of(connection: sqlite3.Connection, path: Path) -> SourceIdentity:
    """Where the objects of this journal come from."""
    found = dict(connection.execute("SELECT name, value FROM meta"))
    try:
        return SourceIdentity(found["bucket"], found["base"], found["endpoint"])
    except KeyError:
        raise damaged(path, "it does not name its source") from None


def version_of(connection: sqlite3.Connection) -> int:
    """How the tables are laid out; `VERSION`, or an older one."""
    return _pragma(connection, "user_version")


def is_there(path: Path) -> bool:
    """Whether there is a file at `path`. Raises `JournalError` for anything but a regular file."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise JournalError(f"{path} is not a regular file", hint="remove it, then run the same command again")
    return True


def _connect(path: Path, parameters: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?{parameters}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )
    with _closed_on_error(connection):
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone leaves bytes in the drive
    return connection


def _connect_known(path: Path, parameters: str) -> sqlite3.Connection:
    connection = _connect(path, parameters)
    with _closed_on_error(connection):
        if _is_new(connection):  # a run was killed as it began
            raise JournalError(
                f"the journal {path} holds nothing yet", hint="run the same command again, or wait a moment"
            )
        _refuse_foreign(connection, path)
    return connection


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _is_new(connection: sqlite3.Connection) -> bool:
    return not _pragma(connection, "schema_version") and not _pragma(connection, "application_id")


def _create(connection: sqlite3.Connection, source: SourceIdentity, now: float) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        connection.execute(table)
    rows = [*source._asdict().items(), ("created", str(now))]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def _bring_up_to_date(connection: sqlite3.Connection, base: str, path: Path) -> None:
    version = version_of(connection)
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    if version < 2:
        for table in PARTS_TABLES:
            connection.execute(table)
    version2.bring_up_to_date(connection, base, path)
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise JournalError(
            f"{path} is not a journal of s3haul", hint="move it away, or choose another destination"
        )
    version = version_of(connection)
    if version > VERSION:
        raise JournalError(
            f"the journal {path} is of version {version}, this s3haul knows {VERSION}",
            hint="use a newer s3haul",
        )


def _refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(path, " ".join(verdict.split()))


def _refuse_other_source(found: SourceIdentity, wanted: SourceIdentity, path: Path) -> None:
    if (found.bucket, found.base) != (wanted.bucket, wanted.base):
        raise JournalError(
            f"{path} is the journal of {found}, not of {wanted}",
            hint="choose another destination for this source",
        )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _log_size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.with_name(f"{path.name}-wal").stat().st_size
    return 0
