"""Servers that answer with given bytes, and a CONNECT proxy: real sockets on 127.0.0.1.

They know nothing of S3; what they record is what really arrived.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

Script = Callable[[bytes], bytes]


class CannedServer:
    """Answers each request with what `script` makes of its head; to a HEAD without the body."""

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._script = script

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.requests.append(head)
            answered = self._script(head)
            is_head = head.startswith(b"HEAD ")
            writer.write(answered[: answered.index(b"\r\n\r\n") + 4] if is_head else answered)
            await writer.drain()


@asynccontextmanager
async def canned(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[CannedServer]:
    server = CannedServer(script)
    async with listening(server.serve, tls) as server.port:
        yield server


class ConnectProxy:
    """A forward proxy that only tunnels."""

    def __init__(self) -> None:
        self.tunnels: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host, _, port = head.split()[1].decode().rpartition(":")
        self.tunnels.append(head.split()[1].decode())
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


@asynccontextmanager
async def connect_proxy() -> AsyncIterator[ConnectProxy]:
    proxy = ConnectProxy()
    async with listening(proxy.serve) as proxy.port:
        yield proxy


@asynccontextmanager
async def listening(serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serves until left, then drops every connection that is still open."""
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.current_task())
        writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        tasks.discard(task)
        writers.discard(writer)

    server = await asyncio.start_server(tracked, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            # One that has closed by itself is gone, and asyncio fails to abort it a second time.
            with suppress(AttributeError):
                writer.transport.abort()
        await asyncio.gather(*tasks)


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP/1.1 answer; header names have - for _."""
    fields = {
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    lines = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def server_context(authority, name: str) -> ssl.SSLContext:
    """A TLS context whose certificate `authority` (a trustme.CA) issued for `name`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context
