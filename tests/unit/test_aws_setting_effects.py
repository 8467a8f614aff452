"""Each setting of AWS's SDKs is obeyed, or asks for what happens anyway, or is told once as not used."""

import asyncio
import os
import socket

import pycurl
import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, DEFAULT_S3_CONFIG_VARS

from contract.demo_access import Entry, only_this_aws
from contract.loading import loaded
from faults.canned import answer, canned
from s3haul.aws.bucket_location import choose
from s3haul.aws.clients import s3_client, sts_client
from s3haul.aws.faults import settings_errors
from s3haul.aws.sdk_settings import SDK_SETTINGS
from s3haul.aws.session import checked_settings, open_store
from s3haul.aws.source_credentials import load_source
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.errors import UsageError
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.s3.endpoint import Credentials
from s3haul.s3.libcurl import Network, new_handle
from s3haul.store.protocol import GetRequest

KEYS = Credentials("AK", "SK")
POINT = "arn:aws:s3:us-east-1:111111111111:accesspoint/door"
MULTI_REGION = "arn:aws:s3::111111111111:accesspoint/mfzwi23gnjvgw.mrap"
SAID = [one for one in SDK_SETTINGS if one.unused]
QUIET = [one for one in SDK_SETTINGS if not one.unused]


@pytest.fixture
def profile(tmp_path):
    """Makes lines of the default profile, and variables, those in effect; gives what they lead to."""
    path = tmp_path / "config"

    def in_effect(lines: str = "", **variables: str):
        path.write_text(f"[default]\n{lines}\n")
        return only_this_aws(AWS_CONFIG_FILE=str(path), AWS_SHARED_CREDENTIALS_FILE="/nowhere", **variables)

    return in_effect


def line(key: str, value: str) -> str:
    outer, _, inner = key.partition(".")
    return f"{outer} =\n  {inner} = {value}" if inner else f"{outer} = {value}"


def value_of(effect) -> str:
    """One that asks for something else than what happens anyway."""
    if effect.key == "proxies_config":
        return "\n  proxy_ca_bundle = x"
    if not effect.checked:
        return "x"
    return next((word for word in effect.words if word not in effect.fine), "3")


def warnings() -> str:
    return "\n".join(one.message for one in checked_settings(AccessOptions()).warnings)


@pytest.mark.parametrize("effect", SAID, ids=lambda one: one.key)
def test_a_setting_that_is_not_used_causes_one_warning_with_the_reason(profile, effect):
    told = f"{effect.key} ({effect.unused})"
    with profile(line(effect.key, value_of(effect))):
        assert warnings() == f"not used from profile 'default': {told}"
    for value in effect.fine:
        with profile(line(effect.key, value)):
            assert warnings() == ""


@pytest.mark.parametrize("effect", [one for one in SAID if one.variable], ids=lambda one: one.variable)
def test_a_variable_that_is_not_used_causes_a_warning_too(profile, effect):
    with profile(**{effect.variable: value_of(effect)}):
        assert warnings() == f"not used from the environment: {effect.variable} ({effect.unused})"


LEGAL = {
    "ca_bundle": "",
    "endpoint_url": "https://s3.example",
    "region": "eu-west-1",
    "s3.max_bandwidth": "10MB/s",
    "services": "srv\n[services srv]\ns3 =\n  endpoint_url = https://s3.example",
    "signature_version": "s3v4",
    "api_versions": "\n  s3 = 2006-03-01",
}


@pytest.mark.parametrize("effect", QUIET, ids=lambda one: one.key)
def test_a_setting_that_is_used_causes_no_warning(profile, effect):
    with profile(line(effect.key, LEGAL.get(effect.key, value_of(effect)))):
        assert warnings() == ""


def test_every_setting_of_the_sdk_has_a_documented_effect():
    keys = {one.key for one in SDK_SETTINGS} | {one.variable for one in SDK_SETTINGS}
    named = {names for key, *names, _ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values() for names in [key]}
    nested = {f"s3.{name}" for name in DEFAULT_S3_CONFIG_VARS}
    files = {None, "csm_host", "csm_client_id"}  # what csm_enabled sends, and where
    assert named - files <= keys
    assert nested <= keys


def host(service: str, bucket: str = "plain", region: str | None = None) -> str:
    settings = checked_settings(AccessOptions(region=region))
    if service == "sts":
        return sts_client(settings, KEYS).meta.endpoint_url
    client = s3_client(settings, KEYS, bucket=bucket, region=settings.region.value)
    with settings_errors(settings.given):
        return choose(client, bucket, "auto").endpoint.origin


@pytest.mark.parametrize(
    ("lines", "s3", "sts"),
    [
        (
            "use_fips_endpoint = true",
            "https://plain.s3-fips.us-east-1.amazonaws.com",
            "https://sts-fips.us-east-1.amazonaws.com",
        ),
        (
            "use_dualstack_endpoint = true",
            "https://plain.s3.dualstack.us-east-1.amazonaws.com",
            "https://sts.us-east-1.api.aws",
        ),
        (
            "s3 =\n  use_dualstack_endpoint = true",
            "https://plain.s3.dualstack.us-east-1.amazonaws.com",
            "https://sts.us-east-1.amazonaws.com",
        ),
        (
            "sts_regional_endpoints = legacy",
            "https://plain.s3.us-east-1.amazonaws.com",
            "https://sts.amazonaws.com",
        ),
        (
            "s3 =\n  use_accelerate_endpoint = true",
            "https://plain.s3-accelerate.amazonaws.com",
            "https://sts.us-east-1.amazonaws.com",
        ),
        (
            "services = srv\n[services srv]\nsts =\n  endpoint_url = https://sts.example",
            "https://plain.s3.us-east-1.amazonaws.com",
            "https://sts.example",
        ),
    ],
)
def test_the_settings_of_endpoints_select_the_host(profile, lines, s3, sts):
    with profile(lines):
        assert (host("s3"), host("sts")) == (s3, sts)


def test_each_service_has_a_variable_for_its_endpoint(profile):
    with profile(AWS_ENDPOINT_URL_S3="https://s3.example", AWS_ENDPOINT_URL_STS="https://sts.example"):
        assert (host("s3"), host("sts")) == ("https://s3.example", "https://sts.example")
        os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
        assert "amazonaws.com" in host("s3")
        assert "amazonaws.com" in host("sts")


def test_a_services_section_says_what_it_cannot_be_used_for(profile):
    with profile(
        "services = srv\n[services srv]\nendpoint_url = x\ns3 =\n  endpoint_ur = y\ndynamodb =\n  z = 1"
    ):
        told = warnings()
    assert "endpoint_url (it belongs below s3 or sts, indented) of services srv" in told
    assert "s3.endpoint_ur (it is unknown) of services srv" in told
    assert "dynamodb" not in told


def test_a_version_of_the_api_that_is_unknown_is_refused(profile):
    with profile("api_versions =\n  s3 = 1999-01-01"), pytest.raises(UsageError) as caught:
        host("s3")
    assert "1999-01-01" in caught.value.seen


@pytest.mark.parametrize("lines", ["s3 =\n  s3_disable_multiregion_access_points = true"])
def test_multi_region_access_points_can_be_disabled(profile, lines):
    with profile(lines), pytest.raises(UsageError) as caught:
        host("s3", MULTI_REGION)
    assert "Multi-Region" in caught.value.seen


@pytest.mark.parametrize("where", ["profile", "nested", "environment"])
async def test_an_access_point_of_another_region_is_refused_where_its_region_may_not_be_used(profile, where):
    lines = {"profile": "s3_use_arn_region = false", "nested": "s3 =\n  use_arn_region = false"}
    variables = {"AWS_S3_USE_ARN_REGION": "false"} if where == "environment" else {}
    keys = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}
    access = AccessOptions(region="eu-west-1")
    opening = open_store(access, SourceOptions(bucket=POINT), TransferOptions(), on_event=lambda _: None)
    with profile(lines.get(where, ""), **variables, **keys), pytest.raises(UsageError) as caught:
        async with opening:
            pass
    assert "us-east-1" in caught.value.message
    assert "USE_ARN_REGION" in caught.value.hint.upper()


async def test_the_mode_auto_does_not_read_the_region_from_instance_metadata(profile):
    async with canned(lambda _: answer("404 Not Found")) as metadata:
        with profile("defaults_mode = auto"):
            del os.environ["AWS_EC2_METADATA_DISABLED"]
            os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = f"http://127.0.0.1:{metadata.port}"
            await asyncio.to_thread(host, "s3")
            await asyncio.to_thread(host, "sts")
    assert metadata.requests == []


def instance(head: bytes) -> bytes:
    """Instance metadata of version 1: it knows no tokens."""
    if head.startswith(b"PUT "):
        return answer("404 Not Found")
    if head.split()[1].endswith(b"/security-credentials/"):
        return answer("200 OK", b"role")
    keys = '{"Code":"Success","AccessKeyId":"AKI","SecretAccessKey":"SK","Token":"T","Expiration":"2096-01-01T00:00:00Z"}'
    return answer("200 OK", keys.encode())


async def test_the_settings_of_instance_metadata_are_used(profile):
    async with canned(instance) as metadata:
        lines = f"ec2_metadata_service_endpoint = http://127.0.0.1:{metadata.port}\nmetadata_service_num_attempts = 1"
        with profile(lines):
            del os.environ["AWS_EC2_METADATA_DISABLED"]
            fetch = await load_source(checked_settings(AccessOptions()))
            assert (await fetch()).access_key == "AKI"
            asked = len(metadata.requests)
            os.environ["AWS_EC2_METADATA_V1_DISABLED"] = "true"
            with pytest.raises(Exception, match="credentials"):
                await load_source(checked_settings(AccessOptions()))
    assert asked == 3
    assert len(metadata.requests) == asked + 1  # the token, once


async def test_the_identifier_of_an_application_goes_to_sts(profile):
    async with canned(lambda _: answer("403 Forbidden", b"<Error/>")) as server:
        with profile("sdk_ua_app_id = backup"):
            access = AccessOptions(sts_endpoint_url=f"http://127.0.0.1:{server.port}")
            client = sts_client(checked_settings(access), KEYS)
            with pytest.raises(client.exceptions.ClientError):
                await asyncio.to_thread(client.get_caller_identity)
    assert b" app/backup" in server.requests[0]


def test_idle_connections_are_kept_alive():
    with socket.create_server(("127.0.0.1", 0)) as server:
        handle = new_handle(Network(authorities=""))
        handle.setopt(pycurl.URL, f"http://127.0.0.1:{server.getsockname()[1]}/")
        handle.setopt(pycurl.CONNECT_ONLY, 1)
        handle.perform()
        connection = socket.socket(fileno=os.dup(handle.getinfo(pycurl.ACTIVESOCKET)))
        with connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        handle.close()


@pytest.mark.parametrize("transport", ["curl", "sdk"])
async def test_stored_checksums_are_requested_whatever_the_sdk_is_configured_to_do(tmp_path, transport):
    with DemoServer() as server:
        server.cloud.put(seed.BUCKET, "a", b"data")
        more = "s3 =\n  signature_version = s3v4\nresponse_checksum_validation = when_required"
        access = AccessOptions(profile="export", transport=transport)
        async with (
            Entry(server, tmp_path).open(access, signature=more) as opened,
            loaded(opened.store, GetRequest("a")) as body,
        ):
            assert body.meta.checksums
