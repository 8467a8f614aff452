"""Where the bytes of one object wait until they are verified: memory if small, a temporary file if not.

Nothing stands under the final name before `publish`, and nothing is left behind when the sink is left
without it.
"""

from collections.abc import Awaitable
from typing import Protocol, Self

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from s3haul.disk import Temporary
from s3haul.engine.context import Landing
from s3haul.engine.threads import in_thread, steadfast
from s3haul.models import SafePath
from s3haul.store import Piece

BLOCK = 1 << 20  # bytes
SMALL = 1 << 20  # bytes; up to here a file is landed whole, together with others


class Sink(Protocol):
    """Takes the body in order, then publishes it. Used as a context manager."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_error: object) -> None: ...

    async def write(self, chunk: Piece) -> None: ...

    async def publish(self) -> None:
        """Give the file its name. Raises `DestinationError` or `ObjectPathError`."""
        ...


def sink_for(ctx: Landing, path: SafePath, size: int, mtime: float) -> Sink:
    """The sink for `size` bytes that will be `path`."""
    return MemorySink(ctx, path, mtime) if size <= SMALL else FileSink(ctx, path, size, mtime)


class MemorySink:
    """Keeps the body; the writer threads make the file of it."""

    def __init__(self, ctx: Landing, path: SafePath, mtime: float) -> None:
        self._ctx, self._path, self._mtime = ctx, path, mtime
        self._chunks: list[Piece] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Nothing is open."""

    async def write(self, chunk: Piece) -> None:
        self._chunks.append(chunk)

    async def publish(self) -> None:
        await self._ctx.lander.land(self._path, self._chunks, self._mtime)


class FileSink:
    """Writes through aiofiles, a hop for every `BLOCK` bytes: that is cheap against the work."""

    def __init__(self, ctx: Landing, path: SafePath, size: int, mtime: float) -> None:
        self._ctx, self._path, self._size, self._mtime = ctx, path, size, mtime
        self._created: list[Temporary] = []  # survives a cancellation while the thread creates it
        self._file: AsyncBufferedIOBase
        self._block: list[Piece] = []
        self._waiting = 0  # bytes in the block

    async def __aenter__(self) -> Self:
        try:
            await in_thread(self._ctx.threads, self._create)
            fd = self._created[0].fd
            self._file = await aiofiles.open(fd, "wb", closefd=False, executor=self._ctx.threads)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        for temporary in self._created:
            await in_thread(self._ctx.threads, self._ctx.destination.discard, temporary)

    async def write(self, chunk: Piece) -> None:
        self._block.append(chunk)
        self._waiting += len(chunk)
        if self._waiting >= BLOCK:
            await self._write_block()

    async def publish(self) -> None:
        await self._write_block()
        await self._attempt(self._file.flush())
        publish = self._ctx.destination.publish
        await in_thread(self._ctx.threads, publish, self._created[0], self._path, self._mtime)

    async def _write_block(self) -> None:
        block, self._block, self._waiting = self._block, [], 0
        await self._attempt(self._file.writelines(block))

    def _create(self) -> None:
        self._created.append(self._ctx.destination.create_temporary(self._size))

    async def _attempt(self, work: Awaitable[object]) -> None:
        try:
            await steadfast(work)
        except OSError as error:
            raise self._ctx.destination.trouble(error, needed=self._size) from error
