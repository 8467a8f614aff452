"""The destination directory: how files come into it, whole and nowhere else.

A file is written under a temporary name in `.s3haul/tmp` (the same file system, and cleaning up after a
crash needs no walk) and renamed to its place. All of it goes through directory descriptors; see
`directories`. Trouble with one object is an `ObjectPathError`, everything else a `DestinationError`.
"""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk.directories import Directories, name_bytes
from s3haul.disk.linux import reserve, sync_file_system
from s3haul.disk.lock import take_lock
from s3haul.disk.root import open_private, open_root, refuse_unwritable
from s3haul.disk.staging import Buffer, Staging, Temporary, write_all
from s3haul.disk.trouble import (
    FULL,
    FreeSpace,
    ObjectPathError,
    object_trouble,
    refuse_irregular,
    run_trouble,
)
from s3haul.errors import DestinationError
from s3haul.models import SafePath

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class FileStat(NamedTuple):
    """What stands at a path; a symlink is neither a regular file nor a directory. `mtime` in seconds."""

    size: int
    mtime: float
    is_regular: bool
    is_directory: bool


class Destination:
    """The root of the user's tree and our state in it. Safe to use from several threads at once.

    Made by `open`; ended by `close`, or used as a context manager.
    """

    def __init__(self, root: Path, root_fd: int, state_fd: int, temporary_fd: int) -> None:
        self.root = root
        self.state_path = root / STATE_DIRECTORY
        self._root_fd = root_fd
        self._fds = [temporary_fd, state_fd, root_fd]
        self._state_fd = state_fd
        self._staging = Staging(temporary_fd)
        self._directories = Directories(root_fd)

    @classmethod
    def open(cls, root: Path, *, force: bool = False) -> Self:
        """Open `root`, creating it as needed. Takes no lock.

        Raises `DestinationError`: not a directory, not writable; and unless `force`: `/`, the home
        directory, or a directory of somebody else.
        """
        with contextlib.ExitStack() as undo:
            root, root_fd = open_root(root, force=force)
            undo.callback(os.close, root_fd)
            state_fd = open_private(root, root_fd, STATE_DIRECTORY, force=force)
            undo.callback(os.close, state_fd)
            temporary_fd = open_private(root / STATE_DIRECTORY, state_fd, "tmp", force=force)
            undo.pop_all()
        return cls(root, root_fd, state_fd, temporary_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close everything and give up the lock. No other call may be under way or follow."""
        self._directories.forget()
        while self._fds:
            os.close(self._fds.pop())

    def lock(self) -> None:
        """Claim the destination until `close`. Raises `DestinationLockedError`, naming the owner."""
        self._fds.append(take_lock(self.root, self._state_fd))

    def clear_temporary(self) -> int:
        """Remove what earlier runs left in `.s3haul/tmp`; how many files. Only under the lock."""
        try:
            return self._staging.clear()
        except OSError as error:
            raise run_trouble(error, f"clean {self.state_path / 'tmp'}") from error

    def land(self, path: SafePath, body: Sequence[Buffer] | Buffer, mtime: float) -> None:
        """Make the file `path` of these bytes, in one call: for what fits into memory."""
        buffers = [body] if isinstance(body, Buffer) else body
        size = sum(map(len, buffers))
        temporary = self._create(size)
        try:
            write_all(temporary.fd, buffers, size)
            self._place(temporary, path, mtime)
        except OSError as error:
            raise self.trouble(error, needed=size) from error
        finally:
            self._staging.discard(temporary)

    def create_temporary(self, size: int) -> Temporary:
        """A new file for `size` bytes, with the space reserved where the file system can do that.

        Raises `DestinationFullError` when it cannot fit. The caller writes to `fd`, gives the OSErrors
        of that to `trouble`, and ends with `publish` or `discard`.
        """
        free = self.free_space()
        if size > free.bytes:
            full = OSError(errno.ENOSPC, "")
            raise run_trouble(full, f"write to {self.root}", free=free, needed=size)
        temporary = self._create(size)
        try:
            reserve(temporary.fd, size)
        except OSError as error:
            self._staging.discard(temporary)
            raise self.trouble(error, needed=size) from error
        return temporary

    def publish(self, temporary: Temporary, path: SafePath, mtime: float) -> None:
        """Give the finished file its name. After an error it is still there, to be discarded."""
        try:
            written = os.fstat(temporary.fd).st_size
            if written != temporary.size:
                message = f"{written} bytes were written, not {temporary.size}"
                raise ObjectPathError("wrong-size", message)
            self._place(temporary, path, mtime)
        except OSError as error:
            raise self.trouble(error, needed=temporary.size) from error

    def discard(self, temporary: Temporary) -> None:
        """Close and remove a temporary file; nothing happens to one that was published."""
        self._staging.discard(temporary)

    def make_directory(self, path: SafePath) -> None:
        """Make the directory `path` with its parents; one that exists is fine."""
        try:
            self._directories.release(self._directories.hold(path.parts, create=True))
        except OSError as error:
            raise self._path_trouble(error) from error

    def stat(self, path: SafePath) -> FileStat | None:
        """What stands at `path`, or None: also where a parent is absent or no directory."""
        if not path.parts:
            return _file_stat(os.fstat(self._root_fd))
        leaf = name_bytes(path.parts[-1], first=len(path.parts) == 1)
        try:
            parent = self._directories.hold(path.parts[:-1], create=False)
            try:
                return _file_stat(os.stat(leaf, dir_fd=parent.fd, follow_symlinks=False))
            finally:
                self._directories.release(parent)
        except (FileNotFoundError, ObjectPathError):
            return None
        except OSError as error:
            raise self._path_trouble(error) from error

    def open_read(self, path: SafePath) -> int:
        """A descriptor to read the regular file `path`. Raises `ObjectPathError` for anything else."""
        leaf = _leaf(path)
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

    def relocate(self, old: SafePath, new: SafePath) -> bool:
        """Rename the file `old` to `new`, replacing a file there. False if there is none."""
        found = self.stat(old)
        if found is None or not found.is_regular:
            return False
        try:
            parent = self._directories.hold(old.parts[:-1], create=False)
            try:
                self._rename(_leaf(old), parent.fd, new)
            finally:
                self._directories.release(parent)
        except OSError as error:
            raise self._path_trouble(error) from error
        return True

    def sync(self) -> None:
        """Everything landed so far survives a power loss when this returns."""
        try:
            sync_file_system(self._root_fd)
        except OSError as error:
            raise self._run_trouble(error) from error

    def free_space(self) -> FreeSpace:
        """Bytes and inodes that are left. File systems that do not count report no limit."""
        try:
            space = os.fstatvfs(self._root_fd)
        except OSError as error:
            raise run_trouble(error, f"use the destination {self.root}") from error
        return FreeSpace(
            space.f_bavail * space.f_frsize if space.f_blocks else sys.maxsize,
            space.f_favail if space.f_files else sys.maxsize,
        )

    def check_alive(self) -> None:
        """Raise `DestinationError` unless the root's path still names the directory that was opened.

        Also forgets the directories kept open, so that one that was moved away is noticed from now on.
        """
        try:
            same = os.path.samestat(self.root.stat(), os.fstat(self._root_fd))
        except OSError as error:
            raise run_trouble(error, f"find the destination {self.root} any more") from error
        if not same:
            raise DestinationError(
                f"the destination {self.root} was moved, unmounted or replaced",
                hint="bring it back, then run the same command again: it resumes",
            )
        self._directories.forget()

    def trouble(self, error: OSError, *, needed: int = 0) -> ObjectPathError | DestinationError:
        """What an error means that was met while writing a temporary file of `needed` bytes."""
        if error.errno == errno.EFBIG and (one_object := object_trouble(error)):
            return one_object
        return self._run_trouble(error, needed)

    def _create(self, size: int) -> Temporary:
        try:
            return self._staging.create(size)
        except OSError as error:
            raise self._run_trouble(error, size) from error

    def _place(self, temporary: Temporary, path: SafePath, mtime: float) -> None:
        self._staging.finish(temporary, mtime)
        self._rename(temporary.name, self._staging.fd, path)
        temporary.name = ""

    def _rename(self, name: str | bytes, source_fd: int, path: SafePath) -> None:
        """Move a file to `path`, making its directories; never over anything but a regular file."""
        try:
            try:
                self._rename_once(name, source_fd, path)
            except FileNotFoundError:
                # A directory that was kept open has been removed meanwhile: walk again, once.
                self.check_alive()
                self._rename_once(name, source_fd, path)
        except OSError as error:
            raise self._path_trouble(error) from error

    def _rename_once(self, name: str | bytes, source_fd: int, path: SafePath) -> None:
        leaf = _leaf(path)
        parent = self._directories.hold(path.parts[:-1], create=True)
        try:
            with contextlib.suppress(FileNotFoundError):
                refuse_irregular(os.stat(leaf, dir_fd=parent.fd, follow_symlinks=False))
            os.rename(name, leaf, src_dir_fd=source_fd, dst_dir_fd=parent.fd)
        finally:
            self._directories.release(parent)

    def _path_trouble(self, error: OSError) -> ObjectPathError | DestinationError:
        """What an error means that was met on the way to an object's place."""
        if error.errno == errno.ENOENT:
            self.check_alive()
        if error.errno in {errno.EACCES, errno.EPERM}:
            refuse_unwritable(self.root, self._root_fd)
        return object_trouble(error) or self._run_trouble(error)

    def _run_trouble(self, error: OSError, needed: int = 0) -> DestinationError:
        if error.errno == errno.ENOENT:
            self.check_alive()
        free = self.free_space() if error.errno in FULL else None
        return run_trouble(error, f"write to {self.root}", free=free, needed=needed)


def _leaf(path: SafePath) -> bytes:
    if path.directory or not path.parts:
        raise ValueError("the path of a directory, where a file's is needed")
    return name_bytes(path.parts[-1], first=len(path.parts) == 1)


def _file_stat(status: os.stat_result) -> FileStat:
    mode = status.st_mode
    return FileStat(status.st_size, status.st_mtime, stat.S_ISREG(mode), stat.S_ISDIR(mode))
