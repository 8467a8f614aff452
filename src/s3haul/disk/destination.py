"""The destination directory: how files come into it, whole and nowhere else.

A file is written under a temporary name in `.s3haul/tmp` (the same file system, and cleaning up after a
crash needs no walk) and renamed to its place. All of it goes through directory descriptors; see
`directories`. Trouble with one object is an `ObjectPathError`, everything else a `DestinationError`.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk.errors import (
    ObjectPathError,
    object_error,
    refuse_irregular,
    run_error,
)
from s3haul.disk.limitations import SYNC, Limitations
from s3haul.disk.linux import reserve, sync_file_system
from s3haul.disk.lock import take_lock
from s3haul.disk.names import Names
from s3haul.disk.probe import folds_names
from s3haul.disk.root import open_private, open_root, refuse_unwritable
from s3haul.disk.staging import Buffer, Staging, Temporary, write_all, write_at
from s3haul.disk.tree import Tree, leaf_name
from s3haul.disk.under_way import UnderWay
from s3haul.errors import DestinationError
from s3haul.models import SafePath


class Destination(Tree):
    """The root of the user's tree and our state in it. Safe to use from several threads at once.

    Made by `open`; ended by `close`, or used as a context manager.
    """

    def __init__(
        self, root: Path, root_fd: int, state_fd: int, temporary_fd: int, limitations: Limitations
    ) -> None:
        super().__init__(root, root_fd)
        self.state_path = root / STATE_DIRECTORY
        self._fds += [state_fd, temporary_fd]
        self._state_fd = state_fd
        self._staging = Staging(temporary_fd, limitations)
        self._limitations = limitations
        self._names: Names | None = None
        self.under_way = UnderWay()

    @classmethod
    def open(cls, root: Path, *, force: bool = False) -> Self:
        """Open `root`, creating it as needed. Takes no lock.

        Raises `DestinationError`: not a directory, not writable; and unless `force`: `/`, the home
        directory, or a directory of somebody else.
        """
        with contextlib.ExitStack() as undo:
            limitations = Limitations()
            root, root_fd = open_root(root, force=force)
            undo.callback(os.close, root_fd)
            state_fd = open_private(root, root_fd, STATE_DIRECTORY, limitations, force=force)
            undo.callback(os.close, state_fd)
            temporary_fd = open_private(root / STATE_DIRECTORY, state_fd, "tmp", limitations, force=force)
            undo.callback(os.close, temporary_fd)
            destination = cls(root, root_fd, state_fd, temporary_fd, limitations)
            if folds_names(root_fd, temporary_fd, destination._staging.prefix):
                destination._names = Names(destination.state_path)
            undo.pop_all()
        return destination

    def lock(self) -> None:
        """Claim the destination until `close`. Raises `DestinationLockedError`, naming the owner."""
        self._fds.append(take_lock(self.root, self._state_fd))

    def close(self) -> None:
        """As `Tree.close`; what `settle` found out is kept."""
        try:
            if self._names is not None:
                self._names.close()
        finally:
            super().close()

    def untold_limitations(self) -> list[str]:
        """What this disk refuses and the run goes on without: the sentences that no earlier call returned."""
        return self._limitations.untold()

    @property
    def folds_names(self) -> bool:
        """Whether the disk takes names for one another that differ in case, Unicode form and the like."""
        return self._names is not None

    def settle(self, path: SafePath) -> SafePath:
        """Where the object of `path` goes on this disk: `path`, unless the disk would take a component of it
        for another one that an earlier call settled, in this run or one before. Nothing else is looked at,
        so all keys must be settled in the order of the listing. Raises `DestinationError`."""
        return path if self._names is None else self._names.settle(path)

    def clear_temporary(self, prefix: str = "", kept: Collection[str] = ()) -> int:
        """Remove what was left in `.s3haul/tmp`, by earlier runs or under this prefix, except the names
        `kept`; how many files. Only under the lock, and only where nobody is at work."""
        try:
            return self._staging.clear(prefix, kept)
        except OSError as error:
            raise run_error(error, f"clean {self.state_path / 'tmp'}") from error

    def write_file(self, path: SafePath, body: Sequence[Buffer] | Buffer, mtime: float) -> None:
        """Make the file `path` of these bytes, in one call: for what fits into memory."""
        buffers = [body] if isinstance(body, Buffer) else body
        size = sum(map(len, buffers))
        with self.under_way:
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
            raise run_error(full, f"write to {self.root}", free=free, needed=size)
        temporary = self._create(size)
        try:
            reserve(temporary.fd, size)
        except OSError as error:
            self._staging.discard(temporary)
            raise self.trouble(error, needed=size) from error
        return temporary

    def reopen_temporary(self, name: str, size: int) -> Temporary | None:
        """The file that an earlier run left for an object of `size` bytes; None where it is of no use."""
        try:
            return self._staging.reopen(name, size)
        except OSError as error:
            raise self._run_trouble(error, size) from error

    def write(self, temporary: Temporary, data: Buffer, offset: int) -> None:
        """Write all of `data` at `offset`. Raises as `create_temporary`."""
        try:
            with self.under_way:
                write_at(temporary.fd, data, offset)
        except OSError as error:
            raise self.trouble(error, needed=temporary.size) from error

    def read(self, temporary: Temporary, size: int, offset: int) -> bytes:
        """At most `size` bytes of what was written at `offset`; none behind the end of the file."""
        try:
            return os.pread(temporary.fd, size, offset)
        except OSError as error:
            raise self._run_trouble(error) from error

    def publish(self, temporary: Temporary, path: SafePath, mtime: float) -> None:
        """Give the finished file its name. After an error it is still there, to be discarded."""
        try:
            with self.under_way:
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

    def set_aside(self, temporary: Temporary) -> None:
        """Close a temporary file and leave it to the next run."""
        self._staging.set_aside(temporary)

    def temporary_space(self, name: str) -> int:
        """Bytes on the disk that a file of an earlier run holds, reserved ones included."""
        return self._staging.space(name)

    def remove_temporary(self, name: str) -> None:
        """Remove a file that an earlier run left, if it is still there."""
        temporary = self.reopen_temporary(name, sys.maxsize)
        if temporary is not None:
            self.discard(temporary)

    def make_directory(self, path: SafePath) -> None:
        """Make the directory `path` with its parents; one that exists is fine."""
        try:
            self._directories.release(self._directories.hold(path.parts, create=True))
        except OSError as error:
            raise self._path_trouble(error) from error

    def relocate(self, old: SafePath, new: SafePath) -> bool:
        """Rename the file `old` to `new`, replacing a file there. False if there is none."""
        found = self.stat(old)
        if found is None or not found.is_regular:
            return False
        try:
            parent = self._directories.hold(old.parts[:-1], create=False)
            try:
                self._rename(leaf_name(old), parent.fd, new)
            finally:
                self._directories.release(parent)
        except OSError as error:
            raise self._path_trouble(error) from error
        return True

    def sync(self) -> None:
        """Everything landed and settled so far survives a power loss when this returns."""
        if self._names is not None:
            self._names.commit()
        try:
            with self.under_way:
                try:
                    sync_file_system(self._root_fd)
                except OSError as error:
                    self._limitations.tolerate(error, SYNC)
                    os.sync()
        except OSError as error:
            raise self._run_trouble(error) from error

    def trouble(self, error: OSError, *, needed: int = 0) -> ObjectPathError | DestinationError:
        """What an error means that was met while writing a temporary file of `needed` bytes."""
        if error.errno == errno.EFBIG and (one_object := object_error(error)):
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
        leaf = leaf_name(path)
        parent = self._directories.hold(path.parts[:-1], create=True)
        try:
            with contextlib.suppress(FileNotFoundError):
                refuse_irregular(os.stat(leaf, dir_fd=parent.fd, follow_symlinks=False))
            os.rename(name, leaf, src_dir_fd=source_fd, dst_dir_fd=parent.fd)
        finally:
            self._directories.release(parent)

    def _path_trouble(self, error: OSError) -> ObjectPathError | DestinationError:
        if error.errno in {errno.EACCES, errno.EPERM}:
            refuse_unwritable(self.root, self._root_fd)
        return super()._path_trouble(error)
