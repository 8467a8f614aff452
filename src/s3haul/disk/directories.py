"""Opens directories below the root without following symbolic links, and keeps the last ones open.

Each component is opened relative to the descriptor of its parent. If somebody replaces a directory by a symbolic link
afterwards, the descriptor still refers to the original directory, so no file is written outside the root.
"""

import contextlib
import os
import stat
from collections import OrderedDict
from threading import Lock

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk.errors import ObjectPathError

LIMIT = 64  # directories kept open

# O_PATH needs no read permission on the directory, only search permission (x).
_OPEN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Handle:
    """An open directory. `fd` is valid until the handle is released."""

    __slots__ = ("fd", "kept", "users")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.users = 1
        self.kept = True


class Directories:
    """A cache of directory descriptors by path. The least recently used one is closed first, but never while in use."""

    def __init__(self, root_fd: int, limit: int = LIMIT) -> None:
        self._root = Handle(root_fd)
        self._limit = limit
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, ...], Handle] = OrderedDict()

    def hold(self, parts: tuple[str, ...], *, create: bool) -> Handle:
        """Open the directory of `parts`; the caller releases it.

        Raises `ObjectPathError` if a component is not a directory; other OSErrors are not translated.
        """
        depth, handle = self._nearest(parts)
        while depth < len(parts):
            try:
                fd = _open_child(handle.fd, name_bytes(parts[depth], first=depth == 0), create=create)
            finally:
                self.release(handle)
            depth += 1
            handle = self._keep(parts[:depth], fd)
        return handle

    def release(self, handle: Handle) -> None:
        with self._lock:
            handle.users -= 1
            if not handle.users and not handle.kept:
                os.close(handle.fd)

    def forget(self) -> None:
        """Empty the cache: the next call opens all directories again from the root."""
        with self._lock:
            while self._kept:
                self._drop_oldest()

    def _nearest(self, parts: tuple[str, ...]) -> tuple[int, Handle]:
        with self._lock:
            for depth in range(len(parts), 0, -1):
                handle = self._kept.get(parts[:depth])
                if handle is not None:
                    self._kept.move_to_end(parts[:depth])
                    break
            else:
                depth, handle = 0, self._root
            handle.users += 1
            return depth, handle

    def _keep(self, parts: tuple[str, ...], fd: int) -> Handle:
        with self._lock:
            known = self._kept.get(parts)
            if known is not None:  # another thread opened it meanwhile
                os.close(fd)
                known.users += 1
                return known
            handle = self._kept[parts] = Handle(fd)
            while len(self._kept) > self._limit:
                self._drop_oldest()
            return handle

    def _drop_oldest(self) -> None:
        _, handle = self._kept.popitem(last=False)
        handle.kept = False
        if not handle.users:
            os.close(handle.fd)


def name_bytes(name: str, *, first: bool) -> bytes:
    """One component as stored on disk: UTF-8 in every locale. A second, independent check of its safety.

    Raises ValueError for a component that `core.keypath` never returns.
    """
    if name in {"", ".", ".."} or "/" in name or "\0" in name or (first and name.lower() == STATE_DIRECTORY):
        raise ValueError("not a safe path")
    return name.encode()


def _open_child(parent_fd: int, name: bytes, *, create: bool) -> int:
    try:
        return os.open(name, _OPEN, dir_fd=parent_fd)
    except FileNotFoundError:
        if not create:
            raise
    except NotADirectoryError:
        raise _not_a_directory(parent_fd, name) from None
    with contextlib.suppress(FileExistsError):  # another thread created it; the open below checks its type
        os.mkdir(name, 0o777, dir_fd=parent_fd)
    try:
        return os.open(name, _OPEN, dir_fd=parent_fd)
    except NotADirectoryError:
        raise _not_a_directory(parent_fd, name) from None


def _not_a_directory(parent_fd: int, name: bytes) -> ObjectPathError:
    shown = name.decode()
    if stat.S_ISLNK(os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode):
        return ObjectPathError("symlink-in-the-way", f"the directory {shown} is a symbolic link")
    return ObjectPathError("file-in-the-way", f"{shown} must be a directory, but it is a file")
