"""Checks of endpoints: requests are encrypted or go to this machine, never to instance metadata."""

import logging

import pytest

from contract.demo_access import only_this_aws
from s3haul.aws.clients import quiet_loggers, s3_client, sts_client
from s3haul.aws.endpoints import check_endpoint
from s3haul.aws.settings import resolve
from s3haul.errors import UsageError
from s3haul.options import AccessOptions
from s3haul.s3.endpoint import Credentials


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://s3.example",
        "https://s3.example:9000/path",
        "http://127.0.0.1:9000",
        "http://127.9.9.9",
        "http://localhost:9000",
        "http://[::1]:9000",
        "http://[::ffff:127.0.0.1]",
    ],
)
def test_an_encrypted_or_a_local_endpoint_is_accepted(url):
    check_endpoint(url, allow_plain_http=False)


@pytest.mark.parametrize("url", ["http://s3.example", "http://10.0.0.1:9000", "http://localhost.example"])
def test_a_plain_endpoint_elsewhere_needs_a_flag(url):
    with pytest.raises(UsageError) as caught:
        check_endpoint(url, allow_plain_http=False)
    assert caught.value.id == "S3H-NET-03"
    check_endpoint(url, allow_plain_http=True)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "2852039166",
        "0xa9fea9fe",
        "169.16689662",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_metadata_addresses_are_refused_however_they_are_spelled(host, scheme):
    with pytest.raises(UsageError, match="metadata"):
        check_endpoint(f"{scheme}://{host}/", allow_plain_http=True)


@pytest.mark.parametrize(
    "url",
    ["s3.example", "ftp://s3.example", "https://", "https://user@s3.example", "https://s3.example/?a=b"],
)
def test_an_invalid_endpoint_url_is_refused(url):
    with pytest.raises(UsageError):
        check_endpoint(url, allow_plain_http=True)


def test_the_loggers_that_would_print_secrets_stay_quiet():
    logging.getLogger("botocore").setLevel(logging.DEBUG)
    quiet_loggers()
    for name in ("botocore.parsers", "aiobotocore.endpoint", "aiohttp.client", "urllib3"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)


def first_request(s3, bucket):
    """The request that GetObject would send. Nothing is sent."""
    sent = []

    def stop(request, **_):
        sent.append(request)
        raise RuntimeError("not sent")

    s3.meta.events.register_first("before-send.s3.GetObject", stop)
    with pytest.raises(RuntimeError, match="not sent"):
        s3.get_object(Bucket=bucket, Key="k")
    return sent[0]


@pytest.mark.parametrize(
    ("bucket", "endpoint", "url"),
    [
        ("plain", None, "https://plain.s3.eu-west-1.amazonaws.com/k"),
        ("with.dots", None, "https://s3.eu-west-1.amazonaws.com/with.dots/k"),
        ("plain", "https://store.example:9000", "https://store.example:9000/plain/k"),
        (
            "arn:aws:s3:eu-west-1:111111111111:accesspoint/door",
            None,
            "https://door-111111111111.s3-accesspoint.eu-west-1.amazonaws.com/k",
        ),
    ],
)
def test_requests_go_to_the_right_address_and_are_signed_with_version_4(tmp_path, bucket, endpoint, url):
    config = tmp_path / "config"
    config.write_text("[profile p]\ns3 = signature_version = s3v4\n")
    with only_this_aws(AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE="/nowhere"):
        settings = resolve(AccessOptions(profile="p", endpoint_url=endpoint))
        s3 = s3_client(settings, Credentials("AK", "SK", "TOKEN"), bucket=bucket, region="eu-west-1")
        sent = first_request(s3, bucket)
    assert sent.url == url
    assert sent.headers["Authorization"].startswith(b"AWS4-HMAC-SHA256 Credential=AK/")
    assert sent.headers["X-Amz-Security-Token"] == b"TOKEN"


def test_requests_to_sts_go_to_the_configured_region():
    with only_this_aws(AWS_CONFIG_FILE="/nowhere", AWS_SHARED_CREDENTIALS_FILE="/nowhere"):
        sts = sts_client(resolve(AccessOptions(region="eu-west-1")), Credentials("AK", "SK"))
    assert sts.meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"
    assert sts.meta.config.retries["total_max_attempts"] == 3
