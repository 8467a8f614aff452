"""A host of AWS on this machine: a certificate for its name, and a proxy that leads every tunnel to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trustme

from faults.canned import CannedServer, ConnectProxy, Script, canned, listening, pump, server_context


class LeadingProxy(ConnectProxy):
    """Leads every tunnel to one port of this machine."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._to = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.tunnels.append(head.split()[1].decode())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


@asynccontextmanager
async def hosted(
    name: str, script: Script, ca_file: Path
) -> AsyncIterator[tuple[CannedServer, LeadingProxy, str]]:
    """A server that stands for the host `name`, the proxy that leads there, and its URL.
    `ca_file` is written."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    async with canned(script, server_context(authority, name)) as server:
        proxy = LeadingProxy(server.port)
        async with listening(proxy.serve) as port:
            yield server, proxy, f"http://127.0.0.1:{port}"
