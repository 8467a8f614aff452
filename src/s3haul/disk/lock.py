"""One run per destination: an advisory lock, which the kernel releases however the process ends, SIGKILL included.

`take_lock` is for the run; `holder_of` reads who holds the lock, and creates and changes nothing.
"""

import errno
import fcntl
import os
from pathlib import Path

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.core.text import show
from s3haul.disk.errors import name_of, run_error
from s3haul.errors import DestinationError, DestinationLockedError

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


def take_lock(root: Path, state_fd: int, *, shared: bool = False) -> int:
    """The descriptor that holds the lock until it is closed; a `shared` one keeps out only those that are not.

    Raises `DestinationLockedError`, which names the process that holds it; `DestinationError` if the file system
    does not support locks.
    """
    # flock, not fcntl: a lock of fcntl is lost as soon as this process closes any other descriptor of the file.
    try:
        fd = os.open("lock", _OPEN, 0o600, dir_fd=state_fd)
    except OSError as error:
        raise run_error(error, f"lock the destination {root}") from error
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if not shared:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
    except OSError as error:
        owner = os.pread(fd, 200, 0).decode("utf-8", "replace")
        os.close(fd)
        if error.errno in _NO_LOCKS:
            raise _no_locks(root, error) from error
        if error.errno != errno.EWOULDBLOCK:
            raise run_error(error, f"lock the destination {root}") from error
        raise DestinationLockedError(
            f"another run uses {root}: {show(owner) or 'its process is unknown'}",
            hint="wait until it ends, or stop it",
            owner=owner,
        ) from None
    return fd


def try_lock(root: Path, fd: int) -> None:
    """Lock and unlock a file of our own. Raises `DestinationError` if the file system of `root` has no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise _no_locks(root, error) from error
        raise run_error(error, f"lock the destination {root}") from error


def _no_locks(root: Path, error: OSError) -> DestinationError:
    return DestinationError(
        f"cannot lock the destination {root}: the file system does not support locks ({name_of(error)})",
        hint="choose a destination on a local disk, or mount this one with lock support (Lustre: -o flock)",
    )


def holder_of(root: Path) -> str | None:
    """What the run that holds the lock wrote into the lock file ("" if nothing); None if no run holds it.

    The only way to know is to try the lock. It is tried in shared mode, without waiting, and released at once.
    """
    try:
        fd = os.open(root / STATE_DIRECTORY / "lock", _READ)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(fd, 200, 0).decode("utf-8", "replace")
    except OSError:  # a file system without locks: no run can start there
        return None
    finally:
        os.close(fd)
    return None
