"""The file of one large object, under a temporary name until its bytes are verified; the digests of its
segments, and a count of the bytes that arrive.

A file that is neither published nor set aside is removed.
"""

import asyncio
from collections.abc import Callable

from s3haul.concurrency import in_thread
from s3haul.core.checksums import Data, Hasher, new_hasher
from s3haul.core.ranges import BlockMap, RangePlan
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
        """Read the file from `start` to `stop` (exclusive, or its end) and pass the bytes
        to `update`, in a thread.

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


class SegmentHashing:
    """The digests of a file's segments by an algorithm that cannot combine those of blocks.

    Each is computed in order, several segments at a time: ranges arrive in any order, so blocks are read
    back, mostly from the page cache, as soon as they follow the last hashed byte. After `claim` or `ready`
    returned a segment, call `advance` with it.
    """

    def __init__(self, plan: RangePlan, block_map: BlockMap, algorithm: str, file: LargeFile) -> None:
        self._plan, self._block_map, self._algorithm, self._file = plan, block_map, algorithm, file
        self._hashers: list[Hasher] = []
        self._next: list[int] = []
        self._busy: set[int] = set()
        for number in range(len(plan.segments)):
            self._hashers.append(self._new())
            self._next.append(plan.segment(number)[0])

    def claim(self, block: int) -> int | None:
        """The segment that can be hashed further now that this block is written;
        None if there is none, or it is busy."""
        number = self._plan.segment_of(block)
        if number in self._busy or self._next[number] != block:
            return None
        self._busy.add(number)
        return number

    def ready(self) -> list[int]:
        """All segments that can be hashed further, for the start."""
        firsts = enumerate(self._next)
        found = [number for number, first in firsts if self._written_end(number, first) > first]
        self._busy.update(found)
        return found

    async def advance(self, number: int) -> None:
        """Hash the written blocks of a segment, up to the first one that is missing."""
        try:
            while (end := self._written_end(number, first := self._next[number])) > first:
                start, stop = self._plan.start(first), self._plan.start(end)
                await self._file.read_into(self._hashers[number].update, start, stop)
                self._next[number] = end
        finally:
            self._busy.discard(number)

    def restart(self, number: int) -> None:
        """Start a segment again: it will be fetched again."""
        self._hashers[number] = self._new()
        self._next[number] = self._plan.segment(number)[0]

    def digests(self) -> list[bytes]:
        """The digests of all segments, once everything is written and hashed."""
        return [hasher.digest() for hasher in self._hashers]

    def _written_end(self, number: int, first: int) -> int:
        return self._block_map.written_end(first, self._plan.segment(number)[1])

    def _new(self) -> Hasher:
        return new_hasher(self._algorithm)


def drop_partial(ctx: Context, partial: Partial) -> None:
    """Delete a partial file of an earlier run. Blocks: call it in a thread."""
    ctx.destination.remove_temporary(partial.temporary)
    ctx.journal.forget_partial(partial.temporary)


class ByteCounter:
    """`report` is called on the event loop with the bytes since the last call.
    Create one for each body, on that loop."""

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
