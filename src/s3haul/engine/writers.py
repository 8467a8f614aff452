"""Where the bytes of an object are kept until they are verified: small ones in memory, others in a temporary file.

Nothing has the final name before `publish`. A writer that is left without `publish` leaves nothing behind.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, Self

from s3haul.concurrency import in_thread
from s3haul.core.checksums import Data
from s3haul.disk import Temporary
from s3haul.engine.context import Context
from s3haul.models import Partial, SafePath
from s3haul.store.protocol import LARGEST_IN_MEMORY, Chunk

BLOCK = 1 << 20  # bytes that are read at a time
VISIT = 16 << 20
REPORT_EVERY = 0.1  # seconds


class Writer(Protocol):
    """Takes the body in order, then gives it the final name. A context manager."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_error: object) -> None: ...

    def restart(self) -> None:
        """Forget what was written: the body starts again. Called in the thread that receives."""
        ...

    def write(self, chunk: Chunk) -> None:
        """Take the next bytes. Called in the thread that receives."""
        ...

    async def publish(self) -> None:
        """Give the file its name. Raises `DestinationError` or `ObjectPathError`."""
        ...


def writer_for(ctx: Context, path: SafePath, size: int, mtime: float) -> Writer:
    """The writer for `size` bytes that will be `path`."""
    return MemoryWriter(ctx, path, mtime) if size <= LARGEST_IN_MEMORY else FileWriter(ctx, path, size, mtime)


class MemoryWriter:
    """Keeps the body in memory; a file thread writes the file."""

    def __init__(self, ctx: Context, path: SafePath, mtime: float) -> None:
        self._ctx, self._path, self._mtime = ctx, path, mtime
        self._chunks: list[bytes] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Nothing to clean up."""

    def restart(self) -> None:
        self._chunks.clear()

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

    def restart(self) -> None:
        self._written = 0

    def write(self, chunk: Chunk) -> None:
        if not self._file.is_open:
            self._file.create(self._size)
        self._file.write(chunk, self._written)
        self._written += len(chunk)

    async def publish(self) -> None:
        await self._file.publish(self._path, self._mtime)


class LargeFile:
    """A temporary file that is written at positions. Raises as `Destination` does."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._disk = ctx.destination
        # A list, so that a cancellation while a thread opens the file does not lose it.
        self._opened: list[Temporary] = []

    @property
    def temporary(self) -> Temporary:
        return self._opened[0]

    @property
    def is_open(self) -> bool:
        """Whether there is a file."""
        return bool(self._opened)

    @property
    def is_closed(self) -> bool:
        """Whether the file has been published, set aside or discarded."""
        return bool(self._opened) and not self.temporary.name

    def create(self, size: int) -> None:
        """Create the file and reserve its space. Blocks: call it in a thread."""
        self._opened.append(self._disk.create_temporary(size))

    async def reopen(self, name: str, size: int) -> bool:
        """Open the file of an earlier run; False if it cannot be used."""

        def reopen() -> None:
            if found := self._disk.reopen_temporary(name, size):
                self._opened.append(found)

        await in_thread(self._ctx.threads, reopen)
        return bool(self._opened)

    def write(self, chunk: Chunk, offset: int) -> None:
        """Write to the page cache. Blocks while the disk is slow: call it in a thread."""
        self._disk.write(self.temporary, chunk, offset)

    async def feed(self, update: Callable[[Data], None], start: int, stop: int) -> None:
        """Read the file from `start` to `stop` (exclusive, or its end) and pass the bytes to `update`, in a thread.

        One call into a thread for every few blocks, so that an interruption need not wait for long."""
        for begin in range(start, stop, VISIT):
            await in_thread(self._ctx.threads, self._read, update, begin, min(begin + VISIT, stop))

    async def publish(self, path: SafePath, mtime: float) -> None:
        """Give the file its name."""
        await in_thread(self._ctx.threads, self._disk.publish, self.temporary, path, mtime)

    async def discard(self) -> None:
        """Remove the file, unless it is settled."""
        if not self.is_closed:
            for temporary in self._opened:
                await in_thread(self._ctx.threads, self._disk.discard, temporary)

    async def set_aside(self) -> None:
        """Keep the file for the next run."""
        for temporary in self._opened:
            await in_thread(self._ctx.threads, self._disk.set_aside, temporary)

    def _read(self, update: Callable[[Data], None], start: int, stop: int) -> None:
        while start < stop and (data := self._disk.read(self.temporary, min(BLOCK, stop - start), start)):
            update(data)
            start += len(data)


def drop_partial(ctx: Context, partial: Partial) -> None:
    """Delete a partial file of an earlier run. Blocks: call it in a thread."""
    ctx.destination.remove_temporary(partial.temporary)
    ctx.journal.forget(partial.temporary)


class ByteCounter:
    """`heard` is called on the event loop with the bytes since the last call. Create one for each body, on that loop."""

    def __init__(self, heard: Callable[[int], None], clock: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._clock = clock
        self._untold = 0
        self._tell_at = clock() + REPORT_EVERY

    def add(self, size: int) -> None:
        """Count bytes. Called by one thread at a time."""
        self._untold += size
        now = self._clock()
        if now >= self._tell_at:
            self._tell_at = now + REPORT_EVERY
            untold, self._untold = self._untold, 0
            self._loop.call_soon_threadsafe(self._heard, untold)

    def end(self) -> None:
        """Report the rest. Called on the loop, when no thread counts any more."""
        untold, self._untold = self._untold, 0
        self._heard(untold)
