"""The directories of temporary files that runs of shards leave in a destination, `.s3haul/shards/NAME`: their removal."""

import contextlib
import os
import shutil
from pathlib import Path

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk.destination import SHARDS
from s3haul.disk.errors import run_error

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def sweep(root: Path, prefix: str) -> int:
    """Remove those whose name begins so, with all that is in them; how many. Whoever still writes there fails."""
    with contextlib.ExitStack() as stack:
        try:
            state = os.open(root / STATE_DIRECTORY, _OPEN)
            stack.callback(os.close, state)
            shards = os.open(SHARDS, _OPEN, dir_fd=state)
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
