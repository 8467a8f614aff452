"""A multi-region access point is asked at its global host, with Signature Version 4A,
all the way from the ARN."""

import pytest

from contract.demo_access import only_this_aws
from faults.canned import answer
from faults.hosts import hosted
from faults.stores import QUICK, read
from s3haul.aws.session import open_store
from s3haul.options import AccessOptions, SourceOptions

ARN = "arn:aws:s3::111111111111:accesspoint/mfzwi23gnjvgw.mrap"
HOST = "mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com"


@pytest.mark.parametrize("regions", ["*", "us-east-1,eu-west-1"])
async def test_requests_for_the_bucket_and_its_objects_are_signed_with_version_4a(tmp_path, regions):
    data = answer("200 OK", b"data", etag='"e"')
    async with hosted(HOST, lambda _: data, tmp_path / "ca.pem") as (server, proxy, url):
        keys = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_SESSION_TOKEN": "TOKEN"}
        nowhere = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
        named = {} if regions == "*" else {"AWS_SIGV4A_SIGNING_REGION_SET": regions}
        with only_this_aws(**keys, **nowhere, **named), pytest.MonkeyPatch.context() as patch:
            patch.setenv("HTTPS_PROXY", url)
            patch.delenv("https_proxy", raising=False)
            access = AccessOptions(region="eu-west-1", ca_bundle=str(tmp_path / "ca.pem"))
            opening = open_store(access, SourceOptions(bucket=ARN), QUICK, on_event=lambda _: None)
            async with opening as opened:
                assert opened.transport == "sdk"
                assert await read(opened.store) == b"data"
    assert set(proxy.tunnels) == {f"{HOST}:443"}
    assert [head.split()[0] for head in server.requests] == [b"HEAD", b"GET"]
    for head in server.requests:
        lines = head.decode().lower()
        assert "authorization: aws4-ecdsa-p256-sha256 credential=ak/" in lines
        assert f"x-amz-region-set: {regions}\r\n" in lines
        assert "x-amz-security-token: token" in lines
