"""Files that are being written: temporary names in `.s3haul/tmp`, until somebody renames them.

OSErrors come out as they are; `Destination` knows what they mean.
"""

import contextlib
import errno
import itertools
import os
import re
import secrets
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from s3haul.disk.limitations import TIMES, Limitations

Buffer = bytes | bytearray | memoryview

_AGAIN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = re.compile(r"[0-9a-f]{8}-[0-9]+", re.ASCII)
_BUFFERS = 1024  # IOV_MAX of Linux and macOS
_LAST_SECOND = 253402300799.0  # of the year 9999, where calendars end


@dataclass(slots=True)
class Temporary:
    """A file that is being written, with `size` bytes in the end. `fd` is -1 once it is closed."""

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
        """A new empty file, with the mode that it will have; nobody else can enter the directory."""
        name = f"{self.prefix}{next(self._numbers)}"
        return Temporary(os.open(name, _NEW, 0o666, dir_fd=self.fd), name, size)

    def reopen(self, name: str, size: int) -> Temporary | None:
        """The file that an earlier run left, or None where there is none that can be gone on with."""
        if not _NAME.fullmatch(name):
            return None
        try:
            fd = os.open(name, _AGAIN, dir_fd=self.fd)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ELOOP}:
                return None
            raise
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > size:
            os.close(fd)
            return None
        return Temporary(fd, name, size)

    def finish(self, temporary: Temporary, mtime: float) -> None:
        """Set the time, where the disk takes it, and close; closing reports writes that a network mount lost."""
        fd, nanoseconds = temporary.fd, _nanoseconds(mtime)
        try:
            os.utime(fd, ns=(nanoseconds, nanoseconds))
        except OSError as error:
            self._limitations.tolerate(error, TIMES)
        temporary.fd = -1
        os.close(fd)

    def set_aside(self, temporary: Temporary) -> None:
        """Close, and leave the file to the next run."""
        fd, temporary.fd = temporary.fd, -1
        temporary.name = ""
        if fd >= 0:
            os.close(fd)

    def discard(self, temporary: Temporary) -> None:
        """Close and remove; nothing happens to a file that was renamed (its name is empty)."""
        fd, temporary.fd = temporary.fd, -1
        name, temporary.name = temporary.name, ""
        if fd >= 0:
            with contextlib.suppress(OSError):  # its bytes are not wanted any more
                os.close(fd)
        if name:
            with contextlib.suppress(OSError):  # the next run clears the directory
                os.unlink(name, dir_fd=self.fd)

    def space(self, name: str) -> int:
        """Bytes on the disk that a file holds; 0 for one that is not there."""
        try:
            return (
                os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_blocks * 512
                if _NAME.fullmatch(name)
                else 0
            )
        except OSError:
            return 0

    def clear(self, prefix: str, kept: Collection[str]) -> int:
        """Remove every file whose name begins so, but those `kept`; how many there were."""
        with os.scandir(self.fd) as entries:
            found = [entry.name for entry in entries]
        names = [name for name in found if name.startswith(prefix) and name not in kept]
        for name in names:
            os.unlink(name, dir_fd=self.fd)
        return len(names)


def write_all(fd: int, buffers: Sequence[Buffer], size: int) -> None:
    """Write all `size` bytes of `buffers`, mostly in one system call."""
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
    """`mtime` to the microsecond, moved into the years that file systems and calendars know; NaN is 1970."""
    return round(min(max(0.0, mtime), _LAST_SECOND) * 1e6) * 1000
