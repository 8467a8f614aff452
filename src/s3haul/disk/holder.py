"""Which run uses a destination now. Read-only: creates and changes nothing there."""

import fcntl
import os
from pathlib import Path

from s3haul.core.keypath import STATE_DIRECTORY

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def holder_of(root: Path) -> str | None:
    """What the run that holds the lock wrote into the lock file ("" if nothing); None if no run holds it.

    The only way to know is to try the lock. It is tried in shared mode, without waiting, and released at once.
    """
    try:
        fd = os.open(root / STATE_DIRECTORY / "lock", _OPEN)
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
