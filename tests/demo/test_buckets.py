"""What the bucket decides before any object: region, owner, who pays, whether it exists."""

import pytest

from demo.harness import Answer, Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.model import Bucket

BODY = bytes(range(100))
KEY = f"/{seed.BUCKET}/k"


@pytest.fixture(autouse=True)
def stored(cloud: Cloud) -> None:
    cloud.put(seed.BUCKET, "k", BODY)


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.text


def test_a_requester_pays_bucket_wants_the_header_on_every_call(cloud: Cloud, clients: Clients) -> None:
    cloud.buckets[seed.BUCKET].requester_pays = True
    paying = {"x-amz-request-payer": "requester"}
    for method, target in (("GET", KEY), ("HEAD", KEY), ("GET", f"/{seed.BUCKET}?list-type=2")):
        assert clients.raw(method, target).status == 403
        answer = clients.raw(method, target, headers=paying)
        assert (answer.status, answer.headers["x-amz-request-charged"]) == (200, "requester")


def test_an_expected_owner_that_is_not_the_owner_is_a_403(clients: Clients) -> None:
    for owner, status in ((seed.ACCOUNT_A, 200), (seed.ACCOUNT_B, 403)):
        headers = {"x-amz-expected-bucket-owner": owner}
        assert clients.raw("GET", KEY, headers=headers).status == status
        assert clients.raw("HEAD", f"/{seed.BUCKET}", headers=headers).status == status


def test_a_wrong_region_in_the_scope_is_named_in_the_error(clients: Clients) -> None:
    answer = clients.raw("GET", KEY, region="eu-west-1")
    refused(answer, 400, "AuthorizationHeaderMalformed")
    assert answer.message == (
        "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1'"
    )
    assert "<Region>us-east-1</Region>" in answer.text
    head = clients.raw("HEAD", f"/{seed.BUCKET}", region="eu-west-1")
    assert (head.status, head.headers["x-amz-bucket-region"]) == (400, "us-east-1")


def test_a_bucket_that_lives_elsewhere_is_a_301_until_the_right_region_signs(
    cloud: Cloud, clients: Clients
) -> None:
    cloud.add_bucket(Bucket("elsewhere", seed.ACCOUNT_A, "eu-west-1"))
    cloud.put("elsewhere", "k", BODY)
    cloud.roles[seed.ROLE_ARN].policies.append(
        {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    )
    answer = clients.raw("GET", "/elsewhere/k")
    refused(answer, 301, "PermanentRedirect")
    assert answer.headers["x-amz-bucket-region"] == "eu-west-1"
    assert "location" not in answer.headers
    head = clients.raw("HEAD", "/elsewhere")
    assert (head.status, head.headers["x-amz-bucket-region"]) == (301, "eu-west-1")
    assert clients.raw("GET", "/elsewhere/k", region="eu-west-1").body == BODY


def test_head_bucket_returns_the_region(clients: Clients) -> None:
    answer = clients.raw("HEAD", f"/{seed.BUCKET}")
    assert (answer.status, answer.headers["x-amz-bucket-region"]) == (200, "us-east-1")


def test_a_missing_bucket_is_a_404(clients: Clients) -> None:
    refused(clients.raw("GET", "/no-such-bucket/k"), 404, "NoSuchBucket")
    assert clients.raw("HEAD", "/no-such-bucket").status == 404
