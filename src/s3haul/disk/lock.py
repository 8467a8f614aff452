"""One run per destination: an advisory lock that the kernel drops with its processes, however they end."""

import errno
import fcntl
import os
import re
import time
from pathlib import Path

from s3haul.core.text import show
from s3haul.disk.trouble import run_trouble
from s3haul.errors import DestinationLockedError

LONGEST_FAREWELL = 5.0  # seconds that the engine processes of a killed run may take to notice
POLL = 0.02
_OWNER = re.compile(r"process (\d{1,9}) on (.*)", re.ASCII)

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def take_lock(root: Path, state_fd: int) -> int:
    """The descriptor that holds the lock until it is closed.

    Waits for a moment where the run that had it is dead and only its engine processes still hold it.
    Raises `DestinationLockedError` naming the process that has it, `DestinationError` where the file
    system cannot lock.
    """
    give_up = time.monotonic() + LONGEST_FAREWELL
    while True:
        try:
            return _try_lock(root, state_fd)
        except DestinationLockedError as locked:
            if _is_alive(locked.owner) or time.monotonic() > give_up:
                raise
        time.sleep(POLL)


def _is_alive(owner: str) -> bool:
    """Whether the process that wrote its name into the lock may still be there."""
    named = _OWNER.fullmatch(owner)
    if named is None or named[2] != os.uname().nodename:
        return True
    try:
        os.kill(int(named[1]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _try_lock(root: Path, state_fd: int) -> int:
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
