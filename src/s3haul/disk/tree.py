"""The user's tree as it is read: through directory descriptors, never following a symlink, changing nothing.

Enough for `verify`, also on read-only media; `destination` adds what writes.
"""

import errno
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple, Self

from s3haul.disk.directories import Directories, name_bytes
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


class FileStat(NamedTuple):
    """What stands at a path; a symlink is neither a regular file nor a directory. `mtime` in seconds."""

    size: int
    mtime: float
    is_regular: bool
    is_directory: bool


class Tree:
    """A root directory and what is below it. Safe to use from several threads at once.

    Made by `open`; ended by `close`, or used as a context manager.
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
        """Close everything and give up the lock. No other call may be under way or follow."""
        self._directories.forget()
        while self._fds:
            os.close(self._fds.pop())

    def stat(self, path: SafePath, absent: set[tuple[str, ...]] | None = None) -> FileStat | None:
        """What stands at `path`, or None: also where a parent is absent or no directory.

        Parents that cannot be opened are added to `absent`, and those in it are not asked for again: for many
        paths while nobody makes their directories.
        """
        if not path.parts:
            return _file_stat(os.fstat(self._root_fd))
        leaf, parts = name_bytes(path.parts[-1], first=len(path.parts) == 1), path.parts[:-1]
        if absent and parts in absent:
            return None
        try:
            try:
                parent = self._directories.hold(parts, create=False)
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
            raise self._path_trouble(error) from error

    def open_read(self, path: SafePath) -> int:
        """A descriptor to read the regular file `path`. Raises `ObjectPathError` for anything else."""
        leaf = leaf_name(path)
        try:
            parent = self._directories.hold(path.parts[:-1], create=False)
            try:
                refuse_irregular(os.stat(leaf, dir_fd=parent.fd, follow_symlinks=False))
                fd = os.open(leaf, _READ, dir_fd=parent.fd)
            finally:
                self._directories.release(parent)
        except OSError as error:
            raise self._path_trouble(error) from error
        try:
            refuse_irregular(os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def free_space(self) -> FreeSpace:
        """Bytes and inodes that are left. File systems that do not count report no limit."""
        try:
            return _free_space(os.fstatvfs(self._root_fd))
        except OSError as error:
            if error.errno in _NOT_COUNTED:
                return FreeSpace(sys.maxsize, sys.maxsize)
            raise run_error(error, f"use the destination {self.root}") from error

    def check_alive(self) -> None:
        """Raise `DestinationError` unless the root's path still names the directory that was opened.

        Also forgets the directories kept open, so that one that was moved away is noticed from now on.
        """
        try:
            same = os.path.samestat(self.root.stat(), os.fstat(self._root_fd))
        except OSError as error:
            raise run_error(error, f"find the destination {self.root} any more") from error
        if not same:
            raise DestinationError(
                f"the destination {self.root} was moved, unmounted or replaced",
                hint="bring it back, then run the same command again: it resumes",
            )
        self._directories.forget()

    def _path_trouble(self, error: OSError) -> ObjectPathError | DestinationError:
        """What an error means that was met on the way to an object's place."""
        if error.errno == errno.ENOENT:
            self.check_alive()
        return object_error(error) or self._run_trouble(error)

    def _run_trouble(self, error: OSError, needed: int = 0) -> DestinationError:
        if error.errno == errno.ENOENT:
            self.check_alive()
        free = self.free_space() if error.errno in FULL else None
        return run_error(error, f"use {self.root}", free=free, needed=needed)


def free_space_for(root: Path) -> FreeSpace:
    """Bytes and inodes that are left where `root` is or would be made. Raises `DestinationError`."""
    root = root.absolute()
    there = next(path for path in (root, *root.parents) if path.exists())
    try:
        return _free_space(os.statvfs(there))
    except OSError as error:
        if error.errno in _NOT_COUNTED:
            return FreeSpace(sys.maxsize, sys.maxsize)
        raise run_error(error, f"use the destination {root}") from error


def _free_space(space: os.statvfs_result) -> FreeSpace:
    return FreeSpace(
        space.f_bavail * space.f_frsize if space.f_blocks else sys.maxsize,
        space.f_favail if space.f_files else sys.maxsize,
    )


def leaf_name(path: SafePath) -> bytes:
    if path.directory or not path.parts:
        raise ValueError("the path of a directory, where a file's is needed")
    return name_bytes(path.parts[-1], first=len(path.parts) == 1)


def _file_stat(status: os.stat_result) -> FileStat:
    mode = status.st_mode
    return FileStat(status.st_size, status.st_mtime, stat.S_ISREG(mode), stat.S_ISDIR(mode))
