"""Tests what a file system supports: names that differ only in case,
Unicode form or a final dot; renaming; times.

A run calls `names_are_folded`. `check` calls `try_out`, in a temporary directory that is removed afterwards:
nothing in the user's tree is touched, and a destination that does not exist is not created; its nearest
parent is tested instead.
"""

import contextlib
import errno
import os
import tempfile
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk.errors import MODES, SYNC, TIMES, FreeSpace, Limitations, name_of, run_error
from s3haul.disk.root import check_root, try_lock
from s3haul.disk.staging import sync_file_system
from s3haul.disk.tree import Tree
from s3haul.errors import DestinationError

# A name, and names that a file system may treat as equal to it: another case, Unicode form, a dot at the end.
_NAME = "Probe-\u00e9.bin"
_OTHERS = (_NAME.lower(), unicodedata.normalize("NFD", _NAME), _NAME + ".")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LONGEST_NAME = 255  # bytes of one component; longer names are always encoded


def folds_names(root_fd: int, temporary_fd: int, prefix: str) -> bool:
    """Whether the file system treats different names as equal. Creates a file in the directory of temporary
    files, whose name begins with `prefix`, and removes it.

    It is enough that another spelling of our state directory exists. Inode numbers are not compared, because
    FUSE gives the other spelling a different one. If somebody really created such a directory, some names are
    encoded without need.
    """
    for name in (STATE_DIRECTORY.upper(), STATE_DIRECTORY + "."):
        with contextlib.suppress(OSError):  # mostly: no such name
            os.stat(name, dir_fd=root_fd, follow_symlinks=False)
            return True
    return _confuses(temporary_fd, prefix)


def _confuses(directory_fd: int, prefix: str) -> bool:
    """Whether a file is found under another name. False if no file can be created (a full disk)."""
    name = (prefix + _NAME).encode()
    try:
        os.close(os.open(name, _NEW, 0o600, dir_fd=directory_fd))
    except OSError:
        return False
    try:
        return any(_is_there(directory_fd, prefix + other) for other in _OTHERS)
    finally:
        os.unlink(name, dir_fd=directory_fd)


def _is_there(directory_fd: int, name: str) -> bool:
    try:
        os.stat(name.encode(), dir_fd=directory_fd, follow_symlinks=False)
    except OSError:
        return False
    return True


def try_to_rename(temporary_fd: int, state_fd: int, prefix: str) -> None:
    """Rename a file from one directory to another, as every object is. Raises OSError where the disk refuses
    that; nothing is said of a disk that takes no file now."""
    name = (prefix + "probe").encode()
    try:
        os.close(os.open(name, _NEW, 0o600, dir_fd=temporary_fd))
    except OSError:
        return
    where = temporary_fd
    try:
        os.rename(name, b"probe", src_dir_fd=temporary_fd, dst_dir_fd=state_fd)
        name, where = b"probe", state_fd  # one name for all runs: what a crash leaves is overwritten
    finally:
        os.unlink(name, dir_fd=where)


def names_are_folded(root: Path, root_fd: int, state_fd: int, temporary_fd: int, prefix: str) -> bool:
    """Whether the disk folds names. Raises `DestinationError` for one that nothing can be renamed or removed
    on: each object would fail at its end."""
    try:
        try_to_rename(temporary_fd, state_fd, prefix)
        return folds_names(root_fd, temporary_fd, prefix)
    except OSError as error:
        hint = "choose another file system, or mount this one so that files can be renamed and removed"
        what = f"cannot rename and remove files in {root / STATE_DIRECTORY}: {os.strerror(error.errno or 0).lower()}"
        raise DestinationError(f"{what} ({name_of(error)})", hint=hint) from error


@dataclass(frozen=True, slots=True)
class Trial:
    """The results. `place` is the directory that was tested."""

    place: Path
    free: FreeSpace
    folds_case: bool
    takes_long_names: bool
    limitations: tuple[str, ...]  # what it does not support, although a run can continue


def try_out(root: Path, *, force: bool = False) -> Trial:
    """Create, sync, rename and stat files. Raises `DestinationError` if that fails."""
    place = check_root(root, force=force)
    try:
        with tempfile.TemporaryDirectory(prefix=".s3haul-check-", dir=place) as directory:
            limitations = Limitations()
            folds_case = _write_and_rename(Path(directory), root, limitations)
            takes_long_names = _takes(Path(directory, "n" * LONGEST_NAME))
        with Tree.open(place) as tree:
            return Trial(
                place, tree.free_space(), folds_case, takes_long_names, tuple(limitations.unreported())
            )
    except OSError as error:
        raise run_error(error, f"write to {place}") from error


def _write_and_rename(directory: Path, root: Path, limitations: Limitations) -> bool:
    """Do what a run does with one file. Returns whether the file is found by its name in upper case."""
    temporary, final = directory / "temporary", directory / "below" / "final"
    final.parent.mkdir()
    with temporary.open("wb") as file:
        file.write(b"s3haul")
        file.flush()
        os.fsync(file.fileno())
        try_lock(root, file.fileno())
        _try_refusable(file.fileno(), limitations)
    temporary.rename(final)
    return final.with_name("FINAL").exists()


def _try_refusable(fd: int, limitations: Limitations) -> None:
    calls: tuple[tuple[str, Callable[[], None]], ...] = (
        (MODES, partial(os.fchmod, fd, 0o600)),
        (TIMES, partial(os.utime, fd, ns=(0, 0))),
        (SYNC, partial(sync_file_system, fd)),
    )
    for sentence, call in calls:
        try:
            call()
        except OSError as error:
            limitations.tolerate(error, sentence)


def _takes(path: Path) -> bool:
    try:
        path.touch()
    except OSError as error:
        if error.errno in {errno.ENAMETOOLONG, errno.EINVAL}:
            return False
        raise
    return True
