"""A file that is written whole or not at all: a report, a plan, the limits of a run.
Not for objects (`staging`)."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """A text file that gets the name `path` when the block ends, synced;
    nothing of it stays if an error ends the block.

    Only the owner may read it, because it contains keys. Its name until then is one that nobody
    else has. Raises `OSError`.
    """
    temporary = path.with_name(f".s3haul.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, _NEW, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
