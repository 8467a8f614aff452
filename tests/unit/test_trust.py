"""Why a trust policy refuses a caller."""

import pytest

from s3haul.options import RoleOptions
from s3haul.policies.lint_trust import trust_diagnosis_id
from s3haul.policies.names import principal_of

USER = "arn:aws:iam::222222222222:user/b"
WORKER = "arn:aws:sts::222222222222:assumed-role/worker/node-1"
ROLE = RoleOptions(role_arn="arn:aws:iam::111111111111:role/r", external_id="id-1")


def trust(principal, **condition):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {"Statement": [statement | ({"Condition": condition} if condition else {})]}


@pytest.mark.parametrize(
    ("policy", "row"),
    [
        (trust(USER, StringEquals={"sts:ExternalId": "other"}), "S3H-STS-03"),
        (trust(USER, StringEquals={"sts:ExternalId": ["other", "id-1"]}), "S3H-STS-03"),
        (trust("arn:aws:iam::222222222222:user/c"), "S3H-STS-05"),
        (trust(["arn:aws:iam::333333333333:root"]), "S3H-STS-05"),
        (trust("AIDA0123456789ABCDEF"), "S3H-STS-06"),
        (trust([USER], Bool={"aws:MultiFactorAuthPresent": "true"}), "S3H-STS-08"),
        (
            trust("*", StringLike={"sts:ExternalId": "id-*"}, Bool={"aws:MultiFactorAuthPresent": "true"}),
            "S3H-STS-08",
        ),
        (trust("222222222222", NumericLessThan={"aws:MultiFactorAuthAge": "3600"}), "S3H-STS-08"),
        ({"Statement": {"Effect": "Deny", "Principal": "*"}}, "S3H-STS-05"),
        ({}, "S3H-STS-05"),
    ],
)
def test_the_policy_shows_why_the_user_is_refused(policy, row):
    assert trust_diagnosis_id(policy, USER, ROLE) == row


def test_a_missing_external_id_is_a_different_one():
    bare = RoleOptions(role_arn=ROLE.role_arn)
    assert (
        trust_diagnosis_id(trust(USER, StringEquals={"sts:ExternalId": "id-1"}), USER, bare) == "S3H-STS-03"
    )


def test_a_session_is_trusted_by_its_roles_name_or_its_account():
    for principal in ("arn:aws:iam::222222222222:role/worker", "arn:aws:iam::222222222222:root"):
        assert (
            trust_diagnosis_id(trust(principal, StringEquals={"sts:ExternalId": "x"}), WORKER, ROLE)
            == "S3H-STS-03"
        )
    assert trust_diagnosis_id(trust(USER), WORKER, ROLE) == "S3H-STS-05"


def test_the_principal_of_a_session_is_its_role():
    assert principal_of(WORKER) == "arn:aws:iam::222222222222:role/worker"
    assert principal_of(USER) == USER
    assert principal_of("nobody") == "nobody"
