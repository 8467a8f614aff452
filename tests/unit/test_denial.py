"""Parsing of AWS's access denied messages."""

import pytest

from s3haul.diagnose.symptoms import Denial, parse_denial, which_policy

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
def test_the_message_contains_action_resource_and_policy(message, denial):
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
def test_an_explicit_deny_or_a_guardrail_cannot_be_fixed_by_an_allow(policy, explicit, guarded):
    assert Denial("s3:GetObject", "", policy, explicit=explicit).guarded == guarded


POLICIES = {
    "service control policy": "arn:aws:organizations::333333333333:policy/o-1/service_control_policy/p-1",
    "resource control policy": "arn:aws:organizations::333333333333:policy/o-1/resource_control_policy/p-2",
    "permissions boundary": "arn:aws-cn:iam::111111111111:policy/a/boundary",
    "session policy": "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "identity-based policy": "arn:aws-us-gov:iam::111111111111:policy/export",
    "resource-based policy": "arn:aws:s3:::b",
}
REASONS = ["with an explicit deny in a {}", "because no {} allows the x:Y action"]


@pytest.mark.parametrize("sentence", [READ, ASSUME, DECRYPT], ids=["s3", "sts", "kms"])
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("name", ["", "guard rails", "p"])
@pytest.mark.parametrize("stop", ["", "."])
def test_the_arn_of_the_policy_is_parsed_and_changes_nothing_else(sentence, reason, kind, name, stop):
    plain = f"{sentence} {reason.format(kind)}"
    arn = POLICIES[kind]
    found = parse_denial(f"{plain}: {arn}{f' ({name})' if name else ''}{stop}")
    before = parse_denial(plain)
    assert before.policy
    assert found == before._replace(policy_arn=arn, policy_name=name)
    assert f"{arn}{f' ({name})' if name else ''}." in which_policy(found)
    assert which_policy(before) == ""


@pytest.mark.parametrize(
    "key",
    [
        'a" because no resource-based policy allows the kms:Decrypt action',
        'a" is not authorized to perform: kms:Decrypt on resource: "k',
        'a" with an explicit deny in a session policy: arn:aws:iam::666666666666:policy/p (p)',
        '"\n"',
    ],
)
@pytest.mark.parametrize("reason", ["", " because no identity-based policy allows the s3:GetObject action"])
def test_a_key_cannot_say_who_denies(key, reason):
    found = parse_denial(READ.replace(OBJECT, f"arn:aws:s3:::b/{key}") + reason)
    assert found == Denial("s3:GetObject", f"arn:aws:s3:::b/{key}", "identity-based" if reason else "")
