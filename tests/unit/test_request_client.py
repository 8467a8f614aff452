"""The curl transport with a wrong clock, with new credentials, and without credentials."""

import asyncio
import time

import pytest

from faults.canned import answer, canned
from faults.curl import curl_on
from faults.stores import fault_of, read
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.errors import CredentialsError, Fault, FaultKind, StoreError
from s3haul.options import SourceOptions
from s3haul.s3.client import RequestClient
from s3haul.s3.endpoint import Credentials
from s3haul.s3.signing import ServerClock
from s3haul.store.protocol import HeadRequest

OBJECT = answer("200 OK", b"the object", ETag='"e"')
OWNER = Credentials(seed.OWNER_KEY_ID, seed.OWNER_SECRET)
HOUR = 3600.0


async def owner() -> Credentials:
    return OWNER


@pytest.fixture
def sent(monkeypatch):
    """The requests that were sent, repeated ones included."""
    requests, exchange = [], RequestClient._exchange

    async def counted(self, request, on_head):
        requests.append(request)
        return await exchange(self, request, on_head)

    monkeypatch.setattr(RequestClient, "_exchange", counted)
    return requests


@pytest.mark.parametrize("hours", [-14, -1, 1, 14])
async def test_a_wrong_clock_is_corrected_once(hours, sent):
    with DemoServer() as server:
        server.cloud.put(seed.BUCKET, "k", b"data")
        server.cloud.clock = lambda: time.time() + hours * HOUR
        source = SourceOptions(bucket=seed.BUCKET)
        url = server.endpoint_url
        async with curl_on(url, ca=server.ca_path, source=source, fetch=owner, bucket=seed.BUCKET) as store:
            assert (await store.head(HeadRequest("k"))).length == 4  # the response to a HEAD has no reason
            assert await read(store, "k") == b"data"
            assert len((await store.list_page("")).entries) > 0
            assert len(sent) == 4


async def test_many_requests_at_once_learn_the_clock_together(sent):
    with DemoServer() as server:
        server.cloud.put(seed.BUCKET, "k", b"data")
        server.cloud.clock = lambda: time.time() + HOUR
        async with curl_on(server.endpoint_url, ca=server.ca_path, fetch=owner, bucket=seed.BUCKET) as store:
            assert await asyncio.gather(*(read(store, "k") for _ in range(8))) == [b"data"] * 8
            assert await read(store, "k") == b"data"
            assert len(sent) <= 9 + 8


async def test_a_clock_that_is_wrong_by_days_is_a_fault_with_the_difference():
    with DemoServer() as server:
        server.cloud.clock = lambda: time.time() + 50 * HOUR
        async with curl_on(server.endpoint_url, ca=server.ca_path, fetch=owner, bucket=seed.BUCKET) as store:
            fault = await fault_of(read(store, "k"))
    assert fault.code == "RequestTimeTooSkewed"
    assert abs(fault.skew - 50 * HOUR) < 60


def skewed(seconds: float | None, code="RequestTimeTooSkewed", kind=FaultKind.HTTP) -> Fault:
    return Fault(kind, "x", code=code, status=403, skew=seconds)


def test_only_a_refusal_because_of_the_clock_corrects_it():
    clock = ServerClock(lambda: 1000.0)
    assert not clock.learn(skewed(HOUR, code="AccessDenied"), 0.0)
    assert not clock.learn(skewed(HOUR, kind=FaultKind.PROTOCOL), 0.0)
    assert not clock.learn(skewed(None), 0.0)
    assert not clock.learn(skewed(30.0), 0.0)
    assert not clock.learn(skewed(100 * HOUR), 0.0)
    assert clock.now() == 1000.0
    assert clock.learn(skewed(HOUR), 0.0)
    assert clock.now() == 1000.0 + HOUR
    assert not clock.learn(skewed(HOUR + 1), HOUR)
    assert clock.learn(skewed(0.0), HOUR)
    assert clock.now() == 1000.0


@pytest.mark.parametrize("drift", [0.0, HOUR])
async def test_if_the_server_refuses_every_time_only_two_requests_are_sent(drift):
    date = [time.time() + HOUR]

    def refusal(_) -> bytes:
        date[0] += drift
        said = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(date[0]))
        return answer("403 Forbidden", b"<Error><Code>RequestTimeTooSkewed</Code></Error>", Date=said)

    async with canned(refusal) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        assert (await fault_of(read(store, "k"))).code == "RequestTimeTooSkewed"
        assert len(server.requests) == 2


async def test_new_keys_sign_the_next_request():
    keys = [Credentials("FIRST", "s1", "t1"), Credentials("FIRST", "s1", "t1"), Credentials("SECOND", "s2")]

    async def fetch() -> Credentials:
        return keys.pop(0)

    async with (
        canned(lambda _: OBJECT) as server,
        curl_on(f"http://127.0.0.1:{server.port}", fetch=fetch) as store,
    ):
        for _ in range(3):
            await read(store, "k")
    first, again, second = (request.decode() for request in server.requests)
    assert "Credential=FIRST/" in first
    assert "Credential=FIRST/" in again
    assert "x-amz-security-token: t1" in first
    assert "Credential=SECOND/" in second
    assert "x-amz-security-token" not in second


async def test_an_expired_token_is_not_renewed_in_the_client():
    expired = answer("400 Bad Request", b"<Error><Code>ExpiredToken</Code><Message>old</Message></Error>")
    async with canned(lambda _: expired) as server, curl_on(f"http://127.0.0.1:{server.port}") as store:
        fault = await fault_of(read(store, "k"))
        assert (fault.kind, fault.code, fault.status) == (FaultKind.HTTP, "ExpiredToken", 400)
        assert len(server.requests) == 1


async def test_credentials_that_cannot_be_fetched_are_a_fault_with_the_id_of_its_cause():
    async def gone() -> Credentials:
        raise CredentialsError("expired", id="S3H-STS-02")

    async with curl_on("http://127.0.0.1:1", fetch=gone) as store:
        with pytest.raises(StoreError) as caught:
            await store.head(HeadRequest("k"))
    assert (caught.value.fault.kind, caught.value.fault.code) == (FaultKind.CREDENTIALS, "S3H-STS-02")
    assert isinstance(caught.value.__cause__, CredentialsError)


async def test_waiting_for_credentials_is_not_a_stall_and_uses_no_connection():
    release = asyncio.Event()

    async def slow() -> Credentials:
        await release.wait()
        return OWNER

    async with (
        canned(lambda _: OBJECT) as server,
        curl_on(f"http://127.0.0.1:{server.port}", fetch=slow) as store,
    ):
        task = asyncio.create_task(read(store, "k"))
        await asyncio.sleep(0)
        assert server.connections == 0
        release.set()
        assert await task == b"the object"
