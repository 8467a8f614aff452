"""Connections of the wire transport, on both event loops: kept, counted, never leaked, never overrun."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme

from faults.canned import answer, canned, listening, server_context
from faults.stores import fault_of, read
from faults.wire import QUICK, wire_on
from s3haul.aws.tls import tls_context
from s3haul.aws.wire.pool import Limits, Pool
from s3haul.errors import FaultKind
from s3haul.options import TransferOptions
from s3haul.store import GetRequest

LOOPS = ("asyncio", "uvloop")

OBJECT = answer("200 OK", b"the object", ETag='"e"')
REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
MEBIBYTE = 1 << 20


@asynccontextmanager
async def pool_on(port, connections=2, clock=time.monotonic, tls=None):
    limits = Limits(connections=connections, stall_timeout=60.0, minimum_rate=1024, connect_timeout=5.0)
    pool = Pool("127.0.0.1", port, tls, limits, clock)
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture
def contexts(tmp_path):
    """Of TLS: the server's and ours."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return server_context(authority, "127.0.0.1"), tls_context(str(tmp_path / "ca.pem"))


async def exchange(pool) -> bytes:
    connection = await pool.acquire()
    try:
        await connection.ask(REQUEST)
        pieces = [piece async for piece in connection]
    finally:
        pool.release(connection)
    return b"".join(pieces)


def descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


async def test_one_connection_serves_one_request_after_the_other():
    async with canned(lambda _: OBJECT) as server, pool_on(server.port) as pool:
        for _ in range(10):
            assert await exchange(pool) == b"the object"
        assert (server.connections, len(server.requests)) == (1, 10)


async def test_never_more_connections_than_allowed_and_everybody_is_served():
    async with canned(lambda _: OBJECT) as server, pool_on(server.port, 3) as pool:
        assert await asyncio.gather(*(exchange(pool) for _ in range(50))) == [b"the object"] * 50
        assert server.connections == 3
        assert pool.statistics()["connections"] == 3


async def test_a_connection_that_the_server_closed_while_idle_is_replaced_once_and_silently():
    served = []

    async def one_each(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        served.append(1)
        writer.write(OBJECT)
        # The second request arrives, and gets no byte: just what a close in flight looks like.
        await reader.readuntil(b"\r\n\r\n")

    async with listening(one_each) as port, wire_on(f"http://127.0.0.1:{port}") as store:
        for _ in range(4):
            assert await read(store, "k") == b"the object"
        assert store.statistics()["requests-repeated"] == 3
        assert len(served) == 4


async def test_a_first_request_that_meets_a_closed_door_is_not_repeated():
    connections = []

    async def slam(reader, writer):
        connections.append(1)
        await reader.readuntil(b"\r\n\r\n")

    async with listening(slam) as port, wire_on(f"http://127.0.0.1:{port}") as store:
        assert (await fault_of(read(store, "k"))).kind is FaultKind.BROKEN
        assert len(connections) == 1


async def test_a_fresh_connection_that_is_closed_is_a_fault_and_not_a_loop():
    connections = []

    async def slam(reader, writer):
        connections.append(1)
        await reader.readuntil(b"\r\n\r\n")
        if len(connections) == 1:
            writer.write(OBJECT)
            await reader.readuntil(b"\r\n\r\n")

    async with listening(slam) as port, wire_on(f"http://127.0.0.1:{port}") as store:
        assert await read(store, "k") == b"the object"
        assert (await fault_of(read(store, "k"))).kind is FaultKind.BROKEN
        assert len(connections) == 2


async def test_an_answer_that_has_begun_is_never_asked_for_again():
    async def half(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OBJECT)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OBJECT[:20])

    async with listening(half) as port, wire_on(f"http://127.0.0.1:{port}") as store:
        assert await read(store, "k") == b"the object"
        assert (await fault_of(read(store, "k"))).kind is FaultKind.BROKEN
        assert store.statistics()["requests-repeated"] == 0


async def test_an_idle_connection_that_was_closed_is_noticed_before_it_is_used():
    async def one_each(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OBJECT)

    async with listening(one_each) as port, pool_on(port) as pool:
        assert await exchange(pool) == b"the object"
        (kept,) = pool._idle
        await until(lambda: kept.closed)
        assert await exchange(pool) == b"the object"
        assert pool.opened == 2
        assert pool.statistics()["connections"] == 1


async def test_a_connection_idle_for_long_is_not_used_again():
    now = [0.0]
    async with canned(lambda _: OBJECT) as server, pool_on(server.port, clock=lambda: now[0]) as pool:
        await exchange(pool)
        now[0] += 11.0
        await exchange(pool)
        assert server.connections == 1
        now[0] += 13.0
        await exchange(pool)
        assert server.connections == 2
        now[0] += 13.0
        pool._tick()
        assert pool.statistics()["connections"] == 0


async def test_bytes_that_nobody_asked_for_cost_the_connection():
    idle = asyncio.Event()

    async def talkative(reader, writer):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OBJECT)
            await idle.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    async with listening(talkative) as port, pool_on(port) as pool:
        assert await exchange(pool) == b"the object"
        (kept,) = pool._idle
        idle.set()
        async with asyncio.timeout(5):  # far less than the time after which an idle one goes anyway
            await until(lambda: kept.closed)
        assert await exchange(pool) == b"the object"
        assert pool.opened == 2


async def never(reader, writer):
    """Takes everything and says nothing."""
    while await reader.read(65536):
        pass


async def until(holds) -> None:
    """Turns of the loop until something holds that no event tells."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def cancelled(task) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_wait_for_a_connection_loses_no_place():
    async with canned(lambda _: OBJECT) as server, pool_on(server.port, 1) as pool:
        held = await pool.acquire()
        waiting = [asyncio.create_task(pool.acquire()) for _ in range(3)]
        await until(lambda: len(pool._waiters) == 3)
        await cancelled(waiting[0])
        # Given and cancelled in the same turn of the loop: what was given must go on to the next.
        await held.ask(REQUEST)
        await anext(held)
        pool.release(held)
        await cancelled(waiting[1])
        assert await waiting[2] is held
        pool.release(held)
        assert await exchange(pool) == b"the object"
        assert pool.statistics()["connections"] == 1


@pytest.mark.parametrize("tls", [False, True])
async def test_a_request_cancelled_at_any_point_leaves_neither_place_nor_descriptor(tls, tmp_path):
    ca = None
    if tls:
        ca = str(tmp_path / "ca.pem")
        trustme.CA().cert_pem.write_to_path(ca)
    async with listening(never) as port:
        scheme = "https" if tls else "http"
        async with wire_on(f"{scheme}://127.0.0.1:{port}", ca=ca) as store:
            before = descriptors()
            for turns in range(40):
                task = asyncio.create_task(read(store, "k"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            assert store.statistics()["busy"] == 0
            assert store.statistics()["connections"] == 0
        # The server's halves go with ours, some turns of the loop later.
        await until(lambda: descriptors() <= before)


async def test_a_closed_store_leaves_no_descriptor_whatever_it_met():
    async def moody(reader, writer):
        for number in range(3):
            await reader.readuntil(b"\r\n\r\n")
            writer.write((OBJECT, answer("500 x"), OBJECT[:30])[number])
            await writer.drain()

    async with listening(moody) as port:
        before = descriptors()
        async with wire_on(f"http://127.0.0.1:{port}", transfer=TransferOptions(concurrency=4)) as store:
            got = await asyncio.gather(*(read(store, "k") for _ in range(30)), return_exceptions=True)
            assert b"the object" in got
            assert all(one == b"the object" or isinstance(one, Exception) for one in got)
        await until(lambda: descriptors() <= before)


async def test_a_place_is_free_again_when_no_connection_can_be_made():
    async with wire_on("http://127.0.0.1:1", transfer=QUICK) as store:
        got = await asyncio.gather(*(fault_of(read(store, "k")) for _ in range(40)))
        assert {fault.kind for fault in got} == {FaultKind.CONNECT}
        assert store.statistics()["connections"] == 0


async def test_a_server_that_accepts_and_never_shakes_hands_is_no_connection(tmp_path):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with listening(never) as port:
        limits = Limits(connections=1, stall_timeout=60.0, minimum_rate=1, connect_timeout=0.2)
        pool = Pool("127.0.0.1", port, tls_context(str(tmp_path / "ca.pem")), limits)
        assert (await fault_of(pool.acquire())).kind is FaultKind.CONNECT
        assert pool.statistics()["connections"] == 0
        pool.close()


async def test_a_slow_consumer_holds_the_server_back_and_is_no_stall():
    size = 64 * MEBIBYTE
    sent = [0]
    block = bytes(65536)

    async def flood(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent[0] < size:
            writer.write(block)
            await writer.drain()
            sent[0] += len(block)

    now = [0.0]
    async with listening(flood) as port, pool_on(port, clock=lambda: now[0]) as pool:
        connection = await pool.acquire()
        await connection.ask(REQUEST)
        received = len(await anext(connection))
        level = -1
        while sent[0] > level:  # until nothing moves any more
            level = sent[0]
            await asyncio.sleep(0.2)
        # What is not in our hands is in the kernel's buffers of both ends.
        assert connection.answer._buffered <= 2 * MEBIBYTE
        assert sent[0] < size / 2
        for _ in range(3):
            now[0] += 1000.0
            pool._tick()
        async for piece in connection:
            assert len(piece) <= MEBIBYTE
            received += len(piece)
        assert received == size
        pool.release(connection)


async def test_pieces_that_are_kept_stay_as_they_were():
    blocks = [bytes([number]) * MEBIBYTE for number in range(8)]
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * MEBIBYTE) + b"".join(blocks)
    async with canned(lambda _: sent) as server, pool_on(server.port) as pool:
        for _ in range(2):
            connection = await pool.acquire()
            await connection.ask(REQUEST)
            kept = [piece async for piece in connection]
            pool.release(connection)
            assert b"".join(kept) == b"".join(blocks)


async def begin(pool):
    connection = await pool.acquire()
    task = asyncio.create_task(connection.ask(REQUEST))
    await until(lambda: connection._waiter is not None)
    return task


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nX: "])
async def test_silence_before_the_headers_is_a_stall(said):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await never(reader, writer)

    now = [0.0]
    async with listening(serve) as port, pool_on(port, clock=lambda: now[0]) as pool:
        task = await begin(pool)
        now[0] = 59.0
        pool._tick()
        assert not task.done()
        now[0] = 130.0
        pool._tick()
        assert (await fault_of(task)).kind is FaultKind.STALL


async def test_a_slow_body_is_handed_on_as_it_comes():
    more = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 70_000)
        await more.wait()
        writer.write(b"y" * (3_000_000 - 70_000))
        await writer.drain()
        await never(reader, writer)

    async with listening(serve) as port, pool_on(port) as pool:
        connection = await pool.acquire()
        await connection.ask(REQUEST)
        task = asyncio.ensure_future(anext(connection))
        async with asyncio.timeout(10):
            while not task.done():
                await asyncio.sleep(0.01)
                pool._tick()
        first = bytes(task.result())
        assert 0 < len(first) <= 70_000
        more.set()
        rest = b"".join([piece async for piece in connection])
        pool.release(connection)
        assert first + rest == b"x" * 70_000 + b"y" * (3_000_000 - 70_000)


async def delivery(pool, take):
    """What a request brings, by way of a thread."""
    connection = await pool.acquire()
    try:
        await connection.ask(REQUEST)
        await connection.deliver(take)
    finally:
        pool.release(connection)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("size", [0, 1, 65_000, 65_536, 500_000, 3_000_000])
@pytest.mark.parametrize("chunks", [False, True])
async def test_a_thread_gets_just_the_body_and_the_connection_serves_on(tls, size, chunks, contexts):
    theirs, ours = contexts if tls else (None, None)
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    if chunks:
        cut = [body[at : at + 70_001] for at in range(0, size, 70_001)]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in cut)
        sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"
    else:
        sent = answer("200 OK", body)
    async with canned(lambda _: sent, theirs) as server, pool_on(server.port, 1, tls=ours) as pool:
        for _ in range(3):
            got = bytearray()
            await delivery(pool, got.extend)
            assert got == body
        assert await exchange(pool) == body
        assert server.connections == 1


async def test_what_openssl_has_read_beyond_the_body_is_no_answer_to_the_next_request(contexts):
    theirs, ours = contexts
    loop, held, sent = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"x" * 20_000)
        await held.wait()
        writer.write(b"x" * 40_000)
        writer.write(answer("200 OK", b"never asked for"))
        await writer.drain()
        loop.call_later(0.05, sent.set)
        await never(reader, writer)

    got = bytearray()

    def take(piece):
        got.extend(piece)
        loop.call_soon_threadsafe(held.set)
        assert sent.wait(10)

    async with listening(serve, theirs) as port, pool_on(port, tls=ours) as pool:
        connection = await pool.acquire()
        await connection.ask(REQUEST)
        await connection.deliver(take)
        assert got == b"x" * 60_000
        assert connection.closed
        pool.release(connection)


async def test_a_body_that_ends_early_is_a_fault_of_its_thread_and_what_came_was_taken():
    async def half(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 1_000_000)

    got = bytearray()
    async with listening(half) as port, pool_on(port) as pool:
        assert (await fault_of(delivery(pool, got.extend))).kind is FaultKind.BROKEN
        assert got == b"x" * 1_000_000
        assert pool.statistics() == {"connections-opened": 1, "connections": 0, "busy": 0}


@pytest.mark.parametrize("trickle", [False, True])
async def test_a_thread_notices_silence_and_a_trickle(trickle):
    clock = time.monotonic

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 1000)
        while trickle and not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)
        await never(reader, writer)

    async with listening(serve) as port:
        limits = Limits(connections=1, stall_timeout=0.3, minimum_rate=100_000, connect_timeout=5.0)
        pool = Pool("127.0.0.1", port, None, limits, clock)
        assert (await fault_of(delivery(pool, lambda _: None))).kind is FaultKind.STALL
        assert pool.statistics()["connections"] == 0
        pool.close()


async def test_a_taker_that_is_slow_is_no_stall():
    sent = answer("200 OK", b"x" * 3_000_000)
    now = [0.0]

    def slow(_piece):
        now[0] += 1000.0

    async with canned(lambda _: sent) as server, pool_on(server.port, clock=lambda: now[0]) as pool:
        await delivery(pool, slow)


async def test_chunks_that_are_not_sound_are_a_fault_of_their_thread():
    sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n"

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for byte in range(len(sent)):  # in two segments at least: the head, then the rest
            writer.write(sent[byte : byte + 1])
            await writer.drain()
            await asyncio.sleep(0)
        await never(reader, writer)

    got = bytearray()
    async with listening(serve) as port, pool_on(port) as pool:
        fault = await fault_of(delivery(pool, got.extend))
        assert fault.kind is FaultKind.PROTOCOL
        assert pool.statistics()["connections"] == 0


async def test_a_body_left_in_the_middle_frees_its_place():
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
    async with canned(lambda _: sent) as server, wire_on(f"http://127.0.0.1:{server.port}") as store:
        async with asyncio.timeout(20):
            for _ in range(30):
                async with store.get(GetRequest("k")) as body:
                    async for _piece in body.chunks():
                        break
        assert store.statistics()["busy"] == 0
