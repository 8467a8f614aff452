"""Details of the SDK transport: stalls of bodies, and which waits count. The rest is in tests/faults."""

import asyncio
from types import SimpleNamespace

import pytest

from faults.canned import listening
from faults.stores import fault_of, store_on
from s3haul.aws import sdk
from s3haul.aws.sdk import SdkStore
from s3haul.errors import CredentialsError, FaultKind, StoreError
from s3haul.options import SourceOptions, TransferOptions
from s3haul.s3.endpoint import Credentials
from s3haul.store.protocol import GetRequest, HeadRequest


async def test_headers_that_arrive_byte_by_byte_without_end_are_a_stall(monkeypatch):
    monkeypatch.setattr(sdk, "CONNECT_TIMEOUT", 0)

    async def drip(reader, writer):
        while b"/k" not in await reader.readuntil(b"\r\n\r\n"):  # which region the bucket is in
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            writer.write(b"y")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with listening(drip) as port, store_on(port, "sdk") as store:
        assert (await fault_of(store.head(HeadRequest("k")))).kind is FaultKind.STALL


class Client:
    """A minimal client: one operation that returns at once."""

    meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))

    async def head_object(self, **_):
        return {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {"content-length": "3"}}}


async def test_waiting_for_credentials_is_not_a_stall(monkeypatch):
    monkeypatch.setattr(sdk, "CONNECT_TIMEOUT", 0)

    async def slow() -> Credentials:
        for _ in range(100):
            await asyncio.sleep(0)
        return Credentials("AK", "SK")

    store = SdkStore(Client(), SourceOptions(bucket="b"), TransferOptions(stall_timeout=0.0), slow)
    assert (await store.head(HeadRequest("k"))).length == 3


async def test_credentials_that_cannot_be_fetched_are_a_fault_with_the_id_of_its_cause():
    async def gone() -> Credentials:
        raise CredentialsError("expired", id="S3H-STS-02")

    store = SdkStore(Client(), SourceOptions(bucket="b"), TransferOptions(), gone)
    with pytest.raises(StoreError) as caught:
        await store.head(HeadRequest("k"))
    assert (caught.value.fault.kind, caught.value.fault.code) == (FaultKind.CREDENTIALS, "S3H-STS-02")
    assert isinstance(caught.value.__cause__, CredentialsError)


class Stream:
    """A body whose reads take `seconds` each on the clock of the test."""

    connection = None

    def __init__(self, clock: list[float], seconds: float, chunks: list[bytes]) -> None:
        self._clock, self._seconds, self._chunks = clock, seconds, chunks

    async def read(self, _: int) -> bytes:
        self._clock[0] += self._seconds
        return self._chunks.pop(0) if self._chunks else b""

    def close(self) -> None:
        pass


async def received(clock: list[float], seconds: float, chunks: list[bytes], *, pause: float = 0.0) -> int:
    """The bytes received if each read takes `seconds` and the consumer needs `pause` per chunk."""

    class Getting(Client):
        async def get_object(self, **_):
            answer = {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {"etag": '"e"'}}}
            return {**answer, "Body": Stream(clock, seconds, chunks)}

    got = []

    def take(chunk) -> None:
        clock[0] += pause
        got.append(len(chunk))

    transfer = TransferOptions(stall_timeout=10.0, minimum_rate=1000)
    store = SdkStore(Getting(), SourceOptions(bucket="b"), transfer, keys, clock=lambda: clock[0])
    await store.load(GetRequest("k"), lambda _meta: take)
    return sum(got)


async def keys() -> Credentials:
    return Credentials("AK", "SK")


async def test_a_slow_consumer_is_not_a_stall():
    assert await received([0.0], 0.0, [b"x"] * 5, pause=1000) == 5


async def test_a_rate_below_the_minimum_over_one_window_is_a_stall():
    clock = [0.0]
    fault = await fault_of(received(clock, 1.0, [b"x" * 999] * 20))
    assert fault.kind is FaultKind.STALL
    assert clock[0] == 10.0


async def test_a_rate_at_the_minimum_is_not_a_stall():
    assert await received([0.0], 1.0, [b"x" * 1000] * 50) == 50_000
