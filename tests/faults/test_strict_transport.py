"""The transport refuses what the SDK's own would accept: every test shows both.

Each repair is tried against real TLS servers; the plain session of the pinned SDK proves that the
scenario would otherwise succeed, so a test cannot pass because its server is broken.
"""

import inspect
import ssl

import pytest
import trustme
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.exceptions import SSLError

from faults.canned import answer, canned, connect_proxy, server_context
from s3haul.aws.faults import translate
from s3haul.aws.http_client import NoResponse
from s3haul.aws.sdk import RedirectRefused, StrictConfig, StrictSession
from s3haul.errors import FaultKind

TOKEN = "the-session-token"
BODY = b"the object"
OBJECT = answer("200 OK", BODY, ETag='"e"', Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")


async def fetch(endpoint, *, config, verify=None, proxies=None) -> bytes:
    """One GetObject with a client that has `config`."""
    options = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}, "proxies": proxies}
    client = AioSession().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        verify=verify,
        aws_access_key_id="AK",
        aws_secret_access_key="SK",
        aws_session_token=TOKEN,
        config=config(**options),
    )
    async with client as s3:
        got = await s3.get_object(Bucket="b", Key="k")
        async with got["Body"] as body:
            return await body.read()


async def test_a_certificate_for_another_name_is_refused(authority, ca_file):
    async with canned(lambda _: OBJECT, server_context(authority, "other.example")) as server:
        url = f"https://localhost:{server.port}"
        assert await fetch(url, config=AioConfig, verify=ca_file) == BODY
        arrived = len(server.requests)
        with pytest.raises(SSLError) as caught:
            await fetch(url, config=StrictConfig, verify=ca_file)
        assert translate(caught.value).kind is FaultKind.TLS
        assert len(server.requests) == arrived


async def test_a_certificate_for_the_right_name_is_accepted(authority, ca_file):
    async with canned(lambda _: OBJECT, server_context(authority, "localhost")) as server:
        assert await fetch(f"https://localhost:{server.port}", config=StrictConfig, verify=ca_file) == BODY


async def test_an_unknown_authority_behind_a_proxy_is_refused_before_anything_is_sent(authority, ca_file):
    stranger = server_context(trustme.CA(), "localhost")
    async with canned(lambda _: OBJECT, stranger) as server, connect_proxy() as proxy:
        url = f"https://localhost:{server.port}"
        through = {"https": f"http://127.0.0.1:{proxy.port}"}
        assert await fetch(url, config=AioConfig, verify=ca_file, proxies=through) == BODY
        assert TOKEN.encode() in server.requests[0]
        with pytest.raises(SSLError) as caught:
            await fetch(url, config=StrictConfig, verify=ca_file, proxies=through)
        assert translate(caught.value).kind is FaultKind.TLS
        assert proxy.tunnels == [f"localhost:{server.port}"] * 2
        assert len(server.requests) == 1


async def test_a_wrong_name_behind_a_proxy_is_refused(authority, ca_file):
    async with (
        canned(lambda _: OBJECT, server_context(authority, "other.example")) as server,
        connect_proxy() as proxy,
    ):
        url = f"https://localhost:{server.port}"
        through = {"https": f"http://127.0.0.1:{proxy.port}"}
        assert await fetch(url, config=AioConfig, verify=ca_file, proxies=through) == BODY
        with pytest.raises(SSLError):
            await fetch(url, config=StrictConfig, verify=ca_file, proxies=through)
        assert len(server.requests) == 1


async def test_a_good_server_behind_a_proxy_is_accepted(authority, ca_file):
    async with (
        canned(lambda _: OBJECT, server_context(authority, "localhost")) as server,
        connect_proxy() as proxy,
    ):
        through = {"https": f"http://127.0.0.1:{proxy.port}"}
        url = f"https://localhost:{server.port}"
        assert await fetch(url, config=StrictConfig, verify=ca_file, proxies=through) == BODY


async def test_an_empty_ca_bundle_setting_does_not_switch_verification_off(authority, monkeypatch):
    async with canned(lambda _: OBJECT, server_context(authority, "localhost")) as server:
        monkeypatch.setenv("AWS_CA_BUNDLE", "")
        assert await fetch(f"https://localhost:{server.port}", config=AioConfig) == BODY
        with pytest.raises(SSLError):
            await fetch(f"https://localhost:{server.port}", config=StrictConfig)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 x", "308 x"])
async def test_a_redirect_is_refused_and_the_token_stays_with_the_first_server(status):
    async with canned(lambda _: OBJECT) as second:
        elsewhere = answer(
            status, Location=f"http://127.0.0.1:{second.port}/b/k", x_amz_bucket_region="eu-west-1"
        )
        async with canned(lambda _: elsewhere) as first:
            url = f"http://127.0.0.1:{first.port}"
            assert await fetch(url, config=AioConfig) == BODY
            assert TOKEN.encode() in second.requests[0]
            arrived = second.connections
            with pytest.raises(RedirectRefused) as caught:
                await fetch(url, config=StrictConfig)
            assert second.connections == arrived
            fault = translate(caught.value)
            assert (fault.kind, fault.region) == (FaultKind.REDIRECT, "eu-west-1")
            assert fault.status == int(status[:3])


async def test_metadata_that_is_not_utf8_does_not_make_an_object_unreadable():
    odd = OBJECT.replace(b"ETag", b"x-amz-meta-city: K\xf6ln\r\nETag")
    async with canned(lambda _: odd) as server:
        url = f"http://127.0.0.1:{server.port}"
        with pytest.raises(Exception, match="decode"):
            await fetch(url, config=AioConfig)
        assert await fetch(url, config=StrictConfig) == BODY


async def test_a_merged_configuration_is_still_strict():
    default = AioConfig(http_session_cls=StrictSession)
    assert default.merge(AioConfig(read_timeout=1)).http_session_cls is AIOHTTPSession
    merged = StrictConfig(read_timeout=9).merge(AioConfig(connect_timeout=1))
    assert merged.http_session_cls is StrictSession
    assert (merged.read_timeout, merged.connect_timeout) == (9, 1)


async def test_an_error_answer_is_not_taken_for_a_redirect():
    async with canned(lambda _: answer("403 Forbidden")) as server:
        with pytest.raises(NoResponse) as caught:
            await fetch(f"http://127.0.0.1:{server.port}", config=StrictConfig)
    fault = caught.value.kwargs["fault"]
    assert (fault.kind, fault.status) == (FaultKind.HTTP, 403)


@pytest.mark.parametrize(
    ("method", "parameters", "is_async"),
    [
        ("_get_ssl_context", ["self"], False),
        ("_setup_proxy_ssl_context", ["self", "proxy_url"], False),
        ("_get_session", ["self", "proxy_url"], True),
        ("send", ["self", "request"], True),
    ],
)
def test_the_private_methods_that_are_overridden_still_exist_upstream(method, parameters, is_async):
    upstream = getattr(AIOHTTPSession, method)
    assert list(inspect.signature(upstream).parameters) == parameters
    assert inspect.iscoroutinefunction(upstream) is is_async
    assert upstream.__qualname__ != getattr(StrictSession, method).__qualname__


def test_the_upstream_send_still_calls_the_methods_that_we_wrap():
    assert "await self._get_session(proxy_url)" in inspect.getsource(AIOHTTPSession.send)
    assert "await session.request(" in inspect.getsource(AIOHTTPSession.send)
    connector = inspect.getsource(AIOHTTPSession._create_connector)
    assert "self._setup_proxy_ssl_context(proxy_url)" in connector
    assert "self._get_ssl_context()" in connector
    assert isinstance(StrictSession()._get_ssl_context(), ssl.SSLContext)
