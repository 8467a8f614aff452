"""Stores that differ from S3 where it does not matter are copied;
where bytes or keys could be wrong, it is said."""

import gzip
import json
import re

import pytest

from contract.demo_access import only_this_aws
from e2e.harness import tree
from e2e.odd_store import BUCKET, OddStore, Reply, of_gets, of_pages, refusing, replaced, served
from s3haul.cli.app import run

OBJECTS = {f"k{number}": b"body %d" % number for number in range(7)}
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "AK",
    "AWS_SECRET_ACCESS_KEY": "SK",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "AWS_MAX_ATTEMPTS": "2",
}
PREFIXED = (r"<(/?)(\w+)", r"<\1s3:\2")


@pytest.fixture
def cp(tmp_path, capsys):
    """A copy of the objects with a change of each answer: the store, the exit code, what was said."""

    def copied(change, *flags, objects=OBJECTS, source=""):
        store = OddStore(objects, change)
        with served(store) as url, only_this_aws(AWS_ENDPOINT_URL_S3=url, **SETTINGS):
            code = run(["cp", f"s3://{BUCKET}/{source}", str(tmp_path / "data"), "--no-progress", *flags])
        said = capsys.readouterr()
        return store, code, said.out + said.err

    return copied


TOLERATED = {
    "more-in-capitals": replaced("<IsTruncated>true<", "<IsTruncated> TRUE <"),
    "a-token-beside-false": replaced("<IsTruncated>true<", "<IsTruncated>false<"),
    "no-namespace": replaced(' xmlns="[^"]*"', ""),
    "another-namespace": replaced("s3.amazonaws.com", "obs.example"),
    "a-prefix-of-names": of_pages(
        lambda text: re.sub(*PREFIXED, text.partition("\n")[2]).replace("xmlns=", "xmlns:s3=")
    ),
    "a-line-end-before-the-declaration": of_pages(lambda text: "\r\n" + text),
    "a-byte-order-mark": of_pages(lambda text: "\ufeff" + text),
    "indented": replaced("><", ">\n  <"),
    "gzip": lambda asked, reply: (
        Reply(body=gzip.compress(reply.body), framing="chunked") if asked.is_listing else reply
    ),
    "cdata": replaced("<Key>(.*?)</Key>", r"<Key><![CDATA[\1]]></Key>"),
    "no-count": replaced("<KeyCount>.*?</KeyCount>", ""),
    "no-etags-listed": replaced("<ETag>.*?</ETag>", "<ETag/>"),
    "blanks-around-numbers": replaced("<Size>(.*?)</Size>", r"<Size> \1\n</Size>"),
    "blanks-around-times": replaced(
        "<LastModified>(.*?)</LastModified>", r"<LastModified> \1 </LastModified>"
    ),
    "an-unknown-class": replaced("STANDARD", "COLD LINE 7"),
    "times-with-nanoseconds": replaced(r"\.000Z", ".123456789Z"),
    "times-with-a-zone": replaced(r"\.000Z", "+02:00"),
    "times-of-no-computer": replaced("2026-01-02T", "0001-01-01T"),
    "an-encoding-in-capitals": replaced("<EncodingType>url<", "<EncodingType> URL\n<"),
    "times-that-are-none": replaced("<LastModified>.*?<", "<LastModified>yesterday<"),
    "headers-without-a-valid-time": of_gets(
        lambda reply: Reply(reply.status, reply.headers | {"Last-Modified": "soon"}, reply.body)
    ),
    "chunks": of_gets(lambda reply: Reply(reply.status, reply.headers, reply.body, "chunked")),
    "until-the-end-of-the-connection": of_gets(
        lambda reply: Reply(reply.status, reply.headers, reply.body, "close")
    ),
    "no-optional-attributes-501": refusing(
        501, "NotImplemented", lambda asked: "x-amz-optional-object-attributes" in asked.headers
    ),
    "no-optional-attributes-400": refusing(
        400, "InvalidArgument", lambda asked: "x-amz-optional-object-attributes" in asked.headers
    ),
    "no-head-bucket": refusing(
        405,
        "MethodNotAllowed",
        lambda asked: asked.path in {f"/{BUCKET}", f"/{BUCKET}/"} and asked.method == "HEAD",
    ),
}


@pytest.mark.parametrize("transport", ["curl", "sdk"])
@pytest.mark.parametrize("name", TOLERATED)
def test_a_store_that_differs_in_harmless_details_works(cp, tmp_path, name, transport):
    objects = OBJECTS | {"k 8+%": b"encoded in the listing"}
    _, code, said = cp(TOLERATED[name], "--transport", transport, objects=objects)
    assert code == 0, said
    assert tree(tmp_path / "data") == objects


@pytest.mark.parametrize("transport", ["curl", "sdk"])
def test_a_header_that_a_server_does_not_support_is_left_out_from_then_on(cp, transport):
    change = TOLERATED["no-optional-attributes-501"]
    store, code, said = cp(change, "--transport", transport)
    assert code == 0, said
    listings = [
        "x-amz-optional-object-attributes" in asked.headers for asked in store.log if asked.is_listing
    ]
    assert listings[0]
    assert len(listings) > 1
    assert not any(listings[1:])


@pytest.mark.parametrize("transport", ["curl", "sdk"])
@pytest.mark.parametrize(
    "refusal", [None, Reply(501), Reply(405), Reply(403)], ids=["the-object", "501", "405", "403"]
)
def test_parts_that_a_store_cannot_name_cost_only_their_verification(cp, tmp_path, transport, refusal):
    def change(asked, reply):
        if "attributes" in asked.query:
            return refusal or reply
        if asked.is_get or asked.method == "HEAD":
            reply.headers["x-amz-checksum-crc32"] = "AAAAAA==-2"
        return reply

    _, code, said = cp(change, "--transport", transport, objects={"k": b"some bytes"})
    assert code == 0, said
    assert "size-only 1 object" in said
    assert tree(tmp_path / "data") == {"k": b"some bytes"}


def version_1(asked, reply):
    """A listing of version 1: no count, no token, and a marker that nobody asked for."""
    if asked.is_listing:
        text = reply.body.decode().replace("<KeyCount>3</KeyCount>", "<DamageRecorder/>")
        reply.body = re.sub("<NextC.*</NextContinuationToken>", "<NextMarker>k2</NextMarker>", text).encode()
    return reply


REFUSED = {
    "version-1": (version_1, 6, "S3H-S3-15", "ListObjectsV2"),
    "no-version-2": (
        refusing(501, "NotImplemented", lambda asked: asked.is_listing), 6, "S3H-S3-20", "ListObjectsV2"
    ),
    "no-listing": (
        refusing(405, "MethodNotAllowed", lambda asked: asked.is_listing), 6, "S3H-S3-20", "endpoint is the right one"
    ),
    "another-http": (
        refusing(505, "HTTPVersionNotSupported", lambda asked: asked.is_listing), 6, "S3H-S3-20", "operator"
    ),
    "a-closed-account": (
        refusing(403, "AllAccessDisabled", lambda asked: asked.is_listing), 6, "S3H-S3-21", "AWS Support"
    ),
    "no-bill-paid": (refusing(403, "AccountProblem", lambda asked: asked.is_listing), 6, "S3H-S3-21", "AWS Support"),
    "a-count-that-differs": (
        replaced("<KeyCount>3<", "<KeyCount>4<"), 6, "S3H-S3-15", "announces 4 keys and has 3"
    ),
    "out-of-order": (replaced("<Key>k1<", "<Key>x<"), 6, "S3H-S3-15", "ascending"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_store_that_cannot_be_read_is_refused_with_an_explanation(cp, name):
    change, expected, row, words = REFUSED[name]
    _, code, said = cp(change)
    assert (code, row in said) == (expected, True), said
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("pattern", "by", "words"),
    [
        ("<Key>k3</Key>(.*?)<Size>.*?</Size>", r"<Key>k3</Key>\1<Size>six</Size>", "'six' as its size"),
        ("<Key>k3</Key>(.*?)<Size>.*?</Size>", r"<Key>k3</Key>\1", "no size"),
        ("<Key>k3</Key>", "<Key>k3%FF</Key>", "not valid UTF-8"),
    ],
)
def test_an_entry_that_names_no_object_fails_alone_and_is_counted(cp, tmp_path, capsys, pattern, by, words):
    _, code, said = cp(replaced(pattern, by))
    assert code == 1, said
    assert "S3H-INT-04" in said
    assert words in said
    assert len(tree(tmp_path / "data")) == 6
    assert run(["manifest", str(tmp_path / "data")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(line["state"] for line in lines) == ["done"] * 6 + ["failed"]


@pytest.mark.parametrize("size", ["<Size>-1</Size>", "<Size>99999999999999999999</Size>", ""])
def test_an_entry_of_an_impossible_size_fails_alone_with_the_sdk_too(cp, tmp_path, size):
    change = replaced("<Key>k3</Key>(.*?)<Size>.*?</Size>", rf"<Key>k3</Key>\1{size}")
    _, code, said = cp(change, "--transport", "sdk")
    assert code == 1, said
    assert "S3H-INT-04" in said
    assert len(tree(tmp_path / "data")) == 6


@pytest.mark.parametrize("transport", ["curl", "sdk"])
def test_an_entry_without_a_key_makes_the_listing_unusable(cp, transport):
    _, code, said = cp(replaced("<Key>k3</Key>", ""), "--transport", transport)
    assert code == 6, said
    assert "an entry without a" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("flags", [(), ("--dryrun",)])
def test_a_store_that_ignores_the_prefix_is_no_traceback(cp, tmp_path, flags):
    objects = {"a": b"1", "p/b": b"2"}
    _, code, said = cp(lambda _, reply: reply, *flags, objects=objects, source="p/")
    assert code == 6, said
    assert "does not begin with the prefix" in said
    assert not list(tmp_path.glob("data/[!.]*"))


def test_a_dry_run_counts_the_entries_that_name_no_object(cp):
    _, code, said = cp(replaced("<Key>k3</Key>", "<Key>k3%FF</Key>"), "--dryrun")
    assert code == 0, said
    assert "1 of the listing's entries name no object" in said


def test_a_listing_with_only_unusable_entries_is_not_reported_as_empty(cp):
    _, code, said = cp(replaced("<Size>.*?</Size>", "<Size>x</Size>"))
    assert code == 1
    assert "Nothing is there" not in said


@pytest.mark.parametrize(
    "change",
    [
        of_gets(lambda reply: Reply(reply.status, {}, reply.body)),
        of_gets(lambda reply: Reply(reply.status, {"ETag": '"other"'}, reply.body)),
        of_gets(lambda reply: Reply(206, reply.headers | {"Content-Range": "bytes 0-2/6"}, reply.body[:3])),
        of_gets(
            lambda reply: Reply(200, {"Content-Type": "text/html"}, b"<html><title>Log in</title></html>")
        ),
    ],
    ids=["no-etag", "another-etag", "a-part", "a-page"],
)
def test_a_response_that_could_have_other_bytes_is_never_stored(cp, tmp_path, change):
    _, code, said = cp(change)
    assert code == 1, said
    assert tree(tmp_path / "data") == {}
