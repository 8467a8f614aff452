"""Files that are being written: temporary names in `.s3haul/tmp`, until somebody renames them.

OSErrors come out as they are; `Destination` knows what they mean.
"""

import contextlib
import itertools
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

Buffer = bytes | bytearray | memoryview

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
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

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.prefix = f"{secrets.token_hex(4)}-"
        self._numbers = itertools.count()

    def create(self, size: int) -> Temporary:
        """A new empty file, with the mode that it will have; nobody else can enter the directory."""
        name = f"{self.prefix}{next(self._numbers)}"
        return Temporary(os.open(name, _NEW, 0o666, dir_fd=self.fd), name, size)

    def finish(self, temporary: Temporary, mtime: float) -> None:
        """Set the time and close; closing reports writes that a network mount lost."""
        fd, nanoseconds = temporary.fd, _nanoseconds(mtime)
        os.utime(fd, ns=(nanoseconds, nanoseconds))
        temporary.fd = -1
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

    def clear(self, prefix: str) -> int:
        """Remove every file whose name begins so; how many there were."""
        with os.scandir(self.fd) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(prefix)]
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


def _nanoseconds(mtime: float) -> int:
    """`mtime` to the microsecond, moved into the years that file systems and calendars know; NaN is 1970."""
    return round(min(max(0.0, mtime), _LAST_SECOND) * 1e6) * 1000
