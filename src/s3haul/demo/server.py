"""The server: one port, TLS or not, its own thread and event loop. Also `python -m s3haul.demo.server`.

    with DemoServer(cloud) as server:
        boto3.client("s3", endpoint_url=server.endpoint_url, verify=server.ca_path, ...)

The cloud and the faults may be changed from any thread between requests.
"""

import asyncio
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from s3haul.demo.calls import Call, CallLog
from s3haul.demo.certificate import make_certificate
from s3haul.demo.cloud import Cloud
from s3haul.demo.control import serve_control
from s3haul.demo.delivery import CLOSED, deliver
from s3haul.demo.effects import Delivery
from s3haul.demo.errors import CloudError
from s3haul.demo.faults import FaultPlan
from s3haul.demo.messages import Request
from s3haul.demo.render import s3_error
from s3haul.demo.seed import standard_cloud
from s3haul.demo.service import serve_request

_HOST = "127.0.0.1"
_LARGEST_BODY = 1 << 28
_LARGEST_HEAD = 1 << 15
_STOP_SECONDS = 10.0


class DemoServer:
    """Serves a cloud on loopback. A context manager: bound and answering inside, gone after."""

    def __init__(
        self,
        cloud: Cloud | None = None,
        *,
        tls: bool = True,
        port: int = 0,
        names: tuple[str, ...] = ("localhost", _HOST),
    ) -> None:
        """`names` are those of the certificate: another one gives a server that a client must refuse."""
        self.cloud = standard_cloud() if cloud is None else cloud
        self.faults = FaultPlan()
        self.log = CallLog()
        self.endpoint_url = ""
        self.ca_path: str | None = None
        self._tls = tls
        self._port = port
        self._names = names
        self._loop = asyncio.new_event_loop()
        self._directory = tempfile.TemporaryDirectory(prefix="s3haul-demo-")
        self._thread = threading.Thread(target=self._run, name="s3haul-demo", daemon=True)
        self._web: web.Server | None = None
        self._listening: asyncio.Server | None = None

    @property
    def calls(self) -> list[Call]:
        """The calls so far (the last 200,000), oldest first."""
        return self.log.snapshot()

    def count(self, operation: str, key: str | None = None, *, status: int | None = None) -> int:
        return self.log.count(operation, key=key, status=status)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._call(self._start())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._call(self._stop())
        finally:
            self._close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_SECONDS)

    async def _start(self) -> None:
        context = None
        if self._tls:
            context, path = make_certificate(Path(self._directory.name), *self._names)
            self.ca_path = str(path)
        self._web = web.Server(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            max_line_size=_LARGEST_HEAD,
            max_field_size=_LARGEST_HEAD,
        )
        self._listening = await self._loop.create_server(
            self._web, _HOST, self._port, ssl=context, backlog=2048
        )
        port = self._listening.sockets[0].getsockname()[1]
        self.endpoint_url = f"{'https' if self._tls else 'http'}://{_HOST}:{port}"

    async def _stop(self) -> None:
        assert self._listening is not None
        assert self._web is not None
        self._listening.close()
        # Not an orderly close: that would wait for each idle client's half of the TLS goodbye.
        for connection in self._web.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await self._web.shutdown(0.1)
        await self._listening.wait_closed()
        # What is left are connections in the middle of their TLS handshake.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # Aborted connections leave the selector in the next turns of the loop.
        for _ in range(3):
            await asyncio.sleep(0)

    def _close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)
        self._loop.close()
        self._directory.cleanup()

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(raw)
        except ConnectionError:
            return CLOSED

    async def _answer(self, raw: web.BaseRequest) -> web.StreamResponse:
        now = self.cloud.clock()
        try:
            request = await _received(raw)
        except CloudError as error:
            return await deliver(raw, s3_error(error), Delivery(ending="short"), Call("", "", "", 0), now)
        if request.path.startswith("/_demo/"):
            answer = serve_control(self.faults, self.log, request)
            return await deliver(raw, answer, Delivery(), Call("", "", "", 0), now)
        served = serve_request(self.cloud, self.faults, request)
        self.log.add(served.call)
        try:
            return await deliver(raw, served.answer, served.delivery, served.call, now)
        finally:
            self.log.bytes_sent += served.call.sent


async def _received(raw: web.BaseRequest) -> Request:
    """The whole request. Raises CloudError for a body beyond all reason or a path that is none."""
    path, _, query = raw.raw_path.partition("?")
    body = b""
    if raw.body_exists:
        if raw.headers.get("Expect", "").lower() == "100-continue":
            await raw.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _body(raw)
    peer = raw.transport.get_extra_info("peername") if raw.transport else None
    return Request(
        method=raw.method,
        path=path,
        query_string=query,
        headers=raw.headers,
        body=body,
        secure=raw.secure,
        peer=peer[0] if peer else _HOST,
    )


async def _body(raw: web.BaseRequest) -> bytes:
    chunks, size = [], 0
    async for chunk in raw.content.iter_any():
        size += len(chunk)
        if size > _LARGEST_BODY:
            message = "Your proposed upload exceeds the maximum allowed object size."
            raise CloudError(400, "EntityTooLarge", message)
        chunks.append(chunk)
    return b"".join(chunks)


if __name__ == "__main__":
    from s3haul.demo.process import main

    main()
