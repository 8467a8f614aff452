"""Sends one answer over a connection, byte by byte where a fault wants it so. The only writer of HTTP.

The head is written raw, not by aiohttp's response classes: faults need answers that no sane library
would produce, and it is several times faster.
"""

import asyncio
import http
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache

from aiohttp import web

from s3haul.demo.calls import Call
from s3haul.demo.content import Content
from s3haul.demo.effects import Delivery
from s3haul.demo.messages import Answer

_CHUNK = 1 << 18
_SLICES = 20  # pieces a second of a trickling body
_FLUSH_SECONDS = 0.01
_BODILESS = frozenset({204, 304})
_RST = struct.pack("ii", 1, 0)


class Sent(web.StreamResponse):
    """Tells aiohttp that the answer is already on the wire; True keeps the connection."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        self._keep_alive = keep

    async def prepare(self, request: web.BaseRequest) -> None:
        """Already sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Already sent."""


KEPT = Sent(keep=True)
CLOSED = Sent(keep=False)


async def deliver(
    raw: web.BaseRequest, answer: Answer, delivery: Delivery, call: Call, now: float
) -> web.StreamResponse:
    """Send the answer; `now` dates it. Raises ConnectionError where the client left."""
    if delivery.delay:
        await asyncio.sleep(delivery.delay)
    if delivery.ending == "close":
        return CLOSED
    length = answer.body.size if answer.length is None else answer.length
    bodiless = raw.method == "HEAD" or answer.status in _BODILESS
    keep = raw.keep_alive and delivery.content_lengths == 1 and not delivery.ending
    head = _head(answer, length, delivery.content_lengths, keep=keep, now=now)
    writer = raw.writer
    if bodiless:
        await writer.write(head)
        return KEPT if keep else CLOSED
    limit = length if delivery.limit is None else min(delivery.limit, length)
    first = answer.body.read(0, min(_CHUNK, limit)) if delivery.rate is None else b""
    call.sent = len(first)
    await writer.write(head + first)
    if delivery.rate is not None:
        await _trickle(raw, answer.body, limit, delivery.rate, call)
    else:
        await _send(raw, answer.body, limit, call)
    if delivery.ending:
        await _end(raw, delivery.ending)
    return KEPT if keep else CLOSED


async def _send(raw: web.BaseRequest, body: Content, limit: int, call: Call) -> None:
    while call.sent < limit:
        chunk = body.read(call.sent, min(_CHUNK, limit - call.sent))
        call.sent += len(chunk)
        await raw.writer.write(chunk)


async def _trickle(raw: web.BaseRequest, body: Content, limit: int, rate: float, call: Call) -> None:
    """At most `rate` bytes a second."""
    size = max(1, int(rate / _SLICES))
    while call.sent < limit:
        chunk = body.read(call.sent, min(size, limit - call.sent))
        call.sent += len(chunk)
        await raw.writer.write(chunk)
        await asyncio.sleep(len(chunk) / rate)


async def _end(raw: web.BaseRequest, ending: str) -> None:
    """An orderly close needs nothing here: aiohttp closes behind a `CLOSED` answer."""
    transport = raw.transport
    if transport is None:
        return
    if ending == "stall":
        # The handler is cancelled when the client leaves or the server stops.
        await asyncio.Event().wait()
    if ending == "reset":
        # What is still buffered would be lost with the connection, and the fault would come too early.
        while transport.get_write_buffer_size():  # noqa: ASYNC110 - no transport tells when it is flushed
            await asyncio.sleep(_FLUSH_SECONDS)
        await asyncio.sleep(_FLUSH_SECONDS)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        transport.abort()


def _head(answer: Answer, length: int, content_lengths: int, *, keep: bool, now: float) -> bytes:
    lines = [_status_line(answer.status), f"Date: {_date(int(now))}", "Server: AmazonS3", _request_id()]
    lines.extend(f"{name}: {value}" for name, value in answer.headers)
    if answer.status not in _BODILESS:
        lines.extend(f"Content-Length: {length + extra}" for extra in range(content_lengths))
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}"


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _counter() -> Callable[[], str]:
    number = 0

    def following() -> str:
        nonlocal number
        number += 1
        return f"x-amz-request-id: DEMO{number:012X}"

    return following


_request_id = _counter()
