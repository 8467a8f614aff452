"""Both transports under the same faults: each becomes the same kind of `StoreError`,
nothing hides or hangs."""

import pytest

from contract.demo_access import demo_profile
from contract.loading import loaded
from faults.canned import answer, canned
from faults.stores import QUICK, canned_store, fault_of, read, store_on
from s3haul.aws.session import open_store
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.errors import FaultKind
from s3haul.options import AccessOptions, SourceOptions
from s3haul.store.protocol import GetRequest, HeadRequest

BODY = bytes(range(256)) * 4096
MAY_SEE_PARTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObjectAttributes", "Resource": "*"}],
}


@pytest.fixture(params=["sdk", "curl"])
def transport(request):
    return request.param


@pytest.fixture
def server():
    with DemoServer() as running:
        running.cloud.put(seed.BUCKET, "a", BODY)
        yield running


@pytest.fixture
async def store(server, tmp_path, transport):
    source = SourceOptions(bucket=seed.BUCKET, page_size=2)
    with demo_profile(server, tmp_path):
        async with open_store(
            AccessOptions(profile="export", transport=transport), source, QUICK, on_event=lambda _: None
        ) as opened:
            yield opened.store


@pytest.mark.parametrize(
    ("effect", "parameters", "kind"),
    [
        ("close", {}, FaultKind.BROKEN),
        ("reset", {"after": 0}, FaultKind.BROKEN),
        ("reset", {"after": 500_000}, FaultKind.BROKEN),
        ("short", {"after": 500_000}, FaultKind.BROKEN),
        ("stall", {"after": 0}, FaultKind.STALL),
        ("stall", {"after": 500_000}, FaultKind.STALL),
        ("trickle", {"rate": 200}, FaultKind.STALL),
        ("bare-204", {}, FaultKind.PROTOCOL),
        ("duplicate-content-length", {}, FaultKind.PROTOCOL),
        ("redirect", {"location": "https://127.0.0.1:1/", "region": "eu-west-1"}, FaultKind.REDIRECT),
        ("error", {"status": 503, "code": "SlowDown"}, FaultKind.HTTP),
        ("error", {"status": 500}, FaultKind.HTTP),
    ],
)
async def test_each_fault_of_one_get_is_named_and_the_next_get_works(
    store, transport, server, effect, parameters, kind
):
    server.faults.add(effect, operation="GetObject", **parameters)
    fault = await fault_of(read(store))
    assert fault.kind is kind
    # Both libraries send a request again that was closed before any byte on the connection
    # of an earlier request.
    again = effect == "close"
    assert server.count("GetObject") == (2 if again else 1)
    server.faults.clear()
    assert await read(store) == BODY


async def test_a_throttled_response_says_how_long_to_wait_and_is_not_retried(store, server):
    headers = {"Retry-After": "7", "x-amz-retry-after": "2000"}
    server.faults.add(
        "error", operation="GetObject", status=503, code="SlowDown", message="KMS.", headers=headers
    )
    fault = await fault_of(read(store))
    assert (fault.code, fault.status, fault.message, fault.retry_after) == ("SlowDown", 503, "KMS.", 7.0)
    assert fault.request_id
    assert abs(fault.skew) < 60
    assert server.count("GetObject") == 1


async def test_a_wrong_checksum_is_left_to_the_engine(store, server):
    server.faults.add("wrong-checksum", operation="GetObject")
    assert await read(store) == BODY
    server.faults.clear()
    server.faults.add("flip", operation="GetObject")
    assert len(await read(store)) == len(BODY)


async def test_a_range_over_a_whole_composite_object_raises_no_false_alarm(store, server):
    server.cloud.put(
        seed.BUCKET, "a", BODY, checksum="CRC32", checksum_type="COMPOSITE", part_sizes=(len(BODY),)
    )
    assert await read(store, byte_range=(0, len(BODY) - 1)) == BODY


async def test_an_algorithm_that_the_sdk_does_not_know_is_reported_from_the_raw_header(transport):
    object_ = answer(
        "200 OK", b"x", ETag='"e"', x_amz_checksum_xxhash64="eA==", x_amz_checksum_type="FULL_OBJECT"
    )
    async with canned_store(object_, transport) as store, loaded(store, GetRequest("k")) as body:
        (checksum,) = body.meta.checksums
    assert (checksum.algorithm, checksum.type, checksum.value) == ("XXHASH64", "FULL_OBJECT", "eA==")


async def test_a_get_asks_for_checksums_and_names_no_encryption(transport):
    object_ = answer("200 OK", b"x", ETag='"e"')
    async with canned(lambda _: object_) as server, store_on(server.port, transport) as store:
        async with loaded(store, GetRequest("k", if_match='"e"', version_id="v", byte_range=(0, 0))):
            pass
        await store.head(HeadRequest("k"))
        await store.head(HeadRequest("k", checksums=True))
    get, head, checked = (request.decode().lower() for request in server.requests[-3:])
    assert "x-amz-checksum-mode: enabled" in get
    assert 'if-match: "e"' in get
    assert "range: bytes=0-0" in get
    assert "versionid=v" in get.splitlines()[0]
    assert "accept-encoding: identity" in get
    assert "server-side-encryption" not in get + head
    assert "checksum-mode" not in head
    assert "x-amz-checksum-mode: enabled" in checked
    assert "authorization: aws4-hmac-sha256" in get


async def test_checksums_are_requested_whatever_the_configuration_says(transport):
    object_ = answer("200 OK", b"x", ETag='"e"')
    configured = {"AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required"}
    async with (
        canned(lambda _: object_) as server,
        store_on(server.port, transport, **configured) as store,
        loaded(store, GetRequest("k")),
    ):
        pass
    assert b"x-amz-checksum-mode: ENABLED" in server.requests[-1]


async def test_the_requester_pays_and_the_owner_is_checked_on_every_call(transport):
    listing = answer("200 OK", b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
    source = SourceOptions(bucket="b", request_payer="requester", expected_bucket_owner="111111111111")
    async with canned(lambda _: listing) as server, store_on(server.port, transport, source) as store:
        await store.list_page("")
        await store.head(HeadRequest("k"))
        await store.part_layout("k")
        async with loaded(store, GetRequest("k")):
            pass
    assert len(server.requests) == 5
    for request in server.requests[1:]:
        assert b"x-amz-request-payer: requester" in request
    for request in server.requests:
        assert b"x-amz-expected-bucket-owner: 111111111111" in request


async def test_a_listing_asks_for_restores_but_not_in_a_directory_bucket(transport):
    listing = answer("200 OK", b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
    async with canned(lambda _: listing) as server, store_on(server.port, transport) as store:
        await store.list_page("p/", start_after="p/a")
        await store.list_page("p/", token="t", start_after="p/a")
    first, second = (request.decode() for request in server.requests[-2:])
    assert "RestoreStatus" in first
    assert "start-after=p%2Fa" in first
    assert "encoding-type=url" in first
    assert "continuation-token=t" in second
    assert "start-after" not in second


async def test_a_listing_without_a_token_and_one_without_content_are_passed_on_as_they_are(store, server):
    for key in ("b", "c", "d"):
        server.cloud.put(seed.BUCKET, key, b"x")
    server.faults.add("truncated-without-token", operation="ListObjectsV2", exactly=1)
    server.faults.add("empty-200", operation="ListObjectsV2", exactly=2)
    page = await store.list_page("")
    assert (page.truncated, page.token, page.empty_answer) == (True, None, False)
    page = await store.list_page("")
    assert (page.truncated, page.entries, page.empty_answer) == (False, (), True)


async def test_a_listing_that_breaks_off_is_a_fault_and_not_a_short_page(store, server):
    server.faults.add("truncated-xml", operation="ListObjectsV2", exactly=1)
    fault = await fault_of(store.list_page(""))
    assert fault.kind in {FaultKind.PROTOCOL, FaultKind.HTTP}
    assert len((await store.list_page("")).entries) == 1


@pytest.mark.parametrize(
    ("row", "entries", "unusable"),
    [("<Size>1</Size><LastModified>yesterday</LastModified>", 1, 0), ("<Size>many</Size>", 0, 1)],
)
async def test_a_field_that_does_not_parse_fails_at_most_one_entry_and_is_reported(
    row, entries, unusable, transport
):
    body = f"<ListBucketResult><Contents><Key>k</Key>{row}</Contents></ListBucketResult>".encode()
    async with canned_store(answer("200 OK", body), transport) as store:
        if transport == "sdk" and unusable:  # botocore refuses the whole page
            assert (await fault_of(store.list_page(""))).kind is FaultKind.PROTOCOL
            return
        page = await store.list_page("")
        assert (len(page.entries), len(page.unusable)) == (entries, unusable)


async def test_a_token_is_followed_and_keys_that_are_no_utf8_stay_apart(transport):
    body = (
        b"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>True</IsTruncated>"
        b"<NextContinuationToken>t</NextContinuationToken><Contents><Key>z%FE</Key><Size>1</Size></Contents>"
        b"<Contents><Key>z%FF</Key><Size>1</Size></Contents><Contents><Key>a%20b+c</Key><Size>1</Size></Contents></ListBucketResult>"
    )
    async with canned_store(answer("200 OK", body), transport) as store:
        page = await store.list_page("")
        assert (page.truncated, page.token) == (True, "t")
        assert [entry.key for entry in page.entries] == ["a b c"]
        assert [entry.key for entry in page.unusable] == ["z\udcfe", "z\udcff"]


async def test_an_archived_entry_says_whether_it_is_restored(store, server):
    server.cloud.put(seed.BUCKET, "a", b"x", storage_class="GLACIER")
    assert [entry.restored for entry in (await store.list_page("")).entries] == [False]
    server.cloud.put(seed.BUCKET, "a", b"x", storage_class="GLACIER", restore=server.cloud.clock() + 1000)
    assert [entry.restored for entry in (await store.list_page("")).entries] == [True]
    assert (await store.head(HeadRequest("a"))).restored


async def test_a_version_can_be_fetched_by_its_id(store, server):
    server.cloud.buckets[seed.BUCKET].versioned = True
    server.cloud.roles[seed.ROLE_ARN].policies.append(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObjectVersion", "Resource": "*"}],
        }
    )
    old = server.cloud.put(seed.BUCKET, "a", b"old")
    server.cloud.put(seed.BUCKET, "a", b"newer")
    assert await read(store) == b"newer"
    assert await read(store, version_id=old.version_id) == b"old"


async def test_without_the_right_to_see_parts_there_is_no_layout(store, server):
    assert await store.part_layout("a") is None
    assert server.count("GetObjectAttributes", status=403) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "InvalidRequest")]
)
async def test_a_server_that_knows_no_attributes_has_no_layout(store, server, status, code):
    server.faults.add("error", operation="GetObjectAttributes", status=status, code=code)
    assert await store.part_layout("a") is None


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ExpiredToken"), (503, "SlowDown"), (403, "RequestTimeTooSkewed")]
)
async def test_a_temporary_error_is_not_taken_for_a_missing_layout(store, server, status, code):
    server.faults.add("error", operation="GetObjectAttributes", status=status, code=code)
    assert (await fault_of(store.part_layout("a"))).code == code


async def test_a_layout_of_many_parts_is_read_page_by_page(store, server):
    server.cloud.roles[seed.ROLE_ARN].policies.append(MAY_SEE_PARTS)
    sizes = (3,) * 1500
    server.cloud.put(
        seed.BUCKET, "a", b"abc" * 1500, checksum="SHA256", checksum_type="COMPOSITE", part_sizes=sizes
    )
    layout = await store.part_layout("a")
    assert len(layout.parts) == 1500
    assert layout.parts[-1].start == 1499 * 3
    assert server.count("GetObjectAttributes") == 2


async def test_a_web_page_of_a_proxy_is_a_network_error_and_not_a_refusal(transport):
    page = answer("403 Forbidden", b"<html><h1>Web page blocked</h1></html>", content_type="text/html")
    async with canned_store(page, transport) as store:
        for asked in (store.list_page(""), read(store)):
            fault = await fault_of(asked)
            assert fault.kind is FaultKind.INTERCEPTED
            assert "Web page blocked" in fault.message


async def test_the_region_is_taken_from_the_redirect_of_a_new_bucket_which_is_not_followed(transport):
    elsewhere = "https://b.s3.eu-west-1.amazonaws.com/"
    answers = {
        b"HEAD": answer("307 Temporary Redirect", location=elsewhere),
        b"GET": answer("200 OK", b"data"),
    }
    async with (
        canned(lambda head: answers[head.split()[0]]) as server,
        store_on(server.port, transport) as store,
    ):
        await read(store)
    assert [b"/eu-west-1/s3/" in head for head in server.requests] == [False, True]


VERSIONS = answer(
    "200 OK",
    b"<ListVersionsResult><Name>b</Name><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListVersionsResult>",
)


@pytest.mark.parametrize("status", ["501 Not Implemented", "400 Bad Request"])
async def test_an_optional_header_that_is_refused_is_left_out_of_a_listing_of_versions_too(transport, status):
    def script(head: bytes) -> bytes:
        refused = b"x-amz-optional-object-attributes" in head.lower()
        return answer(status, b"<Error><Code>NotImplemented</Code></Error>") if refused else VERSIONS

    async with canned(script) as server, store_on(server.port, transport) as store:
        before = len(server.requests)
        for _ in range(2):
            assert (await store.list_versions("")).entries == ()
        assert len(server.requests) - before == 3
