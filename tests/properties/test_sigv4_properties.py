"""Our signature against botocore's own signer, over all keys, odd headers, queries, tokens and times."""

import datetime as dt
import hmac
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from s3haul.s3.signing import EMPTY_SHA256, Shape, Signer, encode_path, encode_query

SURROGATES = ("Cs",)
keys = st.text(st.characters(blacklist_categories=SURROGATES), min_size=1, max_size=60) | st.sampled_from(
    [
        "a//b",
        "/lead",
        "../up",
        "a/../b",
        "./a",
        "dir/",
        "a+b c",
        "%2F",
        "?q#h&=",
        "\x00\x01\n\r\t",
        "\U0001f600",
    ]
)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
names = st.sampled_from(
    [
        "if-match",
        "range",
        "x-amz-checksum-mode",
        "x-amz-expected-bucket-owner",
        "x-amz-request-payer",
        "x-amz-optional-object-attributes",
        "x-amz-object-attributes",
        "x-amz-max-parts",
    ]
)
queries = st.dictionaries(
    st.sampled_from(
        [
            "list-type",
            "prefix",
            "start-after",
            "continuation-token",
            "encoding-type",
            "max-keys",
            "attributes",
            "partNumber",
            "versionId",
        ]
    ),
    st.text(st.characters(blacklist_categories=SURROGATES), max_size=30),
)
hosts = st.sampled_from(["s3.amazonaws.com", "b.s3.eu-west-1.amazonaws.com", "127.0.0.1:9000", "[::1]:8443"])
times = st.integers(0, 4_000_000_000)
secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


def botocore_head(method, url, headers, access_key, secret, token, region, now) -> AWSRequest:
    """The request as botocore signs it at `now`."""
    request = AWSRequest(method, url, headers=headers)
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    auth = S3SigV4Auth(Credentials(access_key, secret, token), "s3", region)
    with patch("botocore.auth.get_current_datetime", lambda *_, **__: moment):
        auth.add_auth(request)
    return request


def sent_headers(lines: list[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines)


@given(
    key=keys,
    headers=st.dictionaries(names, printable, max_size=6),
    constant=st.sets(names),
    query=queries,
    host=hosts,
    path_style=st.booleans(),
    now=times,
    access_key=secrets,
    secret=secrets,
    token=st.none() | secrets,
    method=st.sampled_from(["GET", "HEAD"]),
)
def test_every_request_carries_the_signature_that_botocore_would_make(
    key, headers, constant, query, host, path_style, now, access_key, secret, token, method
):
    path = ("/bucket/" if path_style else "/") + encode_path(key)
    fixed = tuple((name, value) for name, value in headers.items() if name in constant)
    varying = tuple(sorted(name for name in headers if name not in constant))
    signer = Signer(
        region="eu-west-1",
        authority=host,
        access_key=access_key,
        secret_key=secret,
        token=token,
        unsigned=(("user-agent", "s3haul/1"),),
    )
    values = tuple(headers[name] for name in varying)
    sent = encode_query(query.items())
    lines = signer.headers(Shape(method, fixed, varying), path, sent, values, now)

    target = f"{path}?{sent}" if sent else path
    assert urlsplit("https://h" + target).path == path
    theirs = botocore_head(
        method, f"https://{host}{target}", dict(headers), access_key, secret, token, "eu-west-1", now
    )
    ours = sent_headers(lines)
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]
    assert ours["x-amz-content-sha256"] == theirs.headers["X-Amz-Content-SHA256"] == EMPTY_SHA256
    assert ours.get("x-amz-security-token") == theirs.headers.get("X-Amz-Security-Token")
    assert ours["host"] == host
    assert ours["user-agent"] == "s3haul/1"


@given(keys)
def test_a_path_is_encoded_once_and_loses_nothing(key):
    path = encode_path(key)
    assert unquote(path, errors="strict") == key
    assert path.isascii()
    assert set(path) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/%")
    assert path.count("/") == key.count("/")


@given(times, times)
def test_a_signer_that_is_used_for_a_while_signs_as_a_new_one_does(first, second):
    shape = Shape("GET", varying=("range",))

    def signer() -> Signer:
        return Signer(region="r", authority="h", access_key="AK", secret_key="SK", token="T")

    used = signer()
    used.headers(shape, "/a", "", ("bytes=0-1",), first)
    args = (shape, "/b", "versionId=1", ("bytes=0-9",), second)
    assert used.headers(*args) == signer().headers(*args)


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "tab\t", "nul\0", "ünï", "\x7f", "\u2028"])
def test_a_value_that_could_end_or_change_a_header_is_refused(value):
    signer = Signer(region="r", authority="h", access_key="AK", secret_key="SK")
    with pytest.raises(ValueError, match="not printable ASCII") as caught:
        signer.headers(Shape("GET", varying=("if-match",)), "/a", "", (value,), 0)
    assert value not in str(caught.value)


def test_secrets_show_neither_in_the_signer_nor_in_the_request():
    signer = Signer(region="r", authority="h", access_key="AK", secret_key="the-secret", token="tok")
    head = signer.headers(Shape("GET"), "/a", "", (), 0)
    assert "the-secret" not in repr(signer)
    assert "the-secret" not in "".join(head)
    assert hmac.digest(b"AWS4the-secret", b"19700101", "sha256").hex() not in "".join(head)
