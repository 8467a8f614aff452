"""Maps errors of SQLite, and of its file, to errors for the user."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from s3haul.errors import (
    DestinationError,
    DestinationFullError,
    DestinationLockedError,
    JournalError,
    S3HaulError,
)

_RESUME = "then run the same command again: it resumes"
_FULL = f"free some space, {_RESUME}"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNUSABLE = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
)
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translate errors of SQLite and of the system to `S3HaulError`. `path` is the journal."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise damaged(path, "a text column is not valid UTF-8") from error
    except (sqlite3.Error, OSError) as error:
        raise run_error(error, path) from error


def run_error(error: sqlite3.Error | OSError, path: Path) -> S3HaulError:
    """The error as one that ends the run."""
    if isinstance(error, OSError):
        name = errno.errorcode.get(error.errno or 0, "")
        cause = f"{error.strerror or error} ({name})"
        if error.errno in _NO_SPACE:
            return DestinationFullError(
                f"cannot write the journal {path}: the disk is full ({name})", hint=_FULL
            )
        return DestinationError(f"cannot use the journal {path}: {cause}", hint=f"check the disk, {_RESUME}")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code == sqlite3.SQLITE_FULL or (code & 0xFF == sqlite3.SQLITE_IOERR and _is_full(path)):
        return DestinationFullError(f"cannot write the journal {path}: the disk is full", hint=_FULL)
    if code & 0xFF in _UNUSABLE:
        hint = f"check the disk and its permissions, {_RESUME}"
        return DestinationError(f"cannot use the journal {path}: {error}", hint=hint)
    if code & 0xFF in _LOCKED:
        hint = "wait for the other run, or stop it"
        return DestinationLockedError(f"another process is writing the journal {path}", hint=hint)
    return damaged(path, str(error))


def damaged(path: Path, what: str) -> JournalError:
    """The error for a journal whose content is not what was written."""
    return JournalError(
        f"the journal {path} is damaged: {what}",
        hint=f"move {path} away, with {path.name}-wal if it exists, and run the same command again: "
        "it verifies the files that are already here and does not download them again",
    )


def other_source(what: str, path: Path) -> JournalError:
    """The error for a source that cannot share the destination with what is there."""
    return JournalError(
        what,
        hint=f"choose another destination for this source, or remove {path.parent}: then all files here count"
        " as files that no earlier run wrote",
    )


def _is_full(path: Path) -> bool:
    """Whether the disk is full. SQLite reports any failure to grow its -shm file (by 32 KiB)
    as a general I/O error."""
    with contextlib.suppress(OSError):
        space = os.statvfs(path.parent)
        return space.f_bavail * space.f_frsize < 65536
    return False
