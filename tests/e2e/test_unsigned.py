"""`--no-sign-request`: a public bucket, and nobody who asks."""

import pytest

from e2e.harness import SOURCE, Machine, tree
from s3haul.demo import seed
from s3haul.demo.model import Bucket
from s3haul.demo.server import DemoServer

PUBLIC = "s3://demo-public"


@pytest.fixture
def stranger(server: DemoServer, machine: Machine) -> Machine:
    """A machine without credentials, and a bucket that everybody may read."""
    (machine.home / "credentials").write_text("")
    (machine.home / "config").write_text("")
    server.cloud.add_bucket(Bucket("demo-public", seed.ACCOUNT_A, seed.REGION))
    server.cloud.buckets["demo-public"].policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": ["arn:aws:s3:::demo-public", "arn:aws:s3:::demo-public/*"],
            }
        ]
    }
    for number in range(5):
        server.cloud.put("demo-public", f"a/{number}", b"%d" % number * 50, sse="AES256")
    server.cloud.put("demo-public", "large.bin", b"large" * 500_000, sse="AES256", checksum="CRC32C")
    return machine


@pytest.fixture
def copy(server, stranger):
    def copy(source: str, dest, *arguments: str):
        where = ("--endpoint-url", server.endpoint_url, "--ca-bundle", server.ca_path)
        return stranger.run("cp", source, str(dest), *where, *arguments)

    return copy


@pytest.mark.parametrize("transport", ["curl", "sdk"])
def test_a_public_bucket_is_copied_and_verified_without_credentials(server, copy, dest, transport):
    ran = copy(PUBLIC, dest, "--no-sign-request", "--json", "--transport", transport)
    assert ran.code == 0, ran.text
    assert "no credentials (requests are not signed)" in ran.err
    assert ran.summary["verdicts"]["verified"] == 6
    stored = {f"a/{number}": b"%d" % number * 50 for number in range(5)}
    assert tree(dest) == stored | {"large.bin": b"large" * 500_000}
    assert server.count("AssumeRole") == server.count("GetCallerIdentity") == 0


def test_credentials_that_are_there_are_not_used(server, copy, stranger, dest):
    stranger.configure()
    ran = copy(PUBLIC, dest, "--no-sign-request", "--profile", "export")
    assert ran.code == 0, ran.text
    assert server.count("AssumeRole") == 0


def test_a_bucket_that_is_not_public_refuses_unsigned_requests(copy, dest):
    ran = copy(SOURCE, dest, "--no-sign-request")
    assert ran.code == 4, ran.text
    assert "[S3H-S3-" in ran.err
    assert (
        "Fix: The requests are not signed: unless the bucket is public, leave out --no-sign-request."
        in ran.err
    )


def test_a_role_and_no_sign_request_contradict_each_other(server, copy, dest):
    ran = copy(PUBLIC, dest, "--no-sign-request", "--role-arn", seed.ROLE_ARN)
    assert (ran.code, "contradict each other" in ran.err) == (2, True)
    assert not server.calls
