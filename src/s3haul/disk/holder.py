"""Who works on a destination now, for those that only look: nothing is made or changed there."""

import fcntl
import os
from pathlib import Path

from s3haul.core.keypath import STATE_DIRECTORY

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def holder_of(root: Path) -> str | None:
    """What the run that holds the lock wrote into it about itself ("" if nothing); None where no run does.

    Asking for the lock is the only way to know. It is asked for shared, without waiting, and given back at once.
    """
    try:
        fd = os.open(root / STATE_DIRECTORY / "lock", _OPEN)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(fd, 200, 0).decode("utf-8", "replace")
    except OSError:  # a file system that cannot lock, where no run could begin
        return None
    finally:
        os.close(fd)
    return None
