"""AWS's sentence of refusal, taken apart."""

import pytest

from s3haul.core.denial import Denial, parse_denial

ROLE = "arn:aws:sts::111111111111:assumed-role/export-role/me"
READ = f'User: {ROLE} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/a key"'
ASSUME = (
    "User: arn:aws:iam::222222222222:user/b is not authorized to perform: sts:AssumeRole on resource: "
    "arn:aws:iam::111111111111:role/r"
)
DECRYPT = (
    f"User: {ROLE} is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext"
)
OBJECT = "arn:aws:s3:::b/a key"
R = "arn:aws:iam::111111111111:role/r"


@pytest.mark.parametrize(
    ("message", "denial"),
    [
        (ASSUME, Denial("sts:AssumeRole", R)),
        (
            f"{ASSUME} because no identity-based policy allows the sts:AssumeRole action",
            Denial("sts:AssumeRole", R, "identity-based"),
        ),
        (
            f"{ASSUME} with an explicit deny in a role trust policy",
            Denial("sts:AssumeRole", R, "role trust", explicit=True),
        ),
        (
            f"{READ} because no identity-based policy allows the s3:GetObject action",
            Denial("s3:GetObject", OBJECT, "identity-based"),
        ),
        (
            f"{READ} with an explicit deny in an identity-based policy.",
            Denial("s3:GetObject", OBJECT, "identity-based", explicit=True),
        ),
        (
            f"{READ} with an explicit deny in a service control policy",
            Denial("s3:GetObject", OBJECT, "service control", explicit=True),
        ),
        (
            f"{READ} because no permissions boundary allows the s3:GetObject action",
            Denial("s3:GetObject", OBJECT, "permissions boundary"),
        ),
        (
            f"{READ} because no VPC endpoint policy allows the s3:GetObject action",
            Denial("s3:GetObject", OBJECT, "VPC endpoint"),
        ),
        (
            f"{DECRYPT} because no resource-based policy allows the kms:Decrypt action",
            Denial("kms:Decrypt", "", "resource-based"),
        ),
        (
            (
                f"{DECRYPT} because the resource does not exist in this Region, no resource-based policies allow"
                " access, or a resource-based policy explicitly denies access"
            ),
            Denial("kms:Decrypt"),
        ),
        ("Access Denied", None),
        ("", None),
    ],
)
def test_the_sentence_tells_action_resource_and_policy(message, denial):
    assert parse_denial(message) == denial


@pytest.mark.parametrize(
    ("policy", "explicit", "guarded"),
    [
        ("identity-based", False, False),
        ("identity-based", True, True),
        ("resource-based", False, False),
        ("service control", False, True),
        ("session", False, True),
        ("", False, False),
    ],
)
def test_a_denial_and_a_kind_above_both_sides_cannot_be_mended_by_an_allow(policy, explicit, guarded):
    assert Denial("s3:GetObject", "", policy, explicit=explicit).guarded == guarded
