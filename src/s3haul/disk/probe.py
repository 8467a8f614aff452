"""Tests whether a file system distinguishes names that differ only in case, Unicode form or a dot at the end."""

import contextlib
import os
import unicodedata

from s3haul.core.keypath import STATE_DIRECTORY

# A name, and names that a file system may treat as equal to it: another case, Unicode form, a dot at the end.
_NAME = "Probe-\u00e9.bin"
_OTHERS = (_NAME.lower(), unicodedata.normalize("NFD", _NAME), _NAME + ".")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def folds_names(root_fd: int, temporary_fd: int, prefix: str) -> bool:
    """Whether the file system treats different names as equal. Creates a file in the directory of temporary files,
    whose name begins with `prefix`, and removes it.

    It is enough that another spelling of our state directory exists. Inode numbers are not compared, because FUSE
    gives the other spelling a different one. If somebody really created such a directory, some names are encoded
    without need.
    """
    for name in (STATE_DIRECTORY.upper(), STATE_DIRECTORY + "."):
        with contextlib.suppress(OSError):  # mostly: no such name
            os.stat(name, dir_fd=root_fd, follow_symlinks=False)
            return True
    return _confuses(temporary_fd, prefix)


def _confuses(directory_fd: int, prefix: str) -> bool:
    """Whether a file is found under another name. False if no file can be created (a full disk)."""
    name = (prefix + _NAME).encode()
    try:
        os.close(os.open(name, _NEW, 0o600, dir_fd=directory_fd))
    except OSError:
        return False
    try:
        return any(_is_there(directory_fd, prefix + other) for other in _OTHERS)
    finally:
        os.unlink(name, dir_fd=directory_fd)


def _is_there(directory_fd: int, name: str) -> bool:
    try:
        os.stat(name.encode(), dir_fd=directory_fd, follow_symlinks=False)
    except OSError:
        return False
    return True


def try_to_rename(temporary_fd: int, state_fd: int, prefix: str) -> None:
    """Rename a file from one directory to another, as every object is. Raises OSError where the disk refuses
    that; nothing is said of a disk that takes no file now."""
    name = (prefix + "probe").encode()
    try:
        os.close(os.open(name, _NEW, 0o600, dir_fd=temporary_fd))
    except OSError:
        return
    where = temporary_fd
    try:
        os.rename(name, b"probe", src_dir_fd=temporary_fd, dst_dir_fd=state_fd)
        name, where = b"probe", state_fd  # one name for all runs: what a crash leaves is overwritten
    finally:
        os.unlink(name, dir_fd=where)
