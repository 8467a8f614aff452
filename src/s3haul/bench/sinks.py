"""The destinations of a benchmark: a directory on the disk, one in memory, or one that drops every file.

Each is a new directory with a journal of its own, and is removed afterwards.
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

SPARE = 32 << 20  # bytes, for the journal and other files there
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it


def available(kind: SinkKind) -> bool:
    """Whether this system has it: only Linux has files in memory."""
    return kind is SinkKind.DISK or (sys.platform == "linux" and MEMORY.is_dir())


def has_room(kind: SinkKind, size: int) -> bool:
    """Whether so many bytes fit. Not checked for the disk: the haul does that itself."""
    return kind is not SinkKind.MEMORY or size + SPARE < free_space_for(MEMORY).bytes


@contextmanager
def opened_sink(kind: SinkKind, directory: Path) -> Iterator[Destination]:
    """A new destination; that of the sink `disk` is below `directory`. Raises `DestinationError`."""
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
    """Drops verified files. Large ones are in memory until then, because some hashes are computed from the file."""

    _numbers = itertools.count()

    def write_file(self, path: SafePath, body: Sequence[Buffer] | Buffer, mtime: float) -> None:
        """Nothing is written."""

    def create_temporary(self, size: int) -> Temporary:
        """A file in memory, without a name; it is gone when it is closed."""
        return Temporary(os.memfd_create("s3haul-bench"), f"null-{next(self._numbers)}", size)

    def publish(self, temporary: Temporary, path: SafePath, mtime: float) -> None:  # noqa: ARG002 - the base's
        """Close the file, which removes it."""
        fd, temporary.fd, temporary.name = temporary.fd, -1, ""
        os.close(fd)

    def make_directory(self, path: SafePath) -> None:
        """No directory is needed."""
