"""The root of the destination: which directories are allowed, our own directories inside it,
and the lock of the run.

One run per destination: an advisory lock, which the kernel releases however the process ends, SIGKILL
included. Also removes what shards left (`.s3haul/shards/NAME`).
"""

import contextlib
import errno
import fcntl
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.core.text import show
from s3haul.disk.errors import MODES, Limitations, name_of, run_error
from s3haul.errors import DestinationError, DestinationLockedError

SHARDS = "shards"  # in `.s3haul`: a directory of temporary files for each of several runs at a time
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_LOCK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


def open_root(root: Path, *, force: bool) -> tuple[Path, int]:
    """The absolute path and a descriptor of `root`, created with its parents if needed;
    a symbolic link is allowed.

    Raises `DestinationError` for a directory that cannot be used; and, without `force`, for one in which
    files with names chosen by others would be dangerous.
    """
    root = root.absolute()
    with _translated(root):
        root.mkdir(parents=True, exist_ok=True)
        fd = os.open(root, _OPEN)
    try:
        if not force:
            _refuse_risky(root, os.fstat(fd))
        refuse_unwritable(root, fd)
    except BaseException:
        os.close(fd)
        raise
    return root, fd


def check_root(root: Path, *, force: bool) -> Path:
    """Where `root` is; if it does not exist yet, the nearest of its parents. Creates nothing.

    Raises `DestinationError` where `open_root` would, and where our own directory cannot be in it.
    """
    root = root.absolute()
    with _translated(root):
        place = next(path for path in (root, *root.parents) if _exists(path))
    if place == root:
        _, fd = open_root(root, force=force)
    else:
        with _translated(place):
            fd = os.open(place, _OPEN)
    try:
        refuse_unwritable(place, fd)
        with contextlib.suppress(FileNotFoundError):
            state = os.stat(STATE_DIRECTORY, dir_fd=fd, follow_symlinks=False)
            if place == root and not stat.S_ISDIR(state.st_mode):
                raise _not_a_directory(STATE_DIRECTORY, root)
    finally:
        os.close(fd)
    return place


def _exists(path: Path) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def _translated(root: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise DestinationError(f"{root} is not a directory", hint="name a directory, or a new one") from None
    except OSError as error:
        raise run_error(error, f"use the destination {root}") from error


def _not_a_directory(name: str, root: Path) -> DestinationError:
    return DestinationError(
        f"{name} in {root} is not a directory", hint="remove it, or choose another destination"
    )


def open_private(root: Path, parent_fd: int, name: str, limitations: Limitations, *, force: bool) -> int:
    """A descriptor of our own directory `name`. Creates it if needed,
    with mode 0700 if the file system stores modes."""
    try:
        with contextlib.suppress(FileExistsError):  # from an earlier run; the open below checks its type
            os.mkdir(name, 0o700, dir_fd=parent_fd)
        fd = os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=parent_fd)
    except NotADirectoryError:
        raise _not_a_directory(name, root) from None
    except OSError as error:
        raise run_error(error, f"store the state of s3haul in {root}") from error
    try:
        status = os.fstat(fd)
        if not force:
            _refuse_foreign(root / name, status)
        if status.st_mode & 0o077:
            try:
                os.fchmod(fd, stat.S_IMODE(status.st_mode) & ~0o077)
            except OSError as error:
                limitations.tolerate(error, MODES)
    except BaseException:
        os.close(fd)
        raise
    return fd


def refuse_unwritable(root: Path, fd: int) -> None:
    """Raise `DestinationError` unless files can be created in the root."""
    if os.access(".", os.W_OK | os.X_OK, dir_fd=fd, effective_ids=True):
        return
    raise DestinationError(
        f"the destination {root} is not writable", hint="change its permissions, or choose another directory"
    )


def _refuse_risky(root: Path, status: os.stat_result) -> None:
    hint = "choose a directory of its own, or add --force"
    if os.path.samestat(status, Path("/").stat()):
        raise DestinationError("the destination is /, so object keys could overwrite system files", hint=hint)
    if any(os.path.samestat(status, home) for home in _homes()):
        raise DestinationError(
            f"the destination {root} is your home directory, where your shell would run an object named .bashrc",
            hint=hint,
        )
    _refuse_foreign(root, status)


def _refuse_foreign(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in {os.geteuid(), 0}:
        raise DestinationError(
            f"{path} belongs to {_user(status.st_uid)}, who could replace its files during the run",
            hint="choose a directory that you own, or add --force",
        )


def _homes() -> Iterator[os.stat_result]:
    candidates = {os.environ.get("HOME", "")}
    with contextlib.suppress(KeyError):  # a user of a container that is not in /etc/passwd
        candidates.add(pwd.getpwuid(os.geteuid()).pw_dir)
    for candidate in filter(None, candidates):
        with contextlib.suppress(OSError):  # no such home: nothing to protect
            yield Path(candidate).stat()


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def sweep(root: Path, prefix: str) -> int:
    """Remove the directories of shards whose names begin so, with all that is in them; how many.
    Whoever still writes there fails."""
    with contextlib.ExitStack() as stack:
        try:
            state = os.open(root / STATE_DIRECTORY, _OPEN | os.O_NOFOLLOW)
            stack.callback(os.close, state)
            shards = os.open(SHARDS, _OPEN | os.O_NOFOLLOW, dir_fd=state)
            stack.callback(os.close, shards)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise run_error(error, f"clean {root / STATE_DIRECTORY / SHARDS}") from error
        with os.scandir(shards) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(prefix)]
        for name in names:
            shutil.rmtree(name, ignore_errors=True, dir_fd=shards)
        with contextlib.suppress(OSError):  # others are at work
            os.rmdir(SHARDS, dir_fd=state)
        return len(names)


def take_lock(root: Path, state_fd: int, *, shared: bool = False) -> int:
    """The descriptor that holds the lock until it is closed;
    a `shared` one keeps out only those that are not.

    Raises `DestinationLockedError`, which names the process that holds it; `DestinationError` if the file
    system does not support locks.
    """
    # flock, not fcntl: a lock of fcntl is lost as soon as this process closes any other
    # descriptor of the file.
    try:
        fd = os.open("lock", _LOCK, 0o600, dir_fd=state_fd)
    except OSError as error:
        raise run_error(error, f"lock {root}") from error
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if not shared:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
    except OSError as error:
        owner = os.pread(fd, 200, 0).decode("utf-8", "replace")
        os.close(fd)
        if error.errno in _NO_LOCKS:
            raise _no_locks(root, error) from error
        if error.errno != errno.EWOULDBLOCK:
            raise run_error(error, f"lock {root}") from error
        raise DestinationLockedError(
            f"another run uses {root}: {show(owner) or 'its process is unknown'}",
            hint="wait until it ends, or stop it",
            owner=owner,
        ) from None
    return fd


def try_lock(root: Path, fd: int) -> None:
    """Lock and unlock a file of our own. Raises `DestinationError` if the file system
    of `root` has no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise _no_locks(root, error) from error
        raise run_error(error, f"lock {root}") from error


def _no_locks(root: Path, error: OSError) -> DestinationError:
    return DestinationError(
        f"cannot lock {root}: the file system does not support locks ({name_of(error)})",
        hint="choose a destination on a local disk, or mount this one with lock support (Lustre: -o flock)",
    )


def holder_of(root: Path) -> str | None:
    """What the run that holds the lock wrote into the lock file ("" if nothing); None if no run holds it.

    The only way to know is to try the lock. It is tried in shared mode,
    without waiting, and released at once.
    """
    try:
        fd = os.open(root / STATE_DIRECTORY / "lock", _READ_LOCK)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(fd, 200, 0).decode("utf-8", "replace")
    except OSError:  # a file system without locks: no run can start there
        return None
    finally:
        os.close(fd)
    return None
