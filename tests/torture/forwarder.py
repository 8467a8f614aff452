"""A TCP forwarder on loopback that can refuse connections, as a host does on which nothing listens."""

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import Self


class Forwarder:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target`. A context manager."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_error: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def accept(self) -> None:
        """Listen, on the same port each time."""
        self._wait(asyncio.run_coroutine_threadsafe(self._accept(), self._loop))

    def refuse(self) -> None:
        """Close the listener and reset every connection."""
        self._wait(asyncio.run_coroutine_threadsafe(self._refuse(), self._loop))

    @staticmethod
    def _wait(done: "Future[None]") -> None:
        done.result(10)

    async def _accept(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers |= {writer, upstream}
            await asyncio.gather(self._copy(reader, upstream), self._copy(upstream_reader, writer))
            self._writers -= {writer, upstream}

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
