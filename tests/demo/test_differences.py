"""Where the embedded cloud is not AWS: each row of that table in `s3haul help
compatibility` is one of these tests.

The help is written from them: `S3HAUL_WRITE_HELP=1 pytest tests/demo/test_differences.py`
puts the table in place.
"""

import http.client
import os
import ssl
from collections.abc import Callable
from importlib import resources
from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError

from demo.harness import OWNER_A
from s3haul.cli.help_topics import topic_text
from s3haul.demo import seed

BUCKET = seed.BUCKET
BEGINNING = "The embedded AWS of `s3haul demo` and the tests is not AWS:\n"


class Difference(NamedTuple):
    """One row: what differs, how it is here, how it is at AWS; `shows` proves the second."""

    what: str
    here: str
    aws: str
    shows: Callable


DIFFERENCES: list[Difference] = []


def difference(what: str, *, here: str, aws: str):
    def noted(shows: Callable) -> Callable:
        DIFFERENCES.append(Difference(what, here, aws, shows))
        return shows

    return noted


def table() -> str:
    lines = [BEGINNING, f"  {'':<14}{'here':<47}at AWS"]
    lines += [f"  {one.what:<14}{one.here:<47}{one.aws}" for one in DIFFERENCES]
    return "\n".join(lines) + "\n"


def refusal(call: Callable, **arguments) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@difference("operations", here="those of a run, and uploads; others: 501", aws="all of S3")
def operations(clients, server):
    s3 = clients.s3(OWNER_A)
    where = {"Bucket": BUCKET, "Key": "a"}
    assert refusal(s3.list_buckets) == (501, "NotImplemented")
    assert refusal(s3.list_objects, Bucket=BUCKET) == (501, "NotImplemented")
    assert refusal(s3.delete_object, **where) == (501, "NotImplemented")
    assert refusal(s3.get_object_tagging, **where) == (501, "NotImplemented")
    assert refusal(s3.copy_object, **where, CopySource=f"{BUCKET}/a") == (501, "NotImplemented")
    customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    assert refusal(s3.get_object, **where, **customer) == (501, "NotImplemented")


@difference("STS", here="AssumeRole, GetCallerIdentity", aws="further kinds of sessions")
def sts(clients, server):
    assert refusal(clients.sts().get_session_token) == (400, "InvalidAction")
    assert clients.sts().get_caller_identity()["Account"] == seed.ACCOUNT_B


@difference("addresses", here="https://HOST/BUCKET", aws="a host for each bucket; access points")
def addresses(clients, server):
    headers = clients.signed("GET", "/a") | {"Host": f"{BUCKET}.{clients.netloc}"}
    assert clients.send("GET", "/a", headers).status in {403, 501}
    assert refusal(clients.s3().list_objects_v2, Bucket="door-abc-s3alias") == (404, "NoSuchBucket")


@difference("signatures", here="in the header", aws="in the URL, too (presigned)")
def signatures(clients, server):
    url = clients.s3().generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"})
    answer = clients.send("GET", url.partition(clients.netloc)[2], {"Host": clients.netloc})
    assert (answer.status, answer.code) == (403, "AccessDenied")


@difference("encryption", here="headers, key policies and key states", aws="the bytes at rest, too")
def encryption(clients, server):
    assert clients.s3().get_object(Bucket=BUCKET, Key="a")["ServerSideEncryption"] == "aws:kms"
    stored = server.cloud.buckets[BUCKET].objects["a"][-1]
    assert stored.content.read(0, stored.size) == b"data"


@difference("changes", here="a changed policy applies at once", aws="within seconds or minutes")
def changes(clients, server):
    s3 = clients.s3()
    assert s3.get_object(Bucket=BUCKET, Key="a")["ContentLength"] == 4
    server.cloud.roles[seed.ROLE_ARN].policies.clear()
    assert refusal(s3.get_object, Bucket=BUCKET, Key="a") == (403, "AccessDenied")


@difference("conditions", here="the usual operators; others are an error", aws="all operators")
def conditions(clients, server):
    (policy, *_) = server.cloud.roles[seed.ROLE_ARN].policies
    policy["Statement"][0]["Condition"] = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["x"]}}
    assert refusal(clients.s3().list_objects_v2, Bucket=BUCKET) == (500, "InternalError")


@difference("rates", here="no limit, unless a test sets one", aws="503 SlowDown, of S3 and of KMS")
def rates(clients, server):
    s3 = clients.s3()
    statuses = {
        s3.head_object(Bucket=BUCKET, Key="a")["ResponseMetadata"]["HTTPStatusCode"] for _ in range(200)
    }
    assert statuses == {200}


@difference("connections", here="stay open", aws="are sometimes closed")
def connections(clients, server):
    connection, headers = clients.connection(), clients.signed("GET", f"/{BUCKET}/a")
    for _ in range(150):
        connection.request("GET", f"/{BUCKET}/a", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.headers.get("Connection") is None


@difference("certificate", here="of its own authority: ca_bundle", aws="of a public authority")
def certificate(clients, server):
    connection = http.client.HTTPSConnection(clients.netloc, context=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/")


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.what)
def test_the_embedded_cloud_differs_as_the_help_says(server, clients, row):
    server.cloud.put(BUCKET, "a", b"data")
    row.shows(clients, server)


def test_the_help_has_the_table_of_these_tests():
    if os.environ.get("S3HAUL_WRITE_HELP"):
        path = resources.files("s3haul.cli") / "topics" / "compatibility.md"
        kept = path.read_text().partition(BEGINNING)[0].rstrip()
        path.write_text(f"{kept}\n\n{table()}")
    assert topic_text("compatibility").endswith(table().rstrip())
