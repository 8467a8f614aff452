"""Every external exception is mapped to the right fault, also if its cause is nested."""

import asyncio
import errno
import os
import resource
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from s3haul.aws.faults import translate, unreachable
from s3haul.aws.http_client import RedirectRefused
from s3haul.aws.sdk import SDK_ERRORS, sdk_fault
from s3haul.errors import CredentialsError, Fault, FaultKind, StoreError

URL = "https://bucket.example/key"
NOW = 1_700_000_000.0


def answered(code: str, status: int, message: str = "", **headers: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "REQ",
                "HTTPHeaders": {name.replace("_", "-"): text for name, text in headers.items()},
            },
        },
        "GetObject",
    )


def wrapped(outer: Exception, inner: BaseException) -> Exception:
    outer.__context__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.ConnectTimeoutError(endpoint_url=URL), FaultKind.CONNECT),
        (boto.EndpointConnectionError(endpoint_url=URL), FaultKind.CONNECT),
        (boto.ProxyConnectionError(proxy_url=URL), FaultKind.CONNECT),
        (boto.ReadTimeoutError(endpoint_url=URL), FaultKind.STALL),
        (TimeoutError(), FaultKind.STALL),
        (boto.ConnectionClosedError(endpoint_url=URL), FaultKind.BROKEN),
        (boto.ResponseStreamingError(error="x"), FaultKind.BROKEN),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), FaultKind.BROKEN),
        (aiohttp.ClientPayloadError("short"), FaultKind.BROKEN),
        (ConnectionResetError(), FaultKind.BROKEN),
        (OSError(errno.EHOSTUNREACH, "no route"), FaultKind.BROKEN),
        (boto.SSLError(endpoint_url=URL, error="x"), FaultKind.TLS),
        (wrapped(boto.SSLError(endpoint_url=URL, error="x"), ssl.SSLEOFError()), FaultKind.CONNECT),
        (wrapped(boto.SSLError(endpoint_url=URL, error="x"), ConnectionResetError()), FaultKind.CONNECT),
        (
            wrapped(boto.EndpointConnectionError(endpoint_url=URL), ssl.SSLCertVerificationError()),
            FaultKind.TLS,
        ),
        (wrapped(aiohttp.ClientPayloadError("x"), ssl.SSLError("bad record mac")), FaultKind.BROKEN),
        (boto.HTTPClientError(error="two Content-Lengths"), FaultKind.PROTOCOL),
        (ResponseParserError("not XML"), FaultKind.PROTOCOL),
        (ValueError("not a date"), FaultKind.PROTOCOL),
        (boto.NoCredentialsError(), FaultKind.CREDENTIALS),
        (boto.CredentialRetrievalError(provider="p", error_msg="e"), FaultKind.CREDENTIALS),
        (boto.UnauthorizedSSOTokenError(), FaultKind.CREDENTIALS),
        (CredentialsError("gone", id="S3H-STS-02"), FaultKind.CREDENTIALS),
        (RedirectRefused(status=307, location="http://x", region=""), FaultKind.REDIRECT),
        (answered("SlowDown", 503), FaultKind.HTTP),
    ],
)
def test_each_exception_has_its_kind(error, kind):
    assert sdk_fault(error).kind is kind


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
@pytest.mark.parametrize("outer", [boto.EndpointConnectionError, boto.ReadTimeoutError])
def test_exhaustion_hidden_in_a_connection_error_is_local(number, outer):
    inner = wrapped(RuntimeError("in between"), OSError(number, os.strerror(number)))
    assert translate(wrapped(outer(endpoint_url=URL), inner)).kind is FaultKind.LOCAL


def test_exhaustion_inside_an_exception_of_botocore_is_detected():
    error = boto.HTTPClientError(error=OSError(errno.EMFILE, "Too many open files"))
    assert translate(error).kind is FaultKind.LOCAL


def test_a_connection_error_while_no_descriptor_is_left_is_local():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = sum(1 for _ in Path("/dev/fd").iterdir())
    error = boto.EndpointConnectionError(endpoint_url=URL)
    assert translate(error).kind is FaultKind.CONNECT
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use, hard))
    try:
        kind = translate(error).kind
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert kind is FaultKind.LOCAL


def test_the_kind_of_an_earlier_fault_does_not_affect_the_next_one():
    earlier = wrapped(StoreError(Fault(FaultKind.LOCAL, "x")), OSError(errno.EMFILE, "x"))
    assert sdk_fault(wrapped(aiohttp.ClientPayloadError("short"), earlier)).kind is FaultKind.BROKEN


def test_a_loop_of_causes_ends():
    one, two = boto.HTTPClientError(error="x"), RuntimeError()
    one.__context__, two.__context__ = two, one
    assert translate(one).kind is FaultKind.PROTOCOL


async def test_a_name_that_does_not_resolve_is_a_connection_fault():
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError) as caught:
            await session.get("http://nothing.invalid/")
    assert any(isinstance(one, socket.gaierror) for one in (caught.value.os_error, caught.value.__context__))
    assert (
        translate(wrapped(boto.EndpointConnectionError(endpoint_url=URL), caught.value)).kind
        is FaultKind.CONNECT
    )


def test_an_answer_keeps_code_message_status_and_request_id():
    fault = translate(answered("NoSuchKey", 404, "The specified key does not exist."))
    assert (fault.code, fault.status, fault.request_id) == ("NoSuchKey", 404, "REQ")
    assert fault.message == "The specified key does not exist."
    assert (fault.retry_after, fault.skew, fault.region) == (None, None, "")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "5"}, 5.0),
        ({"x_amz_retry_after": "1500"}, 1.5),
        ({"retry_after": "1", "x_amz_retry_after": "9000"}, 9.0),
        ({"retry_after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry_after": "Tue, 14 Nov 2023 22:13:10 GMT"}, 0.0),
        ({"retry_after": "soon", "x_amz_retry_after": "-1"}, None),
    ],
)
def test_both_retry_headers_are_used(headers, seconds):
    assert translate(answered("SlowDown", 503, **headers), now=NOW).retry_after == seconds


def test_the_clock_skew_is_measured_from_the_date_of_the_answer():
    fault = translate(answered("RequestTimeTooSkewed", 403, date="Tue, 14 Nov 2023 22:33:20 GMT"), now=NOW)
    assert fault.skew == 1200.0


@pytest.mark.parametrize(
    "error",
    [
        answered("403", 403, x_amz_bucket_region="eu-west-1"),
        RedirectRefused(status=301, location="", region="eu-west-1"),
    ],
)
def test_the_region_hint_is_kept(error):
    assert translate(error).region == "eu-west-1"


async def test_cancellation_is_not_among_the_exceptions_that_are_translated():
    assert not issubclass(asyncio.CancelledError, SDK_ERRORS)
    assert not issubclass(KeyboardInterrupt, SDK_ERRORS)


@pytest.mark.parametrize(
    ("kind", "id_", "code"),
    [
        (FaultKind.LOCAL, "S3H-DST-08", 5),
        (FaultKind.CREDENTIALS, "S3H-CFG-05", 4),
        (FaultKind.TLS, "S3H-NET-06", 6),
        (FaultKind.STALL, "S3H-NET-05", 6),
    ],
)
def test_a_service_without_a_response_has_the_id_and_the_exit_code_of_the_cause(kind, id_, code):
    error = unreachable("S3", Fault(kind, "x"), OSError())
    assert (error.id, error.exit_code, error.seen) == (id_, code, "x")
