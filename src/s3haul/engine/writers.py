"""Where the bytes of an object wait until they are verified: memory if it is small, a temporary file if not.

Nothing stands under the final name before `publish`, and nothing is left behind when the writer is left
without it.
"""

from collections.abc import Callable
from typing import Protocol, Self

from s3haul.core.checksums import Data
from s3haul.disk import Temporary
from s3haul.engine.context import Context
from s3haul.models import SafePath
from s3haul.store.protocol import Chunk
from s3haul.threads import in_thread

BLOCK = 1 << 20  # bytes that are read back at a time
VISIT = 16 << 20
SMALL = 1 << 20  # bytes; up to here a body is kept in memory


class Writer(Protocol):
    """Takes the body in order, then publishes it. Used as a context manager."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_error: object) -> None: ...

    def write(self, chunk: Chunk) -> None:
        """For the thread that receives."""
        ...

    async def publish(self) -> None:
        """Give the file its name. Raises `DestinationError` or `ObjectPathError`."""
        ...


def writer_for(ctx: Context, path: SafePath, size: int, mtime: float) -> Writer:
    """The writer for `size` bytes that will be `path`."""
    return MemoryWriter(ctx, path, mtime) if size <= SMALL else FileWriter(ctx, path, size, mtime)


class MemoryWriter:
    """Keeps the body; a file thread makes the file of it."""

    def __init__(self, ctx: Context, path: SafePath, mtime: float) -> None:
        self._ctx, self._path, self._mtime = ctx, path, mtime
        self._chunks: list[bytes] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Nothing is open."""

    def write(self, chunk: Chunk) -> None:
        self._chunks.append(bytes(chunk))

    async def publish(self) -> None:
        await in_thread(
            self._ctx.threads, self._ctx.destination.write_file, self._path, self._chunks, self._mtime
        )


class FileWriter:
    """Writes to a temporary file, chunk by chunk."""

    def __init__(self, ctx: Context, path: SafePath, size: int, mtime: float) -> None:
        self._ctx, self._path, self._size, self._mtime = ctx, path, size, mtime
        self._file = LargeFile(ctx)
        self._written = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._file.discard()

    def write(self, chunk: Chunk) -> None:
        if not self._written:
            self._file.create(self._size)
        self._file.write(chunk, self._written)
        self._written += len(chunk)

    async def publish(self) -> None:
        await self._file.publish(self._path, self._mtime)


class LargeFile:
    """A temporary file that is written by position. Raises as `Destination` does."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._disk = ctx.destination
        self._opened: list[Temporary] = []  # survives a cancellation while a thread opens it

    @property
    def temporary(self) -> Temporary:
        return self._opened[0]

    @property
    def has_its_name(self) -> bool:
        """Whether the file has been published."""
        return bool(self._opened) and not self.temporary.name

    def create(self, size: int) -> None:
        """A new file, with the space reserved; for threads."""
        self._opened.append(self._disk.create_temporary(size))

    async def reopen(self, name: str, size: int) -> bool:
        """The file of an earlier run; False where it is of no use."""

        def reopen() -> None:
            if found := self._disk.reopen_temporary(name, size):
                self._opened.append(found)

        await in_thread(self._ctx.threads, reopen)
        return bool(self._opened)

    def write(self, chunk: Chunk, offset: int) -> None:
        """The bytes are with the operating system when this returns; for threads, since a disk may be slow."""
        self._disk.write(self.temporary, chunk, offset)

    async def feed(self, update: Callable[[Data], None], start: int, stop: int) -> None:
        """What was written from `start` to `stop` (exclusive), a visit to a thread for every few blocks, so
        that an interruption need not wait for long. Less where the file is shorter."""
        for begin in range(start, stop, VISIT):
            await in_thread(self._ctx.threads, self._read, update, begin, min(begin + VISIT, stop))

    async def publish(self, path: SafePath, mtime: float) -> None:
        """Give the file its name."""
        await in_thread(self._ctx.threads, self._disk.publish, self.temporary, path, mtime)

    async def discard(self) -> None:
        """Remove the file, unless it has been published or set aside."""
        if not self.has_its_name:
            for temporary in self._opened:
                await in_thread(self._ctx.threads, self._disk.discard, temporary)

    async def set_aside(self) -> None:
        """Leave the file to the next run."""
        for temporary in self._opened:
            await in_thread(self._ctx.threads, self._disk.set_aside, temporary)

    def _read(self, update: Callable[[Data], None], start: int, stop: int) -> None:
        while start < stop and (data := self._disk.read(self.temporary, min(BLOCK, stop - start), start)):
            update(data)
            start += len(data)
