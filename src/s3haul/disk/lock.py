"""One run per destination: an advisory lock that the kernel drops with its processes, however they end."""

import errno
import fcntl
import os
from pathlib import Path

from s3haul.core.text import show
from s3haul.disk.trouble import run_trouble
from s3haul.errors import DestinationLockedError

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def take_lock(root: Path, state_fd: int) -> int:
    """The descriptor that holds the lock until it is closed.

    Raises `DestinationLockedError` naming the process that has it, `DestinationError` where the file
    system cannot lock.
    """
    try:
        fd = os.open("lock", _OPEN, 0o600, dir_fd=state_fd)
    except OSError as error:
        raise run_trouble(error, f"lock the destination {root}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
    except OSError as error:
        owner = os.pread(fd, 200, 0).decode("utf-8", "replace")
        os.close(fd)
        if error.errno != errno.EWOULDBLOCK:
            raise run_trouble(error, f"lock the destination {root}") from error
        raise DestinationLockedError(
            f"another run works on {root}: {show(owner) or 'its process is not known'}",
            hint="wait until it ends, or stop it",
            owner=owner,
        ) from None
    return fd
