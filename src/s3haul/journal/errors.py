"""What an error of SQLite, or of the file under it, means to the user."""

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
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the system come out as `S3HaulError`; `path` is the journal."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise damaged(path, "it holds text that is no text") from error
    except (sqlite3.Error, OSError) as error:
        raise run_error(error, path) from error


def run_error(error: sqlite3.Error | OSError, path: Path) -> S3HaulError:
    """The error as the end of the run."""
    if isinstance(error, OSError):
        name = errno.errorcode.get(error.errno or 0, "")
        said = f"{error.strerror or error} ({name})"
        if error.errno in _NO_SPACE:
            return DestinationFullError(f"cannot write the journal {path}: {said}", hint=_FULL)
        return DestinationError(f"cannot use the journal {path}: {said}", hint=f"check the disk, {_RESUME}")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code == sqlite3.SQLITE_FULL or (code & 0xFF == sqlite3.SQLITE_IOERR and _is_full(path)):
        return DestinationFullError(f"cannot write the journal {path}: {error}", hint=_FULL)
    if code & 0xFF in _UNUSABLE:
        hint = f"check the disk and its permissions, {_RESUME}"
        return DestinationError(f"cannot use the journal {path}: {error}", hint=hint)
    if code & 0xFF in _TAKEN:
        hint = "wait for the other run, or end it"
        return DestinationLockedError(f"another process writes the journal {path}", hint=hint)
    return damaged(path, str(error))


def damaged(path: Path, what: str) -> JournalError:
    """The journal does not hold what was written to it."""
    return JournalError(
        f"the journal {path} is damaged: {what}",
        hint=f"move {path} away, with {path.name}-wal if there is one, and run the same command again: "
        "files that are already here are verified and not fetched again",
    )


def _is_full(path: Path) -> bool:
    """SQLite has one code for all that can go wrong with its index of the log, which grows by 32 KiB."""
    with contextlib.suppress(OSError):
        space = os.statvfs(path.parent)
        return space.f_bavail * space.f_frsize < 65536
    return False
