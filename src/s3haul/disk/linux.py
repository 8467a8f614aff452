"""Two Linux system calls that Python does not offer, with fallbacks elsewhere."""

import ctypes
import errno
import os
from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYNCFS: Callable[[int], int] | None = getattr(_LIBC, "syncfs", None)
# glibc's fallocate64 takes 64-bit offsets on every machine; musl has only fallocate, with the same.
_FALLOCATE = getattr(_LIBC, "fallocate64", None) or getattr(_LIBC, "fallocate", None)
if _FALLOCATE is not None:
    _FALLOCATE.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM})


def sync_file_system(fd: int) -> None:
    """Everything written so far to the file system of `fd` is on the disk when this returns.

    syncfs(2) reports lost writes since Linux 5.8. Elsewhere sync(2), which reports nothing.
    """
    if _SYNCFS is None:
        os.sync()
    elif _SYNCFS(fd) != 0:
        raise _last_error()


def reserve(fd: int, size: int) -> None:
    """Reserve blocks for `size` bytes where the file system can; the file's length stays what it is.

    Not posix_fallocate: that sets the length, which then no longer tells how much was written, and
    glibc writes to every block where the file system has no such call.
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
