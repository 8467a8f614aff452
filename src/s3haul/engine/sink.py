"""Where the bytes of one object wait until they are verified: memory if small, a temporary file if not.

Nothing stands under the final name before `publish`, and nothing is left behind when the sink is left
without it.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Protocol

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from s3haul.disk import Temporary
from s3haul.engine.context import Context
from s3haul.engine.threads import in_thread, steadfast
from s3haul.models import SafePath

SMALL = 1 << 20  # bytes; up to here one hop to a thread lands the whole file


class Sink(Protocol):
    """Takes the body in order, then publishes it."""

    async def write(self, chunk: bytes) -> None: ...

    async def publish(self) -> None: ...


class MemorySink:
    """Keeps the body; writes, renames and dates the file in one hop."""

    def __init__(self, ctx: Context, path: SafePath, mtime: float) -> None:
        self._ctx, self._path, self._mtime = ctx, path, mtime
        self._chunks: list[bytes] = []

    async def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    async def publish(self) -> None:
        destination = self._ctx.destination
        await in_thread(self._ctx.threads, destination.land, self._path, self._chunks, self._mtime)


class FileSink:
    """Writes through aiofiles: a hop per chunk is cheap against a chunk of up to 1 MiB."""

    def __init__(
        self, ctx: Context, temporary: Temporary, file: AsyncBufferedIOBase, path: SafePath, mtime: float
    ) -> None:
        self._ctx, self._temporary, self._file = ctx, temporary, file
        self._path, self._mtime = path, mtime

    async def write(self, chunk: bytes) -> None:
        await self._attempt(self._file.write(chunk))

    async def publish(self) -> None:
        await self._attempt(self._file.flush())
        publish = self._ctx.destination.publish
        await in_thread(self._ctx.threads, publish, self._temporary, self._path, self._mtime)

    async def _attempt(self, work: Awaitable[object]) -> None:
        try:
            await steadfast(work)
        except OSError as error:
            raise self._ctx.destination.trouble(error, needed=self._temporary.size) from error


@asynccontextmanager
async def open_sink(ctx: Context, path: SafePath, size: int, mtime: float) -> AsyncIterator[Sink]:
    """A sink for `size` bytes that will be `path`. Raises `DestinationError` or `ObjectPathError`."""
    if size <= SMALL:
        yield MemorySink(ctx, path, mtime)
        return
    created: list[Temporary] = []  # survives a cancellation that comes while the thread creates it
    try:
        await in_thread(ctx.threads, lambda: created.append(ctx.destination.create_temporary(size)))
        (temporary,) = created
        async with aiofiles.open(temporary.fd, "wb", closefd=False, executor=ctx.threads) as file:
            yield FileSink(ctx, temporary, file, path, mtime)
    finally:
        for leftover in created:
            await in_thread(ctx.threads, ctx.destination.discard, leftover)
