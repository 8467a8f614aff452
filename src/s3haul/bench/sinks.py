"""The destinations of a benchmark: an ordinary directory in memory or on the disk, or one that keeps nothing.

Each is a new directory with a journal of its own, which is gone afterwards.
"""

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from s3haul.bench.plan import SinkKind
from s3haul.disk import Destination, free_space_for
from s3haul.disk.staging import Buffer, Temporary
from s3haul.errors import DestinationError
from s3haul.models import SafePath

SPARE = 32 << 20  # bytes, for the journal and what else lies there
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it


def available(kind: SinkKind) -> bool:
    """Whether this system has it: files in memory are Linux's."""
    return kind is SinkKind.DISK or (sys.platform == "linux" and MEMORY.is_dir())


def has_room(kind: SinkKind, size: int) -> bool:
    """Whether so many bytes fit. Of the disk nothing is said here: a haul says so itself, and how much is free."""
    return kind is not SinkKind.MEMORY or size + SPARE < free_space_for(MEMORY).bytes


@contextmanager
def opened_sink(kind: SinkKind, directory: Path) -> Iterator[Destination]:
    """A new destination, for `disk` below `directory`. Raises `DestinationError`."""
    parent = directory if kind is SinkKind.DISK else MEMORY
    try:
        made = tempfile.TemporaryDirectory(prefix=f".s3haul-bench-{os.getpid()}-", dir=parent)
    except OSError as error:
        raise DestinationError(
            f"Cannot make a directory in {parent}: {error.strerror}.",
            hint="name another one by --dir, or leave a sink out by --sinks",
        ) from error
    destination_class = NullDestination if kind is SinkKind.NULL else Destination
    with made as name, closing(destination_class.open(Path(name))) as destination:
        destination.lock()
        yield destination


class NullDestination(Destination):
    """Drops what is verified. Large bodies pass through memory, since some hashes are read back from there."""

    _numbers = itertools.count()

    def write_file(self, path: SafePath, body: Sequence[Buffer] | Buffer, mtime: float) -> None:
        """The bytes are forgotten."""

    def create_temporary(self, size: int) -> Temporary:
        """A file without a directory, which is gone when it is closed."""
        return Temporary(os.memfd_create("s3haul-bench"), f"null-{next(self._numbers)}", size)

    def publish(self, temporary: Temporary, path: SafePath, mtime: float) -> None:  # noqa: ARG002 - the base's
        """The file is forgotten."""
        fd, temporary.fd, temporary.name = temporary.fd, -1, ""
        os.close(fd)

    def make_directory(self, path: SafePath) -> None:
        """No directory is needed."""
