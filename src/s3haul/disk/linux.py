"""Two Linux system calls that Python does not offer, with fallbacks elsewhere."""

import ctypes
import errno
import os
from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYNCFS: Callable[[int], int] | None = getattr(_LIBC, "syncfs", None)
# glibc's fallocate64 takes 64-bit offsets on every platform; musl has only fallocate, with 64-bit offsets too.
_FALLOCATE = getattr(_LIBC, "fallocate64", None) or getattr(_LIBC, "fallocate", None)
if _FALLOCATE is not None:
    _FALLOCATE.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM})


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

    Not posix_fallocate: it sets the length, so the length would no longer show how much was written, and where the
    file system does not support it, glibc writes to every block.
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
