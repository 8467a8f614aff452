"""The file of one large object, under a temporary name until its bytes are verified; and a count of bytes that arrive.

A file that is neither published nor set aside is removed.
"""

import asyncio
from collections.abc import Callable

from s3haul.concurrency import in_thread
from s3haul.core.checksums import Data
from s3haul.disk import Temporary
from s3haul.engine.context import Context
from s3haul.models import Partial, SafePath
from s3haul.store.protocol import Chunk

BLOCK = 1 << 20  # bytes that are read at a time
VISIT = 16 << 20
REPORT_EVERY = 0.1  # seconds


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

    async def read_into(self, update: Callable[[Data], None], start: int, stop: int) -> None:
        """Read the file from `start` to `stop` (exclusive, or its end) and pass the bytes to `update`, in a thread.

        One call into a thread for every few blocks, so that an interruption need not wait for long."""
        for begin in range(start, stop, VISIT):
            await in_thread(self._ctx.threads, self._read, update, begin, min(begin + VISIT, stop))

    async def publish(self, path: SafePath, mtime: float) -> None:
        """Give the file its name."""
        await in_thread(self._ctx.threads, self._disk.publish, self.temporary, path, mtime)

    async def discard(self) -> None:
        """Remove the file, unless it is closed."""
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
    """`report` is called on the event loop with the bytes since the last call. Create one for each body, on that loop."""

    def __init__(self, report: Callable[[int], None], clock: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._report = report
        self._clock = clock
        self._pending = 0
        self._report_at = clock() + REPORT_EVERY

    def add(self, size: int) -> None:
        """Count bytes. Called by one thread at a time."""
        self._pending += size
        now = self._clock()
        if now >= self._report_at:
            self._report_at = now + REPORT_EVERY
            pending, self._pending = self._pending, 0
            self._loop.call_soon_threadsafe(self._report, pending)

    def end(self) -> None:
        """Report the rest. Called on the loop, when no thread counts any more."""
        pending, self._pending = self._pending, 0
        self._report(pending)
