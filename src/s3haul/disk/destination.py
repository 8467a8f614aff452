"""The destination directory: writes files into it, complete ones only, and never outside it.

A file is written under a temporary name in `.s3haul/tmp`, then renamed to its final name. That directory is
on the same file system, as rename needs, and cleaning it after a crash needs no walk of the tree. All paths
are opened relative to directory descriptors (see `tree`). An error of one object is an `ObjectPathError`,
every other error a `DestinationError`.
"""

import contextlib
import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Self

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk.errors import (
    SYNC,
    Limitations,
    ObjectPathError,
    object_error,
    refuse_irregular,
    run_error,
)
from s3haul.disk.names import Names
from s3haul.disk.probe import names_are_folded
from s3haul.disk.root import SHARDS, open_private, open_root, refuse_unwritable, take_lock
from s3haul.disk.staging import Buffer, Staging, Temporary, reserve, sync_file_system, write_all, write_at
from s3haul.disk.tree import Tree, leaf_name
from s3haul.errors import DestinationError
from s3haul.models import SafePath


class Destination(Tree):
    """The root of the user's tree, with our state directory in it. Safe to use from several threads at once.

    Create it with `open`; end it with `close`, or use it as a context manager.
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
        self._shared = False
        self.under_way = UnderWay()

    @classmethod
    def open(cls, root: Path, *, force: bool = False, shard: str | None = None) -> Self:
        """Open `root`, creating it as needed. Takes no lock. For one of several runs at a time, `shard` names
        its directory of temporary files.

        Raises `DestinationError` if it is not a directory or not writable, and, without `force`, if it is
        `/`, the home directory, or owned by another user.
        """
        with contextlib.ExitStack() as undo:
            limitations = Limitations()
            root, root_fd = open_root(root, force=force)
            undo.callback(os.close, root_fd)
            state_fd = open_private(root, root_fd, STATE_DIRECTORY, limitations, force=force)
            undo.callback(os.close, state_fd)
            names = ("tmp",) if shard is None else (SHARDS, shard)
            parent, temporary_fd = root / STATE_DIRECTORY, os.dup(state_fd)
            undo.callback(lambda: os.close(temporary_fd))
            for name in names:
                outer, temporary_fd = (
                    temporary_fd,
                    open_private(parent, temporary_fd, name, limitations, force=force),
                )
                os.close(outer)
                parent /= name
            destination = cls(root, root_fd, state_fd, temporary_fd, limitations)
            destination._shared = shard is not None
            if names_are_folded(root, root_fd, state_fd, temporary_fd, destination._staging.prefix):
                destination._names = Names(destination.state_path)
            undo.pop_all()
        return destination

    def lock(self) -> None:
        """Claim the destination until `close`, a shard together with others.
        Raises `DestinationLockedError`, naming the owner."""
        self._fds.append(take_lock(self.root, self._state_fd, shared=self._shared))

    def close(self) -> None:
        """As `Tree.close`. Also commits the names that `path_on_disk` chose."""
        try:
            if self._names is not None:
                self._names.close()
        finally:
            super().close()

    def unreported_limitations(self) -> list[str]:
        """What this file system does not support (the run continues):
        the sentences that no earlier call returned."""
        return self._limitations.unreported()

    @property
    def folds_names(self) -> bool:
        """Whether the file system treats names as equal that differ in case or Unicode form, for example."""
        return self._names is not None

    def path_on_disk(self, path: SafePath) -> SafePath:
        """The path to use on this file system: `path` itself, or one with other spellings of those
        components that the file system would treat as equal to a component of an earlier call, in this
        run or a previous one.

        The result depends only on earlier calls, so call it for all keys in the order of the listing, or a
        second run could choose other names. Raises `DestinationError`.
        """
        return path if self._names is None else self._names.path_on_disk(path)

    def clear_temporary(self, kept: Collection[str] = ()) -> int:
        """Remove the files in `.s3haul/tmp`, except the names `kept`. Returns how many.

        Call it only with the lock held, and while no file is being written.
        """
        try:
            return self._staging.clear(kept)
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
                raise self.write_error(error, needed=size) from error
            finally:
                self._staging.discard(temporary)

    def create_temporary(self, size: int) -> Temporary:
        """Create a file for `size` bytes, and reserve its space if the file system can.

        Raises `DestinationFullError` if it does not fit. The caller writes to `fd`, passes an OSError of that
        to `write_error`, and ends with `publish`, `set_aside` or `discard`.
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
            raise self.write_error(error, needed=size) from error
        return temporary

    def reopen_temporary(self, name: str, size: int) -> Temporary | None:
        """Open the file that an earlier run left for an object of `size` bytes;
        None if it cannot be continued."""
        try:
            return self._staging.reopen(name, size)
        except OSError as error:
            raise self._run_error(error, size) from error

    def write(self, temporary: Temporary, data: Buffer, offset: int) -> None:
        """Write all of `data` at `offset`. Raises as `create_temporary`."""
        try:
            with self.under_way:
                write_at(temporary.fd, data, offset)
        except OSError as error:
            raise self.write_error(error, needed=temporary.size) from error

    def read(self, temporary: Temporary, size: int, offset: int) -> bytes:
        """Read at most `size` bytes at `offset`; b"" at the end of the file."""
        try:
            return os.pread(temporary.fd, size, offset)
        except OSError as error:
            raise self._run_error(error) from error

    def publish(self, temporary: Temporary, path: SafePath, mtime: float) -> None:
        """Rename the complete file to its final name. After an error the caller must still discard it."""
        try:
            with self.under_way:
                written = os.fstat(temporary.fd).st_size
                if written != temporary.size:
                    message = f"{written} bytes were written, not {temporary.size}"
                    raise ObjectPathError("wrong-size", message)
                self._place(temporary, path, mtime)
        except OSError as error:
            raise self.write_error(error, needed=temporary.size) from error

    def discard(self, temporary: Temporary) -> None:
        """Close and remove a temporary file. Does nothing if it was published."""
        self._staging.discard(temporary)

    def set_aside(self, temporary: Temporary) -> None:
        """Close a temporary file and keep it for the next run."""
        self._staging.set_aside(temporary)

    def temporary_space(self, name: str) -> int:
        """Bytes that a file of an earlier run occupies on the disk, reserved blocks included."""
        return self._staging.space(name)

    def remove_temporary(self, name: str) -> None:
        """Remove a file that an earlier run left, if it is still there."""
        temporary = self.reopen_temporary(name, sys.maxsize)
        if temporary is not None:
            self.discard(temporary)

    def make_directory(self, path: SafePath) -> None:
        """Create the directory `path` and its parents, unless they exist."""
        try:
            self._directories.release(self._directories.acquire(path.parts, create=True))
        except OSError as error:
            raise self._path_error(error) from error

    def relocate(self, old: SafePath, new: SafePath) -> bool:
        """Rename the file `old` to `new`, and replace a file there. False if `old` is no regular file."""
        found = self.stat(old)
        if found is None or not found.is_regular:
            return False
        try:
            parent = self._directories.acquire(old.parts[:-1], create=False)
            try:
                self._rename(leaf_name(old), parent.fd, new)
            finally:
                self._directories.release(parent)
        except OSError as error:
            raise self._path_error(error) from error
        return True

    def sync(self) -> None:
        """When this returns, all files that were published and all names that were chosen
        survive a power loss."""
        # Names first: a file that is durable under a name that is not recorded could get a
        # second name in the next run.
        if self._names is not None:
            self._names.commit()
        # One sync of the file system covers the data, the renames and the directories of many files.
        # An fsync for each file and each directory would cost a disk flush for each.
        try:
            with self.under_way:
                try:
                    sync_file_system(self._root_fd)
                except OSError as error:
                    self._limitations.tolerate(error, SYNC)
                    os.sync()
        except OSError as error:
            raise self._run_error(error) from error

    def write_error(self, error: OSError, *, needed: int = 0) -> ObjectPathError | DestinationError:
        """The error to raise for an OSError of writing a temporary file of `needed` bytes."""
        if error.errno == errno.EFBIG and (one_object := object_error(error)):
            return one_object
        return self._run_error(error, needed)

    def _create(self, size: int) -> Temporary:
        try:
            return self._staging.create(size)
        except OSError as error:
            raise self._run_error(error, size) from error

    def _place(self, temporary: Temporary, path: SafePath, mtime: float) -> None:
        # Close before the rename: NFS and SMB report failed writes only at close.
        self._staging.finish(temporary, mtime)
        self._rename(temporary.name, self._staging.fd, path)
        temporary.name = ""

    def _rename(self, name: str | bytes, source_fd: int, path: SafePath) -> None:
        """Move a file to `path` and create its directories. Only a regular file is ever replaced."""
        try:
            try:
                self._rename_once(name, source_fd, path)
            except FileNotFoundError:
                # Somebody removed a directory of which we hold a descriptor:
                # open it again from the root, once.
                self.check_alive()
                self._rename_once(name, source_fd, path)
        except OSError as error:
            raise self._path_error(error) from error

    def _rename_once(self, name: str | bytes, source_fd: int, path: SafePath) -> None:
        leaf = leaf_name(path)
        parent = self._directories.acquire(path.parts[:-1], create=True)
        try:
            # rename would replace a symbolic link, FIFO or device without a question.
            with contextlib.suppress(FileNotFoundError):
                refuse_irregular(os.stat(leaf, dir_fd=parent.fd, follow_symlinks=False))
            os.rename(name, leaf, src_dir_fd=source_fd, dst_dir_fd=parent.fd)
        finally:
            self._directories.release(parent)

    def _path_error(self, error: OSError) -> ObjectPathError | DestinationError:
        if error.errno in {errno.EACCES, errno.EPERM}:
            refuse_unwritable(self.root, self._root_fd)
        return super()._path_error(error)


class UnderWay:
    """The disk operations that have begun and not ended: a mount that is gone may never
    answer, and nothing says so.

    A context manager for any number of threads at once, one operation each. `clock` is in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[int, float] = {}

    def __enter__(self) -> None:
        self._since[threading.get_ident()] = self._clock()

    def __exit__(self, *_error: object) -> None:
        del self._since[threading.get_ident()]

    def longest(self) -> float:
        """Seconds since the oldest of them has begun, 0 where there is none."""
        since = min(list(self._since.values()), default=None)
        return 0.0 if since is None else self._clock() - since
