"""An inventory report that lies in S3: fetched file by file, each verified as any object is, then by the report's MD5.

Its bucket need not be that of the objects. Data files go to a temporary directory, one at a time.
"""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from s3haul.engine.context import ReadContext
from s3haul.engine.stream import read_object
from s3haul.models import State
from s3haul.sources.inventory import CHECKSUM, MANIFEST, DataFile, md5, refused
from s3haul.store.protocol import Chunk


class StoredReport:
    """`sources.inventory.ReportFiles`; the source of `ctx` is the manifest.json."""

    def __init__(self, ctx: ReadContext) -> None:
        self.name = ctx.url
        self._ctx = ctx
        folder = ctx.source.prefix.rpartition("/")[0]
        self._checksum = f"{folder}/{CHECKSUM}" if folder else CHECKSUM
        above = folder.rpartition("/")[0]
        self._below = f"{above}/" if above else ""

    async def read(self, name: str, limit: int) -> bytes:
        data = bytearray()

        def write(chunk: Chunk) -> None:
            if len(data) + len(chunk) > limit:
                raise refused(self.name, f"{name} has more than {limit:,} bytes")
            data.extend(chunk)

        await self._fetch(self._ctx.source.prefix if name == MANIFEST else self._checksum, write)
        return bytes(data)

    @asynccontextmanager
    async def local(self, file: DataFile) -> AsyncIterator[Path]:
        if not file.key.startswith(self._below):
            raise refused(self.name, f"the data file {file.key[:80]!a} lies elsewhere")
        digest, size = md5(), 0
        with tempfile.NamedTemporaryFile(prefix="s3haul-inventory-") as copy:

            def write(chunk: Chunk) -> None:
                nonlocal size
                size += len(chunk)
                if size > file.size:
                    raise refused(self.name, f"{file.name} is longer than its manifest says")
                digest.update(chunk)
                copy.write(chunk)

            await self._fetch(file.key, write)
            copy.flush()
            if (size, digest.hexdigest()) != (file.size, file.md5):
                raise refused(self.name, f"{file.name} does not match the size and MD5 in its manifest")
            yield Path(copy.name)

    async def _fetch(self, key: str, write: Callable[[Chunk], None]) -> None:
        outcome = await read_object(replace(self._ctx, source=replace(self._ctx.source, prefix=key)), write)
        if outcome.state is not State.DONE:
            raise refused(self.name, f"{key[:200]!a} cannot be read: {outcome.detail or outcome.reason}")
