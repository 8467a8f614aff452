"""SigV4 as the server sees it, against signatures that botocore made."""

import hashlib
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from demo.harness import OWNER_A, USER_B, Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.server import DemoServer

ODD_KEYS = [
    "plain",
    "a/../b",
    "./a",
    "../up",
    "..",
    "/lead",
    "//x",
    "a//b",
    "a/",
    "a%2Fb",
    "a+b",
    "a b",
    " lead and trail ",
    "new\nline",
    "tab\tand\rreturn",
    "control\x01\x1f",
    "back\\slash",
    "question?mark",
    "hash#mark",
    "semi;colon:comma,equals=and&",
    "quotes\"'`",
    "tilde~star*bang!",
    "brackets[]{}()<>",
    "emoji\U0001f4e6",
    "nfd-e\u0301",
    "k" * 1024,
    "soap",
]


def test_every_odd_key_round_trips_through_boto(cloud: Cloud, clients: Clients) -> None:
    for number, key in enumerate(ODD_KEYS):
        cloud.put(seed.BUCKET, key, f"body {number}".encode())
    s3 = clients.s3()
    for number, key in enumerate(ODD_KEYS):
        assert s3.get_object(Bucket=seed.BUCKET, Key=key)["Body"].read() == f"body {number}".encode(), key
        assert s3.head_object(Bucket=seed.BUCKET, Key=key)["ContentLength"] == len(f"body {number}")
    assert [call.key for call in clients.server.calls if call.operation == "GetObject"] == ODD_KEYS


def test_odd_query_values_are_signed_as_boto_signs_them(cloud: Cloud, clients: Clients) -> None:
    s3 = clients.s3()
    for prefix in ("a b+c", "a%20b", "~-_.", "\u00e9\U0001f4e6", "x=y&z", "a/b?c#d"):
        cloud.put(seed.BUCKET, prefix + "-key", b"x")
        listed = s3.list_objects_v2(Bucket=seed.BUCKET, Prefix=prefix)
        assert [entry["Key"] for entry in listed["Contents"]] == [prefix + "-key"]


def test_runs_of_spaces_and_repeated_query_names_are_canonical(cloud: Cloud, clients: Clients) -> None:
    cloud.put(seed.BUCKET, "k", b"x")
    headers = {"x-amz-meta-note": "  a   b  "}
    assert clients.raw("GET", f"/{seed.BUCKET}/k?b=2&a=1&a=0", headers=headers).status == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"Authorization": None}, 403, "AccessDenied"),
        ({"Authorization": "AWS4-HMAC-SHA256 nonsense"}, 400, "AuthorizationHeaderMalformed"),
        ({"Authorization": "AWS AKIDEXAMPLE:signature"}, 400, "InvalidArgument"),
        ({"X-Amz-Security-Token": "wrong"}, 400, "InvalidToken"),
        ({"X-Amz-Security-Token": None}, 403, "InvalidAccessKeyId"),
        ({"X-Amz-Content-SHA256": "0" * 64}, 400, "XAmzContentSHA256Mismatch"),
        ({"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, 403, "SignatureDoesNotMatch"),
        ({"X-Amz-Content-SHA256": None}, 400, "InvalidRequest"),
        ({"X-Amz-Date": "20200101T000000Z"}, 403, "RequestTimeTooSkewed"),
        ({"X-Amz-Date": "yesterday"}, 403, "AccessDenied"),
        ({"x-amz-request-payer": "requester"}, 403, "AccessDenied"),
        ({"Range": "bytes=0-0"}, 206, ""),
    ],
)
def test_a_request_changed_after_signing_is_refused(
    cloud: Cloud, clients: Clients, change: dict[str, str | None], status: int, code: str
) -> None:
    cloud.put(seed.BUCKET, "k", b"body")
    target = f"/{seed.BUCKET}/k"
    signed = {name.lower(): value for name, value in clients.signed("GET", target).items()}
    for name, value in change.items():
        signed.pop(name.lower(), None)
        if value is not None:
            signed[name.lower()] = value
    answer = clients.send("GET", target, signed)
    assert (answer.status, answer.code) == (status, code)


def test_another_path_query_or_method_than_the_signed_one_is_refused(cloud: Cloud, clients: Clients) -> None:
    for key in ("k", "k2"):
        cloud.put(seed.BUCKET, key, b"body")
    target = f"/{seed.BUCKET}/k"
    signed = clients.signed("GET", target)
    assert clients.send("GET", target, signed).status == 200
    assert clients.send("GET", target + "2", signed).code == "SignatureDoesNotMatch"
    assert clients.send("GET", target + "?versionId=null", signed).code == "SignatureDoesNotMatch"
    assert clients.send("HEAD", target, signed).status == 403
    assert clients.send("GET", f"/{seed.BUCKET}/%6b", signed).code == "SignatureDoesNotMatch"


def test_a_wrong_secret_and_an_unknown_key_are_distinguished(clients: Clients) -> None:
    target = f"/{seed.BUCKET}/k"
    wrong = clients.raw("GET", target, credentials=Credentials(USER_B.access_key, "wrong"))
    assert (wrong.status, wrong.code) == (403, "SignatureDoesNotMatch")
    unknown = clients.raw("GET", target, credentials=Credentials("AKIAUNKNOWN", "wrong"))
    assert (unknown.status, unknown.code) == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize(("ahead", "refused"), [(890, False), (-890, False), (960, True), (-960, True)])
def test_s3_tolerates_a_clock_that_is_a_quarter_of_an_hour_off(
    cloud: Cloud, clients: Clients, ahead: float, refused: bool
) -> None:
    cloud.put(seed.BUCKET, "k", b"body")
    role = clients.role()
    cloud.clock = lambda: time.time() + ahead
    answer = clients.raw("GET", f"/{seed.BUCKET}/k", credentials=role)
    assert (answer.code == "RequestTimeTooSkewed") == refused
    assert ("<ServerTime>" in answer.text) == refused


@pytest.mark.parametrize("payload", [b"Action=GetCallerIdentity&Version=2011-06-15"])
def test_sts_checks_the_signature_over_the_form_body(clients: Clients, payload: bytes) -> None:
    request = AWSRequest("POST", clients.server.endpoint_url + "/", data=payload)
    request.headers["Host"] = clients.netloc
    SigV4Auth(USER_B, "sts", seed.REGION).add_auth(request)
    headers = dict(request.headers)
    assert "user-b" in clients.send("POST", "/", headers, payload).text
    changed = clients.send("POST", "/", headers, payload.replace(b"2011-06-15", b"2011-06-16"))
    assert (changed.status, changed.code) == (403, "SignatureDoesNotMatch")


def test_an_anonymous_request_for_a_kms_object_needs_signature_version_4(
    cloud: Cloud, clients: Clients
) -> None:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    cloud.buckets[seed.BUCKET].policy = {"Statement": [everybody]}
    cloud.put(seed.BUCKET, "k", b"body")
    cloud.put(seed.BUCKET, "plain", b"body", sse="AES256")
    answer = clients.send("GET", f"/{seed.BUCKET}/k", {"Host": clients.netloc})
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert answer.message.endswith("managed keys require AWS Signature Version 4.")
    assert clients.send("GET", f"/{seed.BUCKET}/plain", {"Host": clients.netloc}).body == b"body"


def test_a_kms_object_is_refused_over_plain_http(cloud: Cloud) -> None:
    cloud.put(seed.BUCKET, "k", b"body")
    cloud.put(seed.BUCKET, "plain", b"body", sse="AES256")
    with DemoServer(cloud, tls=False) as server:
        clients = Clients(server)
        answer = clients.raw("GET", f"/{seed.BUCKET}/k")
        plain = clients.raw("GET", f"/{seed.BUCKET}/plain")
        clients.close()
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert answer.message == (
        "Requests specifying Server Side Encryption with AWS KMS managed keys must be made over a secure "
        "connection."
    )
    assert plain.body == b"body"


def test_a_signed_payload_is_checked_against_the_body(clients: Clients) -> None:
    target = f"/{seed.BUCKET}/k"
    request = AWSRequest("PUT", clients.server.endpoint_url + target, data=b"body")
    request.headers["Host"] = clients.netloc
    request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(b"body").hexdigest()
    SigV4Auth(OWNER_A, "s3", seed.REGION).add_auth(request)
    headers = dict(request.headers)
    assert clients.send("PUT", target, headers, b"b0dy").code == "XAmzContentSHA256Mismatch"


def test_the_path_is_not_to_be_normalised_and_bad_utf8_is_refused(clients: Clients) -> None:
    answer = clients.raw("GET", f"/{seed.BUCKET}/%ff")
    assert (answer.status, answer.code) == (400, "InvalidURI")


def test_boto_sees_the_errors_as_aws_codes(clients: Clients) -> None:
    s3 = clients.s3(Credentials(USER_B.access_key, "wrong"))
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=seed.BUCKET, Key="k")
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
