"""Tests what the file system of a destination supports, in a temporary directory that is removed afterwards.

For `check`: nothing in the user's tree is touched. A destination that does not exist is not created; its nearest
parent is tested instead.
"""

import errno
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from s3haul.disk.errors import FreeSpace, run_error
from s3haul.disk.limitations import MODES, SYNC, TIMES, Limitations
from s3haul.disk.linux import sync_file_system
from s3haul.disk.lock import try_lock
from s3haul.disk.root import open_root
from s3haul.disk.tree import Tree
from s3haul.errors import DestinationError

LONGEST_NAME = 255  # bytes of one component; longer names are always encoded


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
    place = root.absolute()
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        if place == root.absolute():
            os.close(open_root(place, force=force)[1])
        with tempfile.TemporaryDirectory(prefix=".s3haul-check-", dir=place) as directory:
            limitations = Limitations()
            folds_case = _write_and_rename(Path(directory), root, limitations)
            takes_long_names = _takes(Path(directory, "n" * LONGEST_NAME))
        with Tree.open(place) as tree:
            return Trial(place, tree.free_space(), folds_case, takes_long_names, tuple(limitations.untold()))
    except NotADirectoryError:
        raise DestinationError(f"{place} is not a directory", hint="name a directory, or a new one") from None
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
