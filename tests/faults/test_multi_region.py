"""A multi-region access point is asked at its global host, with Signature Version 4A, all the way from the ARN."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import trustme

from contract.demo_access import only_this_aws
from faults.canned import ConnectProxy, answer, canned, listening, pump, server_context
from faults.stores import QUICK, read
from s3haul.aws.session import open_store
from s3haul.options import AccessOptions, SourceOptions

ARN = "arn:aws:s3::111111111111:accesspoint/mfzwi23gnjvgw.mrap"
HOST = "mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com"


class LeadingProxy(ConnectProxy):
    """Leads every tunnel to one port of this machine."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._to = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.tunnels.append(head.split()[1].decode())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


@asynccontextmanager
async def global_host(script, ca_file):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    async with canned(script, server_context(authority, HOST)) as server:
        proxy = LeadingProxy(server.port)
        async with listening(proxy.serve) as port:
            yield server, proxy, f"http://127.0.0.1:{port}"


async def test_the_bucket_and_its_objects_are_asked_for_with_version_4a(tmp_path):
    data = answer("200 OK", b"data", etag='"e"')
    async with global_host(lambda _: data, tmp_path / "ca.pem") as (server, proxy, url):
        keys = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_SESSION_TOKEN": "TOKEN"}
        nowhere = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
        with only_this_aws(**keys, **nowhere), pytest.MonkeyPatch.context() as patch:
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
        assert "x-amz-region-set: *" in lines
        assert "x-amz-security-token: token" in lines
