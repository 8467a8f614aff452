"""Where the bytes of one object wait until they are verified: memory if small, a temporary file if not.

Nothing stands under the final name before `publish`, and nothing is left behind when the sink is left
without it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import aiofiles

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


@asynccontextmanager
async def open_sink(ctx: Context, path: SafePath, size: int, mtime: float) -> AsyncIterator[Sink]:
    """A sink for `size` bytes that will be `path`. Raises `DestinationError` or `ObjectPathError`."""
    if size <= SMALL:
        yield MemorySink(ctx, path, mtime)
        return
    temporary = await in_thread(ctx.threads, ctx.destination.create_temporary, size)
    published = False

    class FileSink:
        """Writes through aiofiles: a hop per chunk is cheap against a chunk of up to 1 MiB."""

        async def write(self, chunk: bytes) -> None:
            try:
                await steadfast(file.write(chunk))
            except OSError as error:
                raise ctx.destination.trouble(error, needed=size) from error

        async def publish(self) -> None:
            nonlocal published
            try:
                await steadfast(file.flush())
            except OSError as error:
                raise ctx.destination.trouble(error, needed=size) from error
            await in_thread(ctx.threads, ctx.destination.publish, temporary, path, mtime)
            published = True

    try:
        async with aiofiles.open(temporary.fd, "wb", closefd=False, executor=ctx.threads) as file:
            yield FileSink()
    finally:
        if not published:
            await in_thread(ctx.threads, ctx.destination.discard, temporary)
