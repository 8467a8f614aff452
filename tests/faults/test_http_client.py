"""Requests of botocore's clients: over libcurl, and over botocore's own client if pycurl cannot be loaded."""

import asyncio
import threading

import pytest
import trustme
from botocore.awsrequest import AWSRequest
from botocore.exceptions import SSLError

from faults.canned import answer, canned, connect_proxy, server_context
from s3haul.aws.faults import translate
from s3haul.aws.http_client import (
    BotocoreHttpClient,
    CurlHttpClient,
    NoResponse,
    RedirectRefused,
    TransientNoResponse,
    call,
    request_handler,
)
from s3haul.errors import FaultKind
from s3haul.s3.faults import NO_ADDRESS

TOKEN = "the-session-token"
REPLY = answer("200 OK", b"<reply/>", x_amz_bucket_region="eu-west-1")


@pytest.fixture(params=[CurlHttpClient, BotocoreHttpClient])
def client(request, ca_file):
    return request.param(ca_file)


def request(url, method="POST", body=b"Action=AssumeRole"):
    headers = {"X-Amz-Security-Token": TOKEN, "Content-Type": "application/x-www-form-urlencoded"}
    return AWSRequest(
        method=method, url=url, data=body if method == "POST" else b"", headers=headers
    ).prepare()


async def ask(client, url, method="POST"):
    return await call(lambda: request_handler(client)(request=request(url, method)))


async def test_a_request_arrives_as_it_was_written_and_its_response_comes_back(authority, client):
    async with canned(lambda _: REPLY, server_context(authority, "localhost")) as server:
        assert (await ask(client, f"https://localhost:{server.port}/b", "GET")).status_code == 200
        response = await ask(client, f"https://localhost:{server.port}/?x=1")
        assert (response.status_code, response.content) == (200, b"<reply/>")
        assert response.headers["X-Amz-Bucket-Region"] == "eu-west-1"
        get, post = server.requests
    assert get.startswith(b"GET /b HTTP/1.1")
    assert post.startswith(b"POST /?x=1 HTTP/1.1")
    assert b"application/x-www-form-urlencoded" in post
    assert b"\r\ncontent-length: 17\r\n" in post.lower()
    assert b"expect" not in post.lower()


async def test_a_certificate_for_another_name_is_refused(authority, client):
    async with canned(lambda _: REPLY, server_context(authority, "other.example")) as server:
        with pytest.raises((NoResponse, SSLError)) as caught:
            await ask(client, f"https://localhost:{server.port}/")
        assert translate(caught.value).kind is FaultKind.TLS
        assert not server.requests


async def test_an_unknown_authority_is_refused_behind_a_proxy_too(client, monkeypatch):
    stranger = server_context(trustme.CA(), "localhost")
    async with canned(lambda _: REPLY, stranger) as server, connect_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises((NoResponse, SSLError)):
            await ask(client, f"https://localhost:{server.port}/")
        assert proxy.tunnels == [f"localhost:{server.port}"]
        assert not server.requests


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 x", "308 x"])
async def test_a_redirect_is_refused_and_the_token_stays_with_the_first_server(status, client):
    async with canned(lambda _: REPLY) as second:
        elsewhere = answer(
            status, Location=f"http://127.0.0.1:{second.port}/", x_amz_bucket_region="eu-west-1"
        )
        async with canned(lambda _: elsewhere) as first:
            with pytest.raises(RedirectRefused) as caught:
                await ask(client, f"http://127.0.0.1:{first.port}/")
        assert not second.connections
    assert translate(caught.value).region == "eu-west-1"


async def test_a_name_that_does_not_resolve_has_its_own_error(ca_file):
    with pytest.raises(TransientNoResponse) as caught:
        await ask(CurlHttpClient(ca_file), "https://nothing.invalid/")
    fault = translate(caught.value)
    assert (fault.kind, fault.code) == (FaultKind.CONNECT, NO_ADDRESS)


async def test_a_response_that_never_ends_is_cut_off(ca_file):
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (3 << 20)
    async with canned(lambda _: endless) as server:
        with pytest.raises((NoResponse, TransientNoResponse)):
            await ask(CurlHttpClient(ca_file), f"http://127.0.0.1:{server.port}/")


async def test_a_cancelled_call_breaks_off_its_request(ca_file):
    arrived = asyncio.Event()
    threads = threading.active_count()

    def silence(_):
        arrived.set()
        return b""

    async with canned(silence) as server:
        waiting = asyncio.create_task(ask(CurlHttpClient(ca_file), f"http://127.0.0.1:{server.port}/"))
        await arrived.wait()
        waiting.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await waiting
    assert threading.active_count() <= threads + 1


async def test_a_web_page_of_a_proxy_is_not_a_response_of_sts(client):
    async with canned(lambda _: answer("403 Forbidden", b"<html>blocked</html>")) as server:
        with pytest.raises(NoResponse) as caught:
            await call(lambda: request_handler(client)(request(f"http://127.0.0.1:{server.port}/")))
    assert translate(caught.value).kind is FaultKind.INTERCEPTED
