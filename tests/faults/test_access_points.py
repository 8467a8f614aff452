"""Access points that are not attached to a bucket: an Outpost's, a file system's, a backup's."""

import pytest

from contract.demo_access import only_this_aws
from faults.canned import answer
from faults.hosts import hosted
from faults.stores import QUICK, read
from s3haul.aws.session import open_store
from s3haul.options import AccessOptions, SourceOptions
from s3haul.store.protocol import HeadRequest

ON_OUTPOST = "arn:aws:s3-outposts:us-east-1:111111111111:outpost/op-01ac5d28a6a232904/accesspoint/door"
OUTPOST = "door-111111111111.op-01ac5d28a6a232904.s3-outposts.us-east-1.amazonaws.com"
ATTACHED = "arn:aws:s3:us-east-1:111111111111:accesspoint/vol"
POINT = "vol-111111111111.s3-accesspoint.us-east-1.amazonaws.com"
ALIAS = "vol-x1y2z3-ext-s3alias"
PAGE = (
    b"<ListBucketResult><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>a</Key>"
    b"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>4</Size>"
    b"<StorageClass>FSX_ONTAP</StorageClass></Contents></ListBucketResult>"
)


def volume(head: bytes) -> bytes:
    """An access point that knows no HeadBucket and no GetObjectAttributes."""
    target = head.split()[1]
    if head.startswith(b"HEAD / ") or b"?attributes" in target:
        code = b"<Error><Code>MethodNotAllowed</Code></Error>"
        return answer("405 Method Not Allowed", b"" if head.startswith(b"HEAD") else code)
    if b"list-type" in target:
        return answer("200 OK", PAGE)
    return answer("200 OK", b"data", etag='"e"', x_amz_server_side_encryption="aws:fsx")


@pytest.mark.parametrize(
    ("bucket", "host", "transport", "service"),
    [
        (ON_OUTPOST, OUTPOST, "sdk", "s3-outposts"),
        (ON_OUTPOST.replace("/", ":"), OUTPOST, "sdk", "s3-outposts"),
        (ATTACHED, POINT, "curl", "s3"),
        (ALIAS, f"{ALIAS}.s3.us-east-1.amazonaws.com", "curl", "s3"),
    ],
)
async def test_objects_outside_of_buckets_are_read_through_an_access_point(
    tmp_path, monkeypatch, bucket, host, transport, service
):
    keys = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}
    nowhere = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    async with hosted(host, volume, tmp_path / "ca.pem") as (server, proxy, url):
        monkeypatch.delenv("https_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("HTTPS_PROXY", url)
        with only_this_aws(**keys, **nowhere):
            access = AccessOptions(region="us-east-1", ca_bundle=str(tmp_path / "ca.pem"))
            opening = open_store(access, SourceOptions(bucket=bucket), QUICK, on_event=lambda _: None)
            async with opening as opened:
                assert opened.transport == transport
                (entry,) = (await opened.store.list_page("")).entries
                assert (entry.key, entry.size, entry.storage_class) == ("a", 4, "FSX_ONTAP")
                assert await read(opened.store, "a", if_match=entry.etag) == b"data"
                assert (await opened.store.head(HeadRequest("a"))).sse == "aws:fsx"
                assert await opened.store.part_layout("a") is None
    assert set(proxy.tunnels) == {f"{host}:443"}
    for head in server.requests:
        assert f"/us-east-1/{service}/aws4_request" in head.decode()
