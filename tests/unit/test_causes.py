"""Findings of a check from several errors: the first step that fails, and how many objects it affects."""

import pytest

from s3haul.diagnose.causes import Level, exit_code_of, find_causes, finding_of_error
from s3haul.diagnose.evidence import ErrorSummary, Evidence, Sample
from s3haul.errors import Fault, FaultKind
from s3haul.options import SourceOptions

SOURCE = SourceOptions(bucket="b")
ROLE = "arn:aws:iam::111111111111:role/r"
WHO = "User: x is not authorized to perform:"
NO_DECRYPT = (
    f"{WHO} kms:Decrypt on the resource associated with this ciphertext because no identity-based policy "
    "allows the kms:Decrypt action"
)
NO_READ = (
    f'{WHO} s3:GetObject on resource: "r" because no identity-based policy allows the s3:GetObject action'
)


def denied(message="Access Denied"):
    return Fault(FaultKind.HTTP, message, code="AccessDenied", status=403)


def samples(*groups):
    """Samples: for each group (number, changes), that number of them."""
    return tuple(
        Sample(**{"key": f"{index}-{number}", "kms_key": "k1", **changes})
        for index, (count, changes) in enumerate(groups)
        for number in range(count)
    )


def rows(evidence, level=Level.ERROR):
    return [one.id for one in find_causes(evidence, SOURCE) if one.level is level]


def test_without_errors_there_are_no_findings():
    assert find_causes(Evidence(samples=samples((3, {}))), SOURCE) == ()
    assert exit_code_of(()) == 0


def test_only_the_first_step_that_fails_is_a_finding():
    refused = ErrorSummary("S3H-STS-04", "STS refused", "said", "a hint")
    evidence = Evidence(refused=refused, listing=denied(), samples=samples((1, {"read": denied()})))
    (finding,) = find_causes(evidence, SOURCE)
    assert (finding.id, finding.said, finding.fix) == ("S3H-STS-04", "said", "a hint")
    assert rows(Evidence(listing=denied(), samples=samples((1, {"read": denied()})))) == ["S3H-S3-02"]


def test_the_trust_policy_shows_the_cause_that_sts_does_not_say():
    refused = ErrorSummary("S3H-STS-03", "STS refused", "said")
    assert rows(Evidence(refused=refused, trust_row="S3H-STS-06")) == ["S3H-STS-06"]
    assert rows(Evidence(refused=refused, trust_row="S3H-STS-03")) == ["S3H-STS-03"]


@pytest.mark.parametrize("status", [400, 403])
def test_after_a_head_without_a_body_the_listing_decides(status):
    bucket = Fault(FaultKind.HTTP, "", code=str(status), status=status)
    assert rows(Evidence(bucket=bucket)) == []
    assert rows(Evidence(bucket=bucket, listing=denied())) == ["S3H-S3-02"]
    assert rows(Evidence(bucket=bucket, foreign_bucket=True)) == ["S3H-S3-13"]


def test_another_prefix_or_requester_pays_that_succeeds_shows_the_cause():
    assert rows(Evidence(listing=denied(), listable="logs/")) == ["S3H-S3-03"]
    assert rows(Evidence(listing=denied(), requester_pays=True)) == ["S3H-S3-09"]


def test_exported_keys_that_override_the_profile_are_the_cause_of_every_refusal():
    assert rows(Evidence(keys_override_profile=True, listing=denied())) == ["S3H-CFG-06"]
    assert rows(Evidence(keys_override_profile=True)) == []


def test_a_refusal_by_the_key_policy_is_a_finding_about_that_key():
    message = NO_DECRYPT.replace("identity-based", "resource-based")
    seen = samples((3, {}), (1, {"kms_key": "k2", "read": denied(message)}))
    assert rows(Evidence(samples=seen)) == ["S3H-KMS-02"]


@pytest.mark.parametrize(
    ("fine", "refused", "row"),
    [
        ({}, {"kms_key": "k2"}, "S3H-KMS-06"),
        ({"bucket_key": True}, {}, "S3H-KMS-05"),
        ({}, {}, "S3H-KMS-01"),
        ({"kms_key": ""}, {}, "S3H-KMS-01"),
    ],
    ids=["another key", "the other context", "the same", "not encrypted with KMS"],
)
def test_a_refused_decryption_is_compared_with_those_that_succeed(fine, refused, row):
    seen = samples((3, fine), (2, {**refused, "read": denied(NO_DECRYPT)}))
    (finding,) = find_causes(Evidence(samples=seen, complete=True, role_arn=ROLE), SOURCE)
    assert finding.id == row
    assert (finding.affected, finding.sampled, finding.complete) == (2, 5, True)
    assert [(group.objects, group.kms_key_id) for group in finding.groups] == [
        (2, refused.get("kms_key", "k1"))
    ]
    assert finding.examples == ("1-0", "1-1")
    assert finding.who == "data owner (account 111111111111)"


@pytest.mark.parametrize(
    ("message", "head", "owner", "row"),
    [
        ("Access Denied", denied(""), "c", "S3H-S3-07"),
        ("Access Denied", denied(""), "", "S3H-S3-07"),
        ("Access Denied", denied(""), "a", "S3H-S3-04"),
        ("Access Denied", None, "", "S3H-KMS-01"),
        (NO_READ, denied(""), "c", "S3H-S3-04"),
    ],
    ids=["another owner", "unknown owner", "same owner", "only the body", "a policy is named"],
)
def test_objects_of_other_accounts_are_distinguished_from_missing_permissions(message, head, owner, row):
    seen = samples((3, {"owner": "a"}), (1, {"read": denied(message), "head": head, "owner": owner}))
    assert rows(Evidence(samples=seen)) == [row]


@pytest.mark.parametrize(("account", "row"), [("111111111111", "S3H-KMS-01"), ("333333333333", "S3H-KMS-03")])
def test_a_refused_get_with_an_allowed_head_is_caused_by_the_kms_key(account, row):
    key = f"arn:aws:kms:us-east-1:{account}:key/1"
    seen = samples((2, {"kms_key": key, "read": denied()}))
    assert rows(Evidence(samples=seen, role_arn=ROLE)) == [row]
    plain = samples((2, {"kms_key": "", "read": denied()}))
    assert rows(Evidence(samples=plain, role_arn=ROLE)) == ["S3H-S3-04"]


def test_a_refusal_of_all_objects_is_not_about_ownership():
    assert rows(Evidence(samples=samples((3, {"read": denied(), "head": denied("")})))) == ["S3H-S3-04"]


def test_two_causes_are_two_findings_and_the_exit_code_is_that_of_the_errors():
    gone = Fault(FaultKind.HTTP, "disabled", code="KMS.DisabledException", status=400)
    seen = samples((1, {}), (1, {"read": gone}), (1, {"archived": True}), (1, {"read": denied(NO_READ)}))
    found = find_causes(Evidence(samples=seen), SOURCE)
    assert {(one.id, one.level) for one in found} == {
        ("S3H-KMS-07", Level.ERROR),
        ("S3H-S3-10", Level.WARNING),
        ("S3H-S3-04", Level.ERROR),
    }
    assert exit_code_of(found) == 4


def test_archived_objects_alone_are_a_warning():
    found = find_causes(Evidence(samples=samples((2, {}), (1, {"archived": True}))), SOURCE)
    assert [one.id for one in found] == ["S3H-S3-10"]
    assert exit_code_of(found) == 3


def test_remarks_change_no_exit_code():
    evidence = Evidence(
        needless_external_id=True,
        chained=True,
        throttled=frozenset({"S3H-S3-11"}),
        samples=samples((1, {"size": 0})),
    )
    found = find_causes(evidence, SOURCE)
    assert [one.id for one in found] == ["S3H-STS-13", "S3H-STS-11", "S3H-S3-11", "S3H-S3-14"]
    assert exit_code_of(found) == 0


@pytest.mark.parametrize(
    ("kind", "who"),
    [
        ("service control", "an organisation admin"),
        ("resource control", "an organisation admin"),
        ("permissions boundary", "data owner (account 111111111111)"),
        ("session", "you"),
        ("VPC endpoint", "you"),
        ("resource-based", "data owner (account 111111111111)"),
    ],
)
def test_a_guardrail_is_fixed_by_its_owner(kind, who):
    name = kind if kind == "permissions boundary" else f"{kind} policy"
    fault = denied(f'{WHO} s3:GetObject on resource: "r" with an explicit deny in a {name}')
    (finding,) = find_causes(Evidence(role_arn=ROLE, samples=samples((1, {"read": fault}))), SOURCE)
    assert (finding.id, finding.who) == ("S3H-S3-08", who)
    assert kind in finding.title


def test_access_comes_before_the_destination_in_the_exit_code():
    full = finding_of_error(ErrorSummary("S3H-DST-02", "too small"))
    assert exit_code_of((full,)) == 5
    assert exit_code_of((*find_causes(Evidence(listing=denied()), SOURCE), full)) == 4


def test_the_policy_that_aws_names_is_printed():
    arn = "arn:aws:organizations::3:policy/o-1/service_control_policy/p-1"
    fault = denied(
        f'{WHO} s3:GetObject on resource: "r" with an explicit deny in a service control policy: {arn} (x)'
    )
    (finding,) = find_causes(Evidence(role_arn=ROLE, samples=samples((1, {"read": fault}))), SOURCE)
    assert finding.fix.endswith(f"The policy is {arn} (x).")
