"""Reads the user's tree: through directory descriptors, without following symbolic links,
without changing anything.

Each directory is opened relative to the descriptor of its parent. If somebody replaces it by a symbolic
link afterwards, the descriptor still refers to the original directory, so nothing outside the root is
read or written. This is all that `verify` needs, also on read-only media. `destination` adds the
operations that write.
"""

import contextlib
import errno
import os
import stat
import sys
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Self

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk.errors import (
    FULL,
    FreeSpace,
    ObjectPathError,
    object_error,
    refuse_irregular,
    run_error,
)
from s3haul.errors import DestinationError
from s3haul.models import SafePath

_NOT_COUNTED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})  # there is no statvfs
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
LIMIT = 64  # directories kept open
# O_PATH needs no read permission on the directory, only search permission (x).
_OPEN = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FileStat(NamedTuple):
    """What exists at a path. For a symbolic link both flags are false. `mtime` is in seconds since 1970."""

    size: int
    mtime: float
    is_regular: bool
    is_directory: bool


class Tree:
    """A root directory and everything below it. Safe to use from several threads at once.

    Create it with `open`; end it with `close`, or use it as a context manager.
    """

    def __init__(self, root: Path, root_fd: int) -> None:
        self.root = root
        self._root_fd = root_fd
        self._fds = [root_fd]
        self._directories = Directories(root_fd)

    @classmethod
    def open(cls, root: Path) -> Self:
        """Open an existing `root`. Raises `DestinationError`."""
        root = root.absolute()
        try:
            return cls(root, os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise run_error(error, f"read {root}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all descriptors and release the lock. No other call may be running, or follow."""
        self._directories.forget()
        while self._fds:
            os.close(self._fds.pop())

    def stat(self, path: SafePath, absent: set[tuple[str, ...]] | None = None) -> FileStat | None:
        """What exists at `path`; None if nothing does, or if a parent does not exist or is not a directory.

        `absent` is a cache for many calls, while nobody creates directories: parents that cannot be opened
        are added to it, and are not tried again.
        """
        if not path.parts:
            return _file_stat(os.fstat(self._root_fd))
        leaf, parts = name_bytes(path.parts[-1], first=len(path.parts) == 1), path.parts[:-1]
        if absent and parts in absent:
            return None
        try:
            try:
                parent = self._directories.acquire(parts, create=False)
            except (FileNotFoundError, ObjectPathError):
                if absent is not None:
                    absent.add(parts)
                return None
            try:
                return _file_stat(os.stat(leaf, dir_fd=parent.fd, follow_symlinks=False))
            finally:
                self._directories.release(parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._path_error(error) from error

    def open_read(self, path: SafePath) -> int:
        """A descriptor to read the regular file `path`. Raises `ObjectPathError` if it is anything else."""
        leaf = leaf_name(path)
        try:
            parent = self._directories.acquire(path.parts[:-1], create=False)
            try:
                refuse_irregular(os.stat(leaf, dir_fd=parent.fd, follow_symlinks=False))
                fd = os.open(leaf, _READ, dir_fd=parent.fd)
            finally:
                self._directories.release(parent)
        except OSError as error:
            raise self._path_error(error) from error
        try:
            # Check again: the file may have been replaced between stat and open. The stat before avoids
            # opening a device, which can have side effects.
            refuse_irregular(os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def free_space(self) -> FreeSpace:
        """Free bytes and inodes. Where the file system does not report them, they are `sys.maxsize`."""
        return _free_space(self.root, self._root_fd)

    def check_alive(self) -> None:
        """Raise `DestinationError` unless the path of the root still names the directory that was opened.

        Also closes all cached directories, so that one that was moved away is not written to any more.
        """
        try:
            same = os.path.samestat(self.root.stat(), os.fstat(self._root_fd))
        except OSError as error:
            raise run_error(error, f"access the destination {self.root} any more") from error
        if not same:
            raise DestinationError(
                f"the destination {self.root} was moved, unmounted or replaced",
                hint="restore it, then run the same command again: it resumes",
            )
        self._directories.forget()

    def _path_error(self, error: OSError) -> ObjectPathError | DestinationError:
        """The error to raise for an OSError on the path of an object."""
        if error.errno == errno.ENOENT:
            self.check_alive()
        return object_error(error) or self._run_error(error)

    def _run_error(self, error: OSError, needed: int = 0) -> DestinationError:
        if error.errno == errno.ENOENT:
            self.check_alive()
        free = self.free_space() if error.errno in FULL else None
        return run_error(error, f"use {self.root}", free=free, needed=needed)


def free_space_for(root: Path) -> FreeSpace:
    """Free bytes and inodes where `root` is, or would be created. Raises `DestinationError`."""
    root = root.absolute()
    return _free_space(root, next(path for path in (root, *root.parents) if path.exists()))


def _free_space(root: Path, place: int | Path) -> FreeSpace:
    try:
        space = os.statvfs(place)
    except OSError as error:
        if error.errno in _NOT_COUNTED:
            return FreeSpace(sys.maxsize, sys.maxsize)
        raise run_error(error, f"use the destination {root}") from error
    return FreeSpace(
        space.f_bavail * space.f_frsize if space.f_blocks else sys.maxsize,
        space.f_favail if space.f_files else sys.maxsize,
    )


def leaf_name(path: SafePath) -> bytes:
    if path.directory or not path.parts:
        raise ValueError("the path of a file is needed, not of a directory")
    return name_bytes(path.parts[-1], first=len(path.parts) == 1)


def _file_stat(status: os.stat_result) -> FileStat:
    mode = status.st_mode
    return FileStat(status.st_size, status.st_mtime, stat.S_ISREG(mode), stat.S_ISDIR(mode))


class Handle:
    """An open directory. `fd` is valid until the handle is released."""

    __slots__ = ("fd", "kept", "users")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.users = 1
        self.kept = True


class Directories:
    """A cache of directory descriptors by path. The least recently used one is closed first,
    but never while in use."""

    def __init__(self, root_fd: int, limit: int = LIMIT) -> None:
        self._root = Handle(root_fd)
        self._limit = limit
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, ...], Handle] = OrderedDict()

    def acquire(self, parts: tuple[str, ...], *, create: bool) -> Handle:
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
