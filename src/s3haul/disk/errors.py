"""Maps an errno to an error for the user: of one object, of the whole run,
or something that a run can do without. No I/O here.

Messages contain file names as they are, like all errors;
the code that prints them escapes with `core.text.show`.
"""

import errno
import os
import stat
from typing import NamedTuple

from s3haul.core.text import human_bytes
from s3haul.errors import DestinationError, DestinationFullError

_RESUME = "then run the same command again: it resumes"
_DISK = f"check the disk or mount (dmesg, df), {_RESUME}"
_FILES = "raise the limit (ulimit -n 4096) or lower --concurrency"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
MODES = "The file system does not store permissions: other users may read the state directory and unfinished files."
TIMES = "The file system does not accept the time of an object: files get the time of the run."
SYNC = (
    "The file system cannot be synced alone: each commit syncs all mounted file systems, which may be slow."
)


class ObjectPathError(Exception):
    """One object cannot be stored; the run continues. `reason` is one of `OBJECT_REASONS`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class FreeSpace(NamedTuple):
    """What an unprivileged process may still use. `inodes` is `sys.maxsize` if the
    file system has no limit."""

    bytes: int
    inodes: int


class Meaning(NamedTuple):
    """`reason` is set if the errno concerns only the object on whose path it occurred, not the run."""

    text: str
    hint: str = ""
    reason: str = ""


MEANINGS = {
    errno.ENOSPC: Meaning("the disk is full", f"free some space, {_RESUME}"),
    errno.EDQUOT: Meaning("the disk quota is used up", f"raise the quota or free some space, {_RESUME}"),
    errno.EROFS: Meaning("the file system is read-only", f"remount it writable, {_RESUME}"),
    errno.EIO: Meaning("the disk reported an input/output error", _DISK),
    errno.ESTALE: Meaning("the network mount lost the directory", _DISK),
    errno.ENODEV: Meaning("the device was removed", _DISK),
    errno.ENXIO: Meaning("the device was removed", _DISK),
    errno.ENOTCONN: Meaning("the mount is no longer connected", _DISK),
    errno.ETIMEDOUT: Meaning("the mount does not respond", _DISK),
    errno.EMFILE: Meaning("this process has too many files open", _FILES),
    errno.ENFILE: Meaning("the system has too many files open", "close other programs, " + _RESUME),
    errno.ENOMEM: Meaning("the system is out of memory", "lower --concurrency, " + _RESUME),
    errno.ENOLCK: Meaning("the file system does not support locks", "choose a destination on a local disk"),
    errno.EACCES: Meaning("permission denied", "make the destination writable for you", "permission-denied"),
    errno.EPERM: Meaning("operation not permitted", "choose a destination that you own", "permission-denied"),
    errno.ENAMETOOLONG: Meaning("the name is too long for this file system", reason="name-too-long"),
    errno.EILSEQ: Meaning("the file system refuses the name", reason="name-refused"),
    errno.EINVAL: Meaning("the file system refuses the name", reason="name-refused"),
    errno.ELOOP: Meaning("a symbolic link is in the way", reason="symlink-in-the-way"),
    errno.ENOTDIR: Meaning("a file exists where a directory is needed", reason="file-in-the-way"),
    errno.EISDIR: Meaning("a directory exists at the path of the file", reason="directory-in-the-way"),
    errno.EXDEV: Meaning("another file system is mounted inside the destination", reason="cross-device"),
    errno.EFBIG: Meaning("the file is too large for this file system or process", reason="file-too-large"),
    errno.EBUSY: Meaning("the file is in use by the system", reason="busy"),
    errno.ETXTBSY: Meaning("the file is a program that is running", reason="busy"),
    errno.EMLINK: Meaning("the directory cannot have more subdirectories", reason="directory-full"),
    errno.ENOENT: Meaning("the file or its directory was removed during the run", reason="vanished"),
}
OBJECT_REASONS = frozenset(meaning.reason for meaning in MEANINGS.values() if meaning.reason) | {
    "not-a-regular-file",
    "wrong-size",
}


def object_error(error: OSError) -> ObjectPathError | None:
    """The error as an error of one object, or None if it concerns the run."""
    meaning = MEANINGS.get(error.errno or 0)
    if meaning is None or not meaning.reason:
        return None
    return ObjectPathError(meaning.reason, f"{meaning.text} ({name_of(error)})")


def run_error(
    error: OSError, doing: str, *, free: FreeSpace | None = None, needed: int = 0
) -> DestinationError:
    """The error as one that ends the run. `doing` completes "cannot ...". `needed` is in bytes."""
    meaning = MEANINGS.get(error.errno or 0) or Meaning(error.strerror or "unknown error", _DISK)
    message = f"cannot {doing}: {meaning.text} ({name_of(error)})"
    if error.errno not in FULL:
        return DestinationError(message, hint=meaning.hint or None)
    if free is not None:
        message += (
            f"; free: {human_bytes(free.bytes)} and {free.inodes:,} inodes; needed: {human_bytes(needed)}"
        )
    return DestinationFullError(message, hint=meaning.hint)


def refuse_irregular(status: os.stat_result) -> None:
    """Raise `ObjectPathError` unless `status` is that of a regular file."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISLNK(mode):
        raise ObjectPathError("symlink-in-the-way", "a symbolic link exists at the path of the file")
    if stat.S_ISDIR(mode):
        raise ObjectPathError("directory-in-the-way", "a directory exists at the path of the file")
    raise ObjectPathError("not-a-regular-file", "a FIFO, socket or device exists at the path of the file")


def name_of(error: OSError) -> str:
    """The name of the errno, for example `ENOSPC`."""
    return errno.errorcode.get(error.errno or 0, os.strerror(error.errno or 0))


class Limitations:
    """Collects what was refused, each sentence once. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}  # a dict as an ordered set
        self._returned = 0

    def tolerate(self, error: OSError, sentence: str) -> None:
        """Remember the sentence. Raises the error if it does not mean that the file system cannot do this."""
        if error.errno not in REFUSALS:
            raise error
        self._sentences.setdefault(sentence)

    def unreported(self) -> list[str]:
        """The sentences that no earlier call returned."""
        new = list(self._sentences)[self._returned :]
        self._returned += len(new)
        return new
