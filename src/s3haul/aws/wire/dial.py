"""Makes a connected socket that does not block, with TLS where that is wanted. It knows no HTTP.

The sockets are ours and not an event loop's transports, so that a thread can take one over for the length
of a large body; over TLS they also cost less, since no byte takes the way through memory buffers of OpenSSL's.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from aiohappyeyeballs import start_connection

NEXT_ADDRESS_AFTER = 0.25  # seconds, as RFC 8305 has it


async def dial(host: str, port: int, tls: ssl.SSLContext | None) -> socket.socket:
    """Raises `OSError`, which includes those of `ssl`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    connected = await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_AFTER, loop=loop)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if tls is None:
            return connected
        secure = tls.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        connected.close()
        raise
    try:
        await _shake_hands(loop, secure)
    except BaseException:
        secure.close()
        raise
    return secure


async def _shake_hands(loop: asyncio.AbstractEventLoop, secure: ssl.SSLSocket) -> None:
    while True:
        try:
            secure.do_handshake()
        except ssl.SSLWantReadError:
            await _called(loop.add_reader, loop.remove_reader, secure)
        except ssl.SSLWantWriteError:
            await _called(loop.add_writer, loop.remove_writer, secure)
        else:
            return


async def _called(
    add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], bool], one: socket.socket
) -> None:
    """Until the loop says that the socket is ready."""
    ready = asyncio.Event()
    add(one.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        remove(one.fileno())
