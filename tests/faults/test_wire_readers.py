"""Large bodies, many to a thread: each gets its own bytes and its own judgement, whatever the others do."""

import asyncio
import os
import threading
import time
from contextlib import asynccontextmanager

import pytest

from faults.canned import answer, canned, listening
from faults.stores import fault_of
from s3haul.aws.wire import readers
from s3haul.aws.wire.pool import Limits, Pool
from s3haul.errors import FaultKind

REQUEST = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n"
SIZE = 3_000_000
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + b"x" * 1000


@pytest.fixture
def one_thread(monkeypatch):
    """All bodies share it, and it looks after those that wait whenever it can."""
    monkeypatch.setattr(readers, "FEWEST", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(readers, "LOOK_EVERY", 0.01)


@asynccontextmanager
async def pool_on(port, clock=time.monotonic, stall_timeout=60.0):
    limits = Limits(connections=32, stall_timeout=stall_timeout, minimum_rate=1024, connect_timeout=5.0)
    pool = Pool("127.0.0.1", port, None, limits, clock)
    try:
        yield pool
    finally:
        pool.close()


async def delivery(pool, path, take):
    connection = await pool.acquire()
    try:
        await connection.ask(REQUEST % path)
        await connection.deliver(take)
    finally:
        pool.release(connection)


def threads():
    return [one for one in threading.enumerate() if one.name == "s3haul-body"]


async def test_many_bodies_share_a_few_threads_which_end_with_the_pool():
    bodies = {b"/%d" % number: bytes([number]) * SIZE for number in range(20)}
    async with canned(lambda head: answer("200 OK", bodies[head.split()[1]])) as server:
        async with pool_on(server.port) as pool:
            got = {path: bytearray() for path in bodies}
            await asyncio.gather(*(delivery(pool, path, got[path].extend) for path in bodies))
            assert got == bodies
            assert 1 <= len(threads()) <= max(readers.FEWEST, os.cpu_count())
        assert not threads()


@pytest.mark.usefixtures("one_thread")
async def test_a_body_that_stalls_is_given_up_while_the_others_of_its_thread_go_on():
    go_on = asyncio.Event()

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(BEGUN)
        if head.startswith(b"GET /silent"):
            await reader.read()
            return
        while not go_on.is_set():  # a byte now and then is enough for this one
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"x" * SIZE)
        await reader.read()

    async with listening(serve) as port, pool_on(port, stall_timeout=0.3) as pool:
        got = bytearray()
        other = asyncio.create_task(delivery(pool, b"/slow", got.extend))
        fault = await fault_of(delivery(pool, b"/silent", lambda _: None))
        assert (fault.kind, fault.message) == (FaultKind.STALL, "no byte for 0.3 s")
        assert not other.done()
        go_on.set()
        await other
        assert got == b"x" * SIZE


@pytest.mark.usefixtures("one_thread")
async def test_what_came_while_another_body_kept_the_thread_is_read_before_anyone_is_judged():
    now, loop = [0.0], asyncio.get_running_loop()
    held, sent = threading.Event(), threading.Event()
    release = asyncio.Event()

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(BEGUN)
        if head.startswith(b"GET /waits"):
            await release.wait()
            writer.write(b"x" * (SIZE - 1000))
            await writer.drain()
            loop.call_later(0.05, sent.set)
        else:
            writer.write(b"x" * (SIZE - 1000))
        await reader.read()

    def keep_the_thread(_piece):
        if not held.is_set():
            held.set()
            loop.call_soon_threadsafe(release.set)
            assert sent.wait(10)
            now[0] += 1000.0

    async with listening(serve) as port, pool_on(port, clock=lambda: now[0]) as pool:
        begun, got = asyncio.Event(), bytearray()

        def take(piece):
            got.extend(piece)
            loop.call_soon_threadsafe(begun.set)

        waiting = asyncio.create_task(delivery(pool, b"/waits", take))
        await begun.wait()
        await delivery(pool, b"/keeps", keep_the_thread)
        await waiting
        assert got == b"x" * SIZE


@pytest.mark.usefixtures("one_thread")
async def test_an_error_of_one_taker_is_nothing_to_the_others():
    async with canned(lambda _: answer("200 OK", b"x" * SIZE)) as server, pool_on(server.port) as pool:

        def refuse(_piece):
            raise ValueError("not this one")

        got = bytearray()
        results = await asyncio.gather(
            delivery(pool, b"/bad", refuse), delivery(pool, b"/good", got.extend), return_exceptions=True
        )
        assert [type(one) for one in results] == [ValueError, type(None)]
        assert got == b"x" * SIZE
        assert pool.statistics()["connections"] == 1


async def test_a_pool_that_is_closed_gives_up_the_bodies_under_way():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(BEGUN)
        await reader.read()

    async with listening(serve) as port:
        async with pool_on(port) as pool:
            begun = asyncio.Event()
            loop = asyncio.get_running_loop()
            body = asyncio.create_task(delivery(pool, b"/", lambda _: loop.call_soon_threadsafe(begun.set)))
            await begun.wait()
        assert (await fault_of(body)).kind is FaultKind.BROKEN
        assert not threads()
