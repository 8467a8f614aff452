"""Does a disk tell apart the names that differ in case, Unicode form or a dot at the end? Found out by asking it."""

import contextlib
import os

from s3haul.core.keypath import STATE_DIRECTORY

_COMPOSED, _DECOMPOSED = "\u00e9", "e\u0301"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def folds_names(root_fd: int, temporary_fd: int, prefix: str) -> bool:
    """Whether the disk takes different names for one. `prefix` begins the name of a file that is made for
    that in the directory of temporary files, and removed.

    That another spelling of our directory exists is enough: FUSE gives it an inode number of its own. Where
    somebody made a directory of that name, some names are encoded without need.
    """
    for name in (STATE_DIRECTORY.upper(), STATE_DIRECTORY + "."):
        with contextlib.suppress(OSError):  # mostly: no such name
            os.stat(name, dir_fd=root_fd, follow_symlinks=False)
            return True
    return _folds_forms(temporary_fd, prefix)


def _folds_forms(directory_fd: int, prefix: str) -> bool:
    """Whether one name is another in another Unicode form. False where that cannot be tried (a full disk)."""
    name, other = ((prefix + form).encode() for form in (_COMPOSED, _DECOMPOSED))
    try:
        os.close(os.open(name, _NEW, 0o600, dir_fd=directory_fd))
    except OSError:
        return False
    try:
        os.stat(other, dir_fd=directory_fd, follow_symlinks=False)
    except OSError:
        return False
    finally:
        os.unlink(name, dir_fd=directory_fd)
    return True
