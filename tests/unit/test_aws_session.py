"""Opening the bucket of the embedded cloud: the effective settings are used and shown."""

import asyncio
import io
import logging
import traceback
from contextlib import asynccontextmanager

import pytest
import trustme

from contract.demo_access import Entry, endpoints, only_this_aws, read, role_options
from faults.canned import answer, canned
from s3haul.aws.session import open_store
from s3haul.demo import seed
from s3haul.demo.model import Bucket
from s3haul.demo.server import DemoServer
from s3haul.errors import (
    CredentialsError,
    FaultKind,
    SourceError,
    StoreError,
    TlsError,
    UsageError,
)
from s3haul.events import CredentialsRenewed
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.store.protocol import GetRequest, HeadRequest


@pytest.fixture
def server():
    with DemoServer() as running:
        running.cloud.put(seed.BUCKET, "a", b"data")
        yield running


@pytest.fixture
def entry(server, tmp_path):
    return Entry(server, tmp_path)


async def test_the_usual_profile_opens_the_bucket_and_shows_the_effective_settings(entry, server):
    async with entry.open() as opened:
        assert await read(opened) == b"data"
    assert opened.identity.startswith(f"arn:aws:sts::{seed.ACCOUNT_A}:assumed-role/{seed.ROLE_NAME}/s3haul-")
    assert (opened.endpoint, opened.region) == (server.endpoint_url, seed.REGION)
    assert server.count("AssumeRole") == 1
    assert [type(event) for event in entry.events] == [CredentialsRenewed]


@pytest.mark.parametrize(
    "lines",
    [
        "s3 = signature_version = s3v4",
        "s3.signature_version = s3v4",
        "s3 =\nsignature_version = s3v4",
        "s3 =\n    signature_version = s3v4\n    addressing_style = path",
    ],
)
async def test_every_form_of_the_signature_version_line_works(entry, lines):
    async with entry.open(signature=lines) as opened:
        assert await read(opened) == b"data"


async def test_the_role_by_flags_opens_the_bucket_too(entry):
    async with entry.open(
        AccessOptions(profile="user-b", role=role_options(), **endpoints(entry.server))
    ) as opened:
        assert await read(opened) == b"data"


async def test_keys_of_the_environment_can_assume_the_role(entry, server):
    access = AccessOptions(role=role_options(), **endpoints(server))
    source = SourceOptions(bucket=seed.BUCKET)
    keys = {"AWS_ACCESS_KEY_ID": seed.USER_B_KEY_ID, "AWS_SECRET_ACCESS_KEY": seed.USER_B_SECRET}
    with only_this_aws(AWS_CONFIG_FILE="/nowhere", AWS_SHARED_CREDENTIALS_FILE="/nowhere", **keys):
        async with open_store(access, source, TransferOptions(), on_event=entry.events.append) as opened:
            assert await read(opened) == b"data"


async def test_without_a_role_the_profiles_own_keys_are_used(entry):
    keys = {"key": seed.OWNER_KEY_ID, "secret": seed.OWNER_SECRET}
    access = AccessOptions(profile="user-b", **endpoints(entry.server))
    async with entry.open(access, **keys) as opened:
        assert await read(opened) == b"data"
        assert opened.credentials.access_key_id == seed.OWNER_KEY_ID
        assert opened.identity == "profile user-b"
    assert entry.server.count("AssumeRole") == 0


async def test_the_external_id_is_sent_on_every_renewal_and_one_renewal_serves_all(entry, server):
    async with entry.open() as opened:
        stale = (await opened.credentials.current()).access_key
        server.cloud.expire_sessions()
        with pytest.raises(StoreError) as caught:
            await read(opened)
        assert (caught.value.fault.code, caught.value.fault.status) == ("ExpiredToken", 400)
        await asyncio.gather(*(opened.credentials.renew(stale) for _ in range(64)))
        assert await read(opened) == b"data"
    assert server.count("AssumeRole") == 2
    assert server.count("AssumeRole", status=200) == 2


@pytest.mark.parametrize("transport", ["curl", "sdk"])
@pytest.mark.parametrize(("asked", "refusal"), [("us-east-1", 301), ("eu-west-1", 400)])
async def test_the_region_of_the_bucket_is_found_first(entry, server, asked, refusal, transport):
    server.cloud.region = asked
    server.cloud.add_bucket(Bucket("elsewhere", seed.ACCOUNT_A, "eu-west-1"))
    server.cloud.roles[seed.ROLE_ARN].policies.append(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    server.cloud.put("elsewhere", "a", b"far")
    access = AccessOptions(profile="export", transport=transport)
    async with entry.open(access, bucket="elsewhere") as opened:
        assert server.count("HeadBucket", status=refusal) == 1
        assert opened.region == "eu-west-1"
        assert await read(opened) == b"far"


async def test_a_refused_head_bucket_still_returns_the_region(entry, server):
    server.cloud.roles[seed.ROLE_ARN].policies[0]["Statement"].pop(0)
    async with entry.open() as opened:
        assert opened.region == seed.REGION
        assert await read(opened) == b"data"


@pytest.mark.parametrize("transport", ["curl", "sdk"])
async def test_a_server_error_before_the_run_is_retried_a_few_times(entry, server, transport):
    server.faults.add("error", operation="HeadBucket", first=2, status=503, code="SlowDown")
    async with entry.open(AccessOptions(profile="export", transport=transport)) as opened:
        assert await read(opened) == b"data"
    assert [server.count("HeadBucket", status=status) for status in (503, 200)] == [2, 1]


@asynccontextmanager
async def opened_anonymously(server, transport="curl"):
    url = f"http://127.0.0.1:{server.port}"
    access = AccessOptions(endpoint_url=url, no_sign_request=True, transport=transport)
    with only_this_aws(AWS_CONFIG_FILE="/nowhere", AWS_SHARED_CREDENTIALS_FILE="/nowhere"):
        source = SourceOptions(bucket="bucket")
        async with open_store(access, source, TransferOptions(), on_event=print) as opened:
            yield opened


async def test_head_bucket_uses_the_connection_of_the_run():
    head = answer("200 OK", x_amz_bucket_region="us-east-1")
    page = answer("200 OK", b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
    async with canned(lambda request: head if request.startswith(b"HEAD ") else page) as server:
        async with opened_anonymously(server) as opened:
            await opened.store.list_page("")
        assert [request.split()[0] for request in server.requests] == [b"HEAD", b"GET"]
        assert server.connections == 1


@pytest.mark.parametrize("transport", ["curl", "sdk"])
async def test_a_404_says_that_there_is_no_bucket_unless_it_may_be_the_page_of_a_proxy(transport):
    async with canned(lambda _: answer("404 Not Found")) as server:
        with pytest.raises(SourceError, match="'bucket' does not exist"):
            async with opened_anonymously(server, transport):
                pass
    async with (
        canned(lambda _: answer("404 Not Found", content_type="text/html; charset=utf-8")) as server,
        opened_anonymously(server, transport) as opened,
    ):
        assert opened.region == "us-east-1"


async def test_a_bucket_that_does_not_exist_is_named(entry):
    error = await entry.refused(bucket="no-such-bucket")
    assert isinstance(error, SourceError)
    assert (error.exit_code, error.id) == (6, "S3H-S3-01")
    assert "no-such-bucket" in error.message


async def test_the_expected_owner_is_sent_with_every_call(entry, server):
    async with entry.open(owner="333333333333") as opened:
        for attempt in (opened.store.list_page(""), read(opened), opened.store.head(HeadRequest("a"))):
            with pytest.raises(StoreError) as caught:
                await attempt
            assert caught.value.fault.status == 403
    async with entry.open(owner=seed.ACCOUNT_A) as opened:
        assert await read(opened) == b"data"


async def test_a_server_with_a_certificate_for_another_name_is_refused(tmp_path):
    with DemoServer(names=("other.example",)) as server:
        error = await Entry(server, tmp_path).refused()
    assert isinstance(error, TlsError)
    assert error.exit_code == 6
    assert server.calls == []


async def test_an_unknown_authority_is_refused_with_a_hint(entry, tmp_path):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    error = await entry.refused(ca=str(tmp_path / "other.pem"))
    assert isinstance(error, TlsError)
    assert "--ca-bundle" in error.hint


async def test_a_refused_connection_and_an_unknown_host_name_have_different_errors(entry):
    assert (await entry.refused(endpoint="https://127.0.0.1:1")).id == "S3H-NET-05"
    assert (await entry.refused(endpoint="https://nothing.invalid")).id == "S3H-NET-04"


async def test_a_plain_endpoint_elsewhere_is_refused_before_any_call(entry, server):
    error = await entry.refused(endpoint="http://s3.example")
    assert isinstance(error, UsageError)
    assert server.calls == []


async def test_a_plain_endpoint_on_loopback_works_but_kms_objects_need_tls(tmp_path):
    with DemoServer(tls=False) as server:
        server.cloud.put(seed.BUCKET, "plain", b"p", sse="AES256")
        server.cloud.put(seed.BUCKET, "secret", b"s")
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        async with Entry(server, tmp_path).open(ca=str(tmp_path / "ca.pem")) as opened:
            assert await read(opened, "plain") == b"p"
            with pytest.raises(StoreError) as caught:
                await read(opened, "secret")
    assert (caught.value.fault.kind, caught.value.fault.code) == (FaultKind.HTTP, "InvalidArgument")


async def test_no_profile_and_no_keys_is_a_credentials_error(entry, server):
    access = AccessOptions(**endpoints(server))
    with (
        only_this_aws(AWS_CONFIG_FILE="/nowhere", AWS_SHARED_CREDENTIALS_FILE="/nowhere"),
        pytest.raises(CredentialsError) as caught,
    ):
        async with open_store(access, SourceOptions(bucket="b"), TransferOptions(), on_event=print):
            pass
    assert caught.value.id == "S3H-CFG-05"


async def test_a_source_profile_without_keys_is_named(tmp_path):
    config = tmp_path / "config"
    config.write_text(
        f"[profile r]\nrole_arn={seed.ROLE_ARN}\nsource_profile=hollow\n[profile hollow]\nregion=x\n"
    )
    access = AccessOptions(profile="r")
    with (
        only_this_aws(AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE="/nowhere"),
        pytest.raises(CredentialsError) as caught,
    ):
        async with open_store(access, SourceOptions(bucket="b"), TransferOptions(), on_event=print):
            pass
    assert caught.value.id == "S3H-CFG-02"
    assert "hollow" in caught.value.message


async def test_at_debug_nothing_secret_reaches_a_log_a_record_or_a_traceback(entry, server):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        async with entry.open() as opened:
            await read(opened)
            await opened.store.list_page("")
            with pytest.raises(StoreError) as caught:
                await read(opened, "missing")
            await opened.credentials.renew((await opened.credentials.current()).access_key)
            written.write("".join(traceback.format_exception(caught.value)))
            written.write(repr((opened, opened.credentials, opened.store, entry.events)))
        refusal = await entry.refused(external_id=seed.EXTERNAL_ID + "-wrong")
        written.write("".join(traceback.format_exception(refusal)) + repr(vars(refusal)))
        logging.getLogger("s3haul.test").debug("the log is on")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    text = written.getvalue()
    assert "the log is on" in text
    secrets = [seed.USER_B_SECRET, seed.EXTERNAL_ID]
    secrets += [secret for one in server.cloud.sessions.values() for secret in (one.secret, one.token)]
    assert len(secrets) == 6
    assert [secret for secret in secrets if secret in text] == []


async def test_a_body_that_outlasts_its_session_continues_and_the_next_request_has_new_keys(entry, server):
    server.faults.add("trickle", operation="GetObject", rate=1000)
    async with entry.open() as opened:
        body = []

        def take(chunk):
            if not body:
                server.cloud.expire_sessions()
            body.append(bytes(chunk))

        await opened.store.load(GetRequest("a"), lambda _meta: take)
        assert b"".join(body) == b"data"
        stale = opened.credentials.access_key_id
        with pytest.raises(StoreError):
            await read(opened)
        await opened.credentials.renew(stale)
        assert await read(opened) == b"data"
