"""Whatever a server answers to any request of a run: each call succeeds or ends in one
error; never a traceback."""

import asyncio
from types import SimpleNamespace
from unittest.mock import patch

import botocore.endpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.demo_access import only_this_aws
from contract.loading import load
from faults.canned import listening
from fuzzing import EXAMPLES, SETS
from s3haul.aws.session import open_store
from s3haul.cli.errors import error_lines
from s3haul.diagnose.reasons import listing_of, run_error
from s3haul.errors import S3HaulError, StoreError
from s3haul.options import AccessOptions, RoleOptions, SourceOptions, TransferOptions
from s3haul.store.protocol import GetRequest, HeadRequest

ACCOUNT = "111111111111"
SESSION = (
    "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
    "<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>SK</SecretAccessKey><SessionToken>T</SessionToken>"
    "<Expiration>2096-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser>"
    f"<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/R/s</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
).encode()
PAGE = (
    b"<?xml version='1.0'?><ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><EncodingType>url</EncodingType>"
    b"<IsTruncated>false</IsTruncated><Contents><Key>a%2Fb</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
    b"<ETag>&quot;e&quot;</ETag><Size>4</Size><StorageClass>STANDARD</StorageClass><RestoreStatus>"
    b"<IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus></Contents></ListBucketResult>"
)
PARTS = (
    b"<GetObjectAttributesResponse><ObjectSize>4</ObjectSize><Checksum><ChecksumCRC32>x</ChecksumCRC32></Checksum>"
    b"<ObjectParts><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>4</Size></Part>"
    b"</ObjectParts></GetObjectAttributesResponse>"
)
ERROR = b"<Error><Code>AccessDenied</Code><Message>no</Message><Region>eu-west-1</Region></Error>"
HTML = b"<!DOCTYPE html><html><title>Log in</title></html>"
BODIES = [SESSION, PAGE, PARTS, ERROR, HTML, b"", b"data", b"{}", b"[]", b"\xff\xfe<\x00", b"<a>" * 50]
HEADERS = {
    "Content-Type": ["text/html", "application/xml", "x"],
    "ETag": ['"e"', "e", 'W/"e"', ""],
    "Last-Modified": ["Sun, 06 Nov 1994 08:49:37 GMT", "0", "Sun, 06 Nov 99999 08:49:37 GMT"],
    "Date": ["Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 0001 00:00:00 GMT", "now"],
    "Content-Range": ["bytes 0-3/4", "bytes 3-0/*", "bytes"],
    "Location": ["https://b.s3.eu-west-1.amazonaws.com/", "http://[", "", "https://h:99999/"],
    "x-amz-bucket-region": ["eu-west-1", "../..", "us east", "9" * 70],
    "x-amz-checksum-crc32": ["AAAAAA==", "-", ""],
    "x-amz-mp-parts-count": ["1", "-1", "9" * 30],
    "Retry-After": ["1", "-1", "9" * 30],
    "Transfer-Encoding": ["chunked"],
    "Content-Encoding": ["gzip", "aws-chunked"],
    "x-amz-request-id": ["R", "\xff"],
}


@st.composite
def answers(draw) -> bytes:
    status = draw(
        st.sampled_from([200, 200, 200, 206, 204, 301, 307, 400, 403, 404, 407, 412, 416, 418, 500, 503, 999])
    )
    body = draw(st.sampled_from(BODIES))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, max(len(body) - 1, 0)))
        body = body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 8)) :]
    names = draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=3, unique=True))
    lines = [f"{name}: {draw(st.sampled_from(HEADERS[name]))}" for name in names]
    if draw(st.booleans()):
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([f"HTTP/1.1 {status} X", *lines, "Connection: close", "", ""])
    return head.encode("latin-1") + body


plain = st.sampled_from(
    [b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n" + body for body in (SESSION, b"", PAGE, b"data")]
)


@settings(
    max_examples=SETS,
    derandomize=EXAMPLES <= 1000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    given_answers=st.lists(plain | answers(), min_size=1, max_size=6),
    role=st.booleans(),
    transport=st.sampled_from(["curl", "sdk"]),
)
def test_any_answers_end_in_results_or_in_one_error(given_answers, role, transport):
    with patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None)):
        asyncio.run(asked(given_answers, role=role, transport=transport))


async def asked(given_answers, *, role: bool, transport: str) -> None:
    left = list(given_answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        answered = left.pop(0) if len(left) > 1 else left[0]
        writer.write(answered[: answered.index(b"\r\n\r\n") + 4] if head.startswith(b"HEAD ") else answered)
        await writer.drain()

    keys = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}
    with only_this_aws(AWS_CONFIG_FILE="/nowhere", AWS_SHARED_CREDENTIALS_FILE="/nowhere", **keys):
        async with listening(serve) as port:
            url = f"http://127.0.0.1:{port}"
            access = AccessOptions(
                role=RoleOptions(role_arn=f"arn:aws:iam::{ACCOUNT}:role/R") if role else None,
                endpoint_url=url,
                sts_endpoint_url=url,
                transport=transport,
            )
            error = await refusal(access)
    if error is not None:
        assert list(error_lines(error))


async def told(call) -> None:
    fault = None
    try:
        await call()
    except StoreError as error:
        fault = error.fault
    if fault is not None:
        assert list(error_lines(run_error(fault, listing_of("s3://b/"))))


async def refusal(access: AccessOptions) -> S3HaulError | None:
    """Every kind of call, one after the other; a refused one is told as the command would tell it."""
    transfer = TransferOptions(stall_timeout=2.0)
    try:
        async with open_store(access, SourceOptions(bucket="b"), transfer, on_event=lambda _: None) as opened:
            store = opened.store
            calls = (
                lambda: store.list_page(""),
                lambda: load(store, GetRequest("k")),
                lambda: load(store, GetRequest("k", byte_range=(0, 3), if_match='"e"')),
                lambda: store.head(HeadRequest("k", checksums=True)),
                lambda: store.part_layout("k"),
            )
            for call in calls:
                await told(call)
    except S3HaulError as error:
        return error
    return None
