"""Reads the user's tree: through directory descriptors, without following symbolic links, without changing anything.

This is all that `verify` needs, also on read-only media. `destination` adds the operations that write.
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

# O_NONBLOCK: opening a FIFO would wait for a writer. It has no effect on regular files.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


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

        `absent` is a cache for many calls, while nobody creates directories: parents that cannot be opened are added
        to it, and are not tried again.
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
            raise self._path_error(error) from error

    def open_read(self, path: SafePath) -> int:
        """A descriptor to read the regular file `path`. Raises `ObjectPathError` if it is anything else."""
        leaf = leaf_name(path)
        try:
            parent = self._directories.hold(path.parts[:-1], create=False)
            try:
                refuse_irregular(os.stat(leaf, dir_fd=parent.fd, follow_symlinks=False))
                fd = os.open(leaf, _READ, dir_fd=parent.fd)
            finally:
                self._directories.release(parent)
        except OSError as error:
            raise self._path_error(error) from error
        try:
            # Check again: the file may have been replaced between stat and open. The stat before avoids opening a
            # device, which can have side effects.
            refuse_irregular(os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def free_space(self) -> FreeSpace:
        """Free bytes and inodes. Where the file system does not report them, they are `sys.maxsize`."""
        try:
            return _free_space(os.fstatvfs(self._root_fd))
        except OSError as error:
            raise run_error(error, f"use the destination {self.root}") from error

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
    there = next(path for path in (root, *root.parents) if path.exists())
    try:
        return _free_space(os.statvfs(there))
    except OSError as error:
        raise run_error(error, f"use the destination {root}") from error


def _free_space(space: os.statvfs_result) -> FreeSpace:
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
