"""The documents in force in the embedded cloud: with all of them a run succeeds,
without any one it does not."""

import copy

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from contract.demo_access import demo_profile
from demo.harness import Clients
from policies.grants import demo_grant, put_in_force
from s3haul.cli.app import run
from s3haul.demo import seed
from s3haul.demo.model import KmsKey
from s3haul.demo.server import DemoServer
from s3haul.policies.documents import Part, check_grant, compact, documents

THIRD_KEY = KmsKey("333333333333", seed.REGION, "99999999-12ab-34cd-56ef-1234567890ab", {})


@pytest.fixture(scope="module")
def server():
    cloud = seed.standard_cloud()
    cloud.add_kms_key(THIRD_KEY)
    cloud.put(seed.BUCKET, "logs/plain.log", b"a" * 1000)
    cloud.put(seed.BUCKET, "logs/bucket-key.log", b"b" * 1000, bucket_key=True)
    cloud.put(seed.BUCKET, "logs/third.log", b"c" * 1000, kms_key=THIRD_KEY.arn)
    cloud.put(seed.BUCKET, "other/x", b"d")
    with DemoServer(cloud) as running:
        yield running


def cp(server, home, url=f"s3://{seed.BUCKET}") -> int:
    with demo_profile(server, home):
        return run(["cp", url, str(home / "data"), "--profile", "export", "--quiet"])


GRANTS = {
    "the whole bucket": (demo_grant(key_arns=(seed.KMS_KEY_ARN, THIRD_KEY.arn)), ""),
    "a prefix": (demo_grant(key_arns=(seed.KMS_KEY_ARN, THIRD_KEY.arn), prefix="logs/"), "/logs/"),
    "the caller's whole account": (
        demo_grant(
            key_arns=(seed.KMS_KEY_ARN, THIRD_KEY.arn), callers=(f"arn:aws:iam::{seed.ACCOUNT_B}:root",)
        ),
        "",
    ),
    "versions and attributes": (
        demo_grant(key_arns=(seed.KMS_KEY_ARN, THIRD_KEY.arn), versions=True, attributes=True),
        "",
    ),
}


@pytest.mark.parametrize(("grant", "path"), GRANTS.values(), ids=GRANTS)
def test_a_run_works_with_these_documents_alone(server, tmp_path, grant, path):
    check_grant(grant)
    put_in_force(server.cloud, documents(grant))
    assert cp(server, tmp_path, f"s3://{seed.BUCKET}{path}") == 0
    copied = {file.name for file in (tmp_path / "data").rglob("*") if file.suffix == ".log"}
    assert copied == {"plain.log", "bucket-key.log", "third.log"}


def test_a_role_for_a_prefix_reads_nothing_else(server, tmp_path):
    put_in_force(server.cloud, documents(demo_grant(prefix="logs/")))
    (tmp_path / "whole").mkdir()
    assert cp(server, tmp_path / "whole") == 4
    assert cp(server, tmp_path, f"s3://{seed.BUCKET}/other/") == 4


EVERY = [
    (part, number)
    for part, made in documents(demo_grant()).items()
    if part is not Part.SESSION
    for number in range(len(made["Statement"]))
]


@pytest.mark.parametrize(("part", "number"), EVERY)
def test_no_statement_can_be_left_out(server, tmp_path, part, number):
    made = documents(demo_grant(key_arns=(seed.KMS_KEY_ARN, THIRD_KEY.arn)))
    put_in_force(server.cloud, made)
    cut = copy.deepcopy(made)
    del cut[part]["Statement"][number]
    put_in_force(server.cloud, cut)
    assert cp(server, tmp_path) != 0


def test_a_session_of_one_run_reads_its_prefix_and_no_more(server):
    grant = demo_grant(key_arns=(seed.KMS_KEY_ARN, THIRD_KEY.arn), run_prefix="logs/")
    made = documents(grant)
    put_in_force(server.cloud, made)
    clients = Clients(server)
    try:
        session = clients.sts().assume_role(
            RoleArn=seed.ROLE_ARN,
            RoleSessionName="one-run",
            ExternalId=seed.EXTERNAL_ID,
            Policy=compact(made[Part.SESSION]),
        )["Credentials"]
        keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        s3 = clients.s3(Credentials(*keys))
        listed = s3.list_objects_v2(Bucket=seed.BUCKET, Prefix="logs/")["Contents"]
        assert len(listed) == 3
        for each in listed:
            assert len(s3.get_object(Bucket=seed.BUCKET, Key=each["Key"])["Body"].read()) == 1000
        with pytest.raises(ClientError, match="no session policy allows the s3:GetObject"):
            s3.get_object(Bucket=seed.BUCKET, Key="other/x")
        with pytest.raises(ClientError, match="no session policy allows the s3:ListBucket"):
            s3.list_objects_v2(Bucket=seed.BUCKET)
    finally:
        clients.close()
