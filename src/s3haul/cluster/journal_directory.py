"""The directory in which an attempt keeps its journal: on a disk of the node, never on a network file system.

An attempt uses the directory of an earlier attempt at the same shard on this node, unless that still runs: a
lock shows it, which the kernel releases with its process. So a shard that is tried again on the same node
resumes, large objects included; on another node it verifies the files that exist, and fetches the rest.

Processes of one node create and remove these directories one at a time, under the lock of the directory
that holds them all (`local`), for which nobody waits longer than `LONGEST_WAIT`.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from s3haul.cluster.directory import attempt_name
from s3haul.cluster.plan import Attempt
from s3haul.disk.errors import Limitations, run_error
from s3haul.disk.root import open_private, open_root
from s3haul.errors import DestinationError

LONGEST_WAIT = 10.0  # seconds for the lock


def local_directory() -> Path:
    """The default, one for each user: in TMPDIR, which batch systems set to a disk of the node."""
    return Path(tempfile.gettempdir()) / f"s3haul-{os.getuid()}"


class JournalDirectory:
    """Created by `take`, released by `close`. `name` is that of the attempt that created it."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.name = path.name
        self._lock = lock

    @property
    def journal(self) -> Path:
        return self.path / "journal.sqlite3"

    @classmethod
    def take(cls, local: Path, run_id: str, attempt: Attempt) -> "JournalDirectory":
        """The latest one of this shard that no attempt uses, or a new one. No two processes may use the same
        number of an attempt. Raises `DestinationError`."""
        runs = local / run_id
        with _alone(local) as fd:
            os.close(open_private(local, fd, run_id, Limitations(), force=False))
            try:
                left = sorted(
                    path for path in runs.iterdir() if path.name.startswith(f"{attempt.shard:06d}-")
                )
                for path in reversed(left):
                    if (lock := _try_lock(path)) is not None:
                        return cls(path, lock)
                path = runs / attempt_name(attempt)
                path.mkdir(mode=0o700, exist_ok=True)
                lock = _try_lock(path)
            except OSError as error:
                raise run_error(error, f"keep a journal in {runs}") from error
        if lock is None:
            # Only if a process that was stopped with the lock of `local` made us go on without it.
            raise DestinationError(
                f"another process uses the journal directory {path}", hint="run the same command again"
            )
        return cls(path, lock)

    def remove(self) -> None:
        """Delete it: the shard is finished."""
        with contextlib.suppress(DestinationError), _alone(self.path.parent.parent):
            _delete(self.path)

    def close(self) -> None:
        """Unlock it, so that the next attempt can use it."""
        os.close(self._lock)


def remove_finished(local: Path, run_id: str, finished: Callable[[int], bool]) -> None:
    """Remove those of attempts on this node whose shards were finished on other nodes."""
    runs = local / run_id
    if not runs.is_dir():
        return
    with _alone(local), contextlib.suppress(FileNotFoundError):
        for path in list(runs.iterdir()):
            if finished(int(path.name.partition("-")[0])) and (lock := _try_lock(path)) is not None:
                _delete(path)
                os.close(lock)


@contextlib.contextmanager
def _alone(local: Path) -> Iterator[int]:
    """Create `local`, which only this user can access, even below /tmp; lock it, and yield its descriptor."""
    parent, parent_fd = open_root(local.parent, force=True)
    try:
        fd = open_private(parent, parent_fd, local.name, Limitations(), force=False)
    finally:
        os.close(parent_fd)
    try:
        try:
            _wait_for_lock(fd)
        except OSError as error:
            raise run_error(error, f"lock {local}") from error
        yield fd
    finally:
        os.close(fd)


def _wait_for_lock(fd: int) -> None:
    """A process that was stopped while it has the lock must not stop the others:
    after a while they do without."""
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.005)


def _delete(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):  # it has those of other attempts
        path.parent.rmdir()


def _try_lock(path: Path) -> int | None:
    """The lock of a journal directory; None if another process has it, or has just removed the directory."""
    try:
        fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    with contextlib.suppress(BlockingIOError, FileNotFoundError):  # the two cases of the docstring
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), (path / "lock").stat()):
            return fd
    os.close(fd)
    return None
