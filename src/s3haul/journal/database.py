"""Creates, checks and opens the file of the journal, for writing or for reading.

The file is in WAL mode with synchronous=FULL: a commit that returned survives a power loss, and the file is
valid after a kill at any moment. The frames of the log have checksums, so a log that is cut or damaged ends
at its last complete commit. The database file itself has no checksums. Damage to its structure is found when
a run opens it (`quick_check`), damage to a row by the CRC of that row (`rows`). Neither finds a row that is
missing completely: then the object is unknown, and its file is verified again.
"""

import contextlib
import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.errors import JournalError
from s3haul.journal import version2
from s3haul.journal.errors import damaged, other_source, run_error, translated
from s3haul.journal.performance import PERFORMANCE_TABLES
from s3haul.journal.rows import (
    ADD_CONTENT_TYPE,
    ADD_METADATA,
    KINDS_TABLE,
    OBJECTS_TABLE,
    PARTIAL_TABLES,
    PATHS_INDEX,
)

APPLICATION_ID = 0x73334861  # "s3Ha", as `file` shows it
# 4 had one prefix only; 3 no tables of `performance`, no content types and no user metadata; 2 no kinds
# (`version2`); 1 no partial objects.
VERSION = 5
BUSY_TIMEOUT = 30.0  # seconds to wait for another process's lock
# Directories of FUSE and SMB mounts have no fsync: there the server keeps them.
_UNSYNCED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF})

_SOURCE = ("bucket", "base", "endpoint")  # of `SourceIdentity`, in the table `meta`
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE runs (number INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, exit_code INTEGER,
    complete INTEGER NOT NULL DEFAULT 0, listed INTEGER, listed_bytes INTEGER, prefix TEXT)""",
    KINDS_TABLE,
    OBJECTS_TABLE,
    PATHS_INDEX,
    *PARTIAL_TABLES,
    *PERFORMANCE_TABLES,
)


class SourceIdentity(NamedTuple):
    """Where the objects of one run come from. `base` is the prefix of the keys that is not part of the paths;
    `key` is the one object, None if all objects below `base` are meant. That of a journal has the `base` of
    its first run.

    The endpoint is stored but not compared: one bucket has several,
    and two buckets with the same name have different ETags.
    """

    bucket: str
    base: str
    endpoint: str
    key: str | None = None


def open_for_writing(
    path: Path, source: SourceIdentity, clock: Callable[[], float] = time.time
) -> sqlite3.Connection:
    """Open the journal of `source`, or create it with mode 0600.
    Use the connection from one thread at a time.

    Raises `JournalError` (damaged, not a journal, of another bucket,
    of a newer version) and `DestinationError`.
    """
    with translated(path):
        if not is_there(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = _connect(path, "mode=rw")
        with _closed_on_error(connection):
            if _is_new(connection):
                _create(connection, source, clock())
                _sync_directory(path.parent)  # so that the name of the new file survives a power loss
            else:
                _refuse_foreign(connection, path)
                _refuse_damaged(connection, path)
                if is_empty(connection):  # nothing depends on the source that it was made for
                    _change_source(connection, source)
                else:
                    refuse_other_bucket(source_of(connection, path).bucket, source.bucket, path)
                _bring_up_to_date(connection, path)
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing journal read-only: also while a run writes to it, or on a read-only file system."""
    with translated(path):
        if not is_there(path):
            raise JournalError(
                f"there is no journal {path}", hint="name a directory that s3haul cp copied to"
            )
        try:
            return _connect_known(path, "mode=ro")
        except sqlite3.OperationalError:
            # To read in WAL mode, SQLite creates a shared index file (-shm). If it may not create files
            # here, it can only open the database as immutable. That is safe only if there is no log:
            # then nobody writes.
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


def refuse_other_bucket(found: str, bucket: str, path: Path) -> None:
    """Raise `JournalError` unless the journal is one of this bucket."""
    if found != bucket:
        raise other_source(f"{path} is the journal of s3://{found}, not of s3://{bucket}", path)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is no row of any object."""
    return connection.execute("SELECT 1 FROM objects LIMIT 1").fetchone() is None


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the schema: `VERSION`, or an older one."""
    return _pragma(connection, "user_version")


def is_there(path: Path) -> bool:
    """Whether there is a file at `path`. Raises `JournalError` for anything but a regular file,
    and `DestinationError`."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise run_error(error, path) from error
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
        connection.execute("PRAGMA fullfsync=ON")  # macOS: fsync alone does not flush the cache of the drive
    return connection


def _connect_known(path: Path, parameters: str) -> sqlite3.Connection:
    connection = _connect(path, parameters)
    with _closed_on_error(connection):
        if _is_new(connection):  # a run was killed as it began
            raise JournalError(
                f"the journal {path} is still empty", hint="run the same command again, or wait a moment"
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
    rows = [*zip(_SOURCE, source, strict=False), ("created", str(now))]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def _change_source(connection: sqlite3.Connection, source: SourceIdentity) -> None:
    connection.execute("BEGIN IMMEDIATE")
    rows = zip(source, _SOURCE, strict=False)
    connection.executemany("UPDATE meta SET value = ? WHERE name = ?", rows)
    connection.execute("COMMIT")


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    version = version_of(connection)
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    if version < 2:
        for table in PARTIAL_TABLES:
            connection.execute(table)
    if version < 3:
        version2.bring_up_to_date(connection, source_of(connection, path).base, path)
    elif version < 4:
        connection.execute(ADD_CONTENT_TYPE)
        connection.execute(ADD_METADATA)
    if version < 4:
        for table in PERFORMANCE_TABLES:
            connection.execute(table)
    connection.execute("ALTER TABLE runs ADD COLUMN prefix TEXT")
    connection.execute(PATHS_INDEX)
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise JournalError(
            f"{path} is not an s3haul journal", hint="move it away, or choose another destination"
        )
    version = version_of(connection)
    if version > VERSION:
        raise JournalError(
            f"the journal {path} has version {version}; this s3haul reads versions up to {VERSION}",
            hint="use a newer s3haul",
        )


def _refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(path, " ".join(verdict.split()))


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _UNSYNCED:
            raise
    finally:
        os.close(fd)


def _log_size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.with_name(f"{path.name}-wal").stat().st_size
    return 0


def journal_path(root: Path) -> Path:
    """Where the journal of the destination `root` is, or will be."""
    return root / STATE_DIRECTORY / "journal.sqlite3"


def existing_journal(root: Path) -> Path:
    """The journal of the destination `root`. Raises `JournalError` if it has none, and `DestinationError`."""
    path = journal_path(root)
    if not is_there(path):
        raise JournalError(
            f"There is no journal in {root}.", hint="name the directory that s3haul cp copied to"
        )
    return path
