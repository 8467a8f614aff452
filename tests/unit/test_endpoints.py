"""The address of requests, and the choice of the transport."""

import pytest

from contract.demo_access import Entry, only_this_aws
from s3haul.aws.bucket_location import Choice, choose
from s3haul.aws.clients import s3_client
from s3haul.aws.settings import resolve
from s3haul.demo.server import DemoServer
from s3haul.errors import UsageError
from s3haul.options import AccessOptions
from s3haul.s3.endpoint import Credentials, Endpoint, parse

NOWHERE = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}


def chosen(bucket, endpoint=None, asked="auto", **variables) -> Choice:
    with only_this_aws(**NOWHERE, **variables):
        settings = resolve(AccessOptions(endpoint_url=endpoint, region="eu-west-1"))
        client = s3_client(settings, Credentials("AK", "SK"), bucket=bucket, region="eu-west-1")
        return choose(client, bucket, asked)


@pytest.mark.parametrize(
    ("bucket", "endpoint", "host", "base", "region"),
    [
        ("plain", None, "plain.s3.eu-west-1.amazonaws.com", "", "eu-west-1"),
        ("with.dots", None, "s3.eu-west-1.amazonaws.com", "/with.dots", "eu-west-1"),
        ("plain", "https://store.example:9000", "store.example", "/plain", "eu-west-1"),
        ("plain", "https://store.example/s3/", "store.example", "/s3/plain", "eu-west-1"),
        (
            "arn:aws:s3:us-west-2:123456789012:accesspoint/point",
            None,
            "point-123456789012.s3-accesspoint.us-west-2.amazonaws.com",
            "",
            "us-west-2",
        ),
    ],
)
def test_the_curl_transport_uses_the_same_address_as_the_sdk(bucket, endpoint, host, base, region):
    choice = chosen(bucket, endpoint)
    assert choice.transport == "curl"
    found = choice.endpoint
    assert (found.host, found.base, found.region, found.secure) == (host, base, region, True)


def test_dual_stack_and_other_settings_of_the_sdk_are_used():
    choice = chosen("plain", AWS_USE_DUALSTACK_ENDPOINT="true")
    assert choice.endpoint.host == "plain.s3.dualstack.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("bucket", "reason"),
    [
        ("arn:aws:s3::123456789012:accesspoint/abc.mrap", "Signature Version 4A"),
        ("b--use1-az4--x-s3", "sigv4-s3express"),
        ("arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/x", "s3-object-lambda"),
    ],
)
def test_what_the_curl_transport_does_not_support_goes_to_the_sdk_with_a_reason(bucket, reason):
    choice = chosen(bucket)
    assert (choice.transport, choice.endpoint) == ("sdk", None)
    assert reason in choice.reason
    with pytest.raises(UsageError, match=reason):
        chosen(bucket, asked="curl")


def test_a_proxy_is_used_unless_the_endpoint_bypasses_it():
    proxy = {"HTTPS_PROXY": "http://proxy.example:3128"}
    endpoint = "https://store.example"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HTTPS_PROXY", proxy["HTTPS_PROXY"])
        environment.delenv("NO_PROXY", raising=False)
        environment.delenv("no_proxy", raising=False)
        assert chosen("plain", endpoint).proxy == proxy["HTTPS_PROXY"]
        environment.setenv("NO_PROXY", "store.example")
        assert chosen("plain", endpoint).proxy == ""


def test_the_requested_transport_is_used():
    assert chosen("plain", asked="sdk").transport == "sdk"
    assert chosen("plain", asked="curl").transport == "curl"
    with pytest.raises(UsageError, match="carrier pigeon"):
        chosen("plain", asked="carrier pigeon")


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("https://h/b", "h", 443, "h"),
        ("https://h:443/b", "h", 443, "h"),
        ("http://h:443/b", "h", 443, "h:443"),
        ("http://127.0.0.1:9000/b", "127.0.0.1", 9000, "127.0.0.1:9000"),
        ("https://[::1]:8443/b", "::1", 8443, "[::1]:8443"),
    ],
)
def test_a_port_that_is_not_the_usual_one_is_part_of_the_host_header(url, host, port, authority):
    found = parse(url, "r")
    assert isinstance(found, Endpoint)
    assert (found.host, found.port, found.authority, found.base) == (host, port, authority, "/b")


async def test_an_open_store_says_which_transport_it_uses_and_why(tmp_path):
    with DemoServer() as server:
        entry = Entry(server, tmp_path)
        async with entry.open() as opened:
            assert (opened.transport, opened.transport_reason) == ("curl", "it supports this bucket")
        async with entry.open(AccessOptions(profile="export", transport="sdk")) as opened:
            assert (opened.transport, opened.transport_reason) == ("sdk", "it was requested")
