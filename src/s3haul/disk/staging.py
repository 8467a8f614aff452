"""Files that are being written: they have temporary names in `.s3haul/tmp` until `Destination` renames them.

With the system calls for it that Python does not offer: reserving space, and syncing one file system.
OSErrors are not translated here; `Destination` does that.
"""

import contextlib
import ctypes
import errno
import itertools
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from s3haul.disk.errors import TIMES, Limitations

Buffer = bytes | bytearray | memoryview

# O_NONBLOCK and O_NOCTTY have no effect on files. They protect against a FIFO or terminal
# device with that name.
_AGAIN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = re.compile(r"[0-9a-f]{8}-[0-9]+", re.ASCII)
_BUFFERS = 1024  # IOV_MAX of Linux and macOS
_LAST_SECOND = 253402300799.0  # of the year 9999, the last that Python's datetime supports
_LIBC = ctypes.CDLL(None, use_errno=True)
_SYNCFS: Callable[[int], int] | None = getattr(_LIBC, "syncfs", None)
# glibc's fallocate64 takes 64-bit offsets on every platform; musl has only fallocate,
# with 64-bit offsets too.
_FALLOCATE = getattr(_LIBC, "fallocate64", None) or getattr(_LIBC, "fallocate", None)
if _FALLOCATE is not None:
    _FALLOCATE.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM})


@dataclass(slots=True)
class Temporary:
    """A file that is being written; it will have `size` bytes. `fd` is -1 after it is closed."""

    fd: int
    name: str
    size: int


class Staging:
    """The directory of temporary files, by its descriptor."""

    def __init__(self, fd: int, limitations: Limitations) -> None:
        self.fd = fd
        self._limitations = limitations
        self.prefix = f"{secrets.token_hex(4)}-"
        self._numbers = itertools.count()

    def create(self, size: int) -> Temporary:
        """Create an empty file, with its final mode (0666 minus umask):
        other users cannot enter the directory."""
        name = f"{self.prefix}{next(self._numbers)}"
        return Temporary(os.open(name, _NEW, 0o666, dir_fd=self.fd), name, size)

    def reopen(self, name: str, size: int) -> Temporary | None:
        """Open the file that an earlier run left; None if there is none that can be continued."""
        if not _NAME.fullmatch(name):
            return None
        try:
            fd = os.open(name, _AGAIN, dir_fd=self.fd)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ELOOP}:
                return None
            raise
        status = os.fstat(fd)
        # With a second hard link, writing would change a file somewhere else.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > size:
            os.close(fd)
            return None
        return Temporary(fd, name, size)

    def finish(self, temporary: Temporary, mtime: float) -> None:
        """Set the modification time, if the file system accepts it, and close. On a network mount, only close
        reports writes that failed."""
        fd, nanoseconds = temporary.fd, _nanoseconds(mtime)
        try:
            os.utime(fd, ns=(nanoseconds, nanoseconds))
        except OSError as error:
            self._limitations.tolerate(error, TIMES)
        temporary.fd = -1
        os.close(fd)

    def set_aside(self, temporary: Temporary) -> None:
        """Close the file and keep it for the next run."""
        fd, temporary.fd = temporary.fd, -1
        temporary.name = ""
        if fd >= 0:
            os.close(fd)

    def discard(self, temporary: Temporary) -> None:
        """Close and remove the file. A file that was renamed (its name is empty) is not touched."""
        fd, temporary.fd = temporary.fd, -1
        name, temporary.name = temporary.name, ""
        if fd >= 0:
            with contextlib.suppress(OSError):  # failed writes do not matter: the file is removed
                os.close(fd)
        if name:
            with contextlib.suppress(OSError):  # the next run cleans the directory
                os.unlink(name, dir_fd=self.fd)

    def space(self, name: str) -> int:
        """Bytes that a file occupies on the disk; 0 if it does not exist."""
        if not _NAME.fullmatch(name):
            return 0
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_blocks * 512
        except OSError:
            return 0

    def clear(self, kept: Collection[str]) -> int:
        """Remove every file except those in `kept`. Returns how many."""
        with os.scandir(self.fd) as entries:
            names = [entry.name for entry in entries if entry.name not in kept]
        for name in names:
            os.unlink(name, dir_fd=self.fd)
        return len(names)


def write_all(fd: int, buffers: Sequence[Buffer], size: int) -> None:
    """Write all `size` bytes of `buffers`, usually in one system call."""
    if not size:
        return
    written = os.writev(fd, buffers[:_BUFFERS])
    if written == size:
        return
    rest = memoryview(b"".join(buffers))[written:]
    while rest:
        rest = rest[os.write(fd, rest) :]


def write_at(fd: int, data: Buffer, offset: int) -> None:
    """Write all of `data` at `offset`."""
    written = os.pwrite(fd, data, offset)
    while written < len(data):
        written += os.pwrite(fd, memoryview(data)[written:], offset + written)


def _nanoseconds(mtime: float) -> int:
    """`mtime` rounded to microseconds and limited to the years 1970 to 9999; NaN becomes 1970."""
    return round(min(max(0.0, mtime), _LAST_SECOND) * 1e6) * 1000


def sync_file_system(fd: int) -> None:
    """Write everything in the page cache for the file system of `fd` to the disk.

    syncfs(2) reports failed writes since Linux 5.8. Other systems use sync(2), which reports no errors.
    """
    if _SYNCFS is None:
        os.sync()
    elif _SYNCFS(fd) != 0:
        raise _last_error()


def reserve(fd: int, size: int) -> None:
    """Reserve blocks for `size` bytes if the file system can. The length of the file does not change.

    Not posix_fallocate: it sets the length, so the length would no longer show how much was written, and
    where the file system does not support it, glibc writes to every block.
    """
    if _FALLOCATE is None or size <= 0:
        return
    while _FALLOCATE(fd, _KEEP_SIZE, 0, size) != 0:
        error = _last_error()
        if error.errno in _UNSUPPORTED:
            return
        if error.errno != errno.EINTR:
            raise error


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
