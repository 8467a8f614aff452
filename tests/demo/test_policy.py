"""One policy document against one request: wildcards, Not forms, conditions, principals."""

from typing import Any

import pytest

from s3haul.demo.model import Policy
from s3haul.demo.policy import Ask, Principal, judge

JUDGED = [
    ({"Action": "s3:Get*", "Resource": "*"}, True),
    ({"Action": "S3:getobject", "Resource": "*"}, True),
    ({"Action": "s3:Get?bject", "Resource": "arn:aws:s3:::b/*"}, True),
    ({"Action": "s3:GetObjec", "Resource": "*"}, False),
    ({"NotAction": "s3:Put*", "Resource": "*"}, True),
    ({"NotAction": "s3:*", "Resource": "*"}, False),
    ({"Action": "*", "Resource": "arn:aws:s3:::B/*"}, False),
    ({"Action": "*", "NotResource": "arn:aws:s3:::b/*"}, False),
    ({"Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:X": ["0", "1"]}}}, True),
    ({"Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:x": "2"}}}, False),
    ({"Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:none": "1"}}}, False),
    ({"Action": "*", "Resource": "*", "Condition": {"StringEqualsIfExists": {"aws:none": "1"}}}, True),
    ({"Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:x": "1"}}}, False),
    ({"Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:none": "1"}}}, True),
    ({"Action": "*", "Resource": "*", "Condition": {"StringLike": {"aws:arn": "arn:*:role/?"}}}, True),
    ({"Action": "*", "Resource": "*", "Condition": {"ArnLike": {"aws:arn": "arn:*:user/*"}}}, False),
    ({"Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:tls": True}}}, True),
    ({"Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:tls": "false"}}}, False),
    ({"Action": "*", "Resource": "*", "Condition": {"Null": {"aws:none": "true"}}}, True),
    ({"Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:ip": "10.0.0.0/8"}}}, True),
    ({"Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:ip": "10.0.0.0/8"}}}, False),
    (
        {
            "Action": "*",
            "Resource": "*",
            "Condition": {"Bool": {"aws:tls": "true"}, "StringEquals": {"aws:x": "2"}},
        },
        False,
    ),
]


@pytest.mark.parametrize(("statement", "allowed"), JUDGED)
def test_a_statement_allows_what_it_matches(statement: Policy, allowed: bool) -> None:
    context = {"aws:x": "1", "aws:tls": "true", "aws:arn": "arn:aws:iam::1:role/r", "aws:ip": "10.1.2.3"}
    ask = Ask("s3:GetObject", "arn:aws:s3:::b/k", context)
    assert judge({"Statement": [{"Effect": "Allow", **statement}]}, ask).allowed == allowed
    denied_verdict = judge({"Statement": [{"Effect": "Deny", **statement}]}, ask)
    assert denied_verdict.denied == allowed


@pytest.mark.parametrize(
    ("named", "allowed", "by_account"),
    [
        ("*", True, False),
        ({"AWS": "*"}, True, False),
        ({"AWS": ["arn:aws:iam::1:user/u"]}, True, False),
        ({"AWS": "1"}, True, True),
        ({"AWS": ["arn:aws:iam::1:root", "x"]}, True, True),
        ({"AWS": "arn:aws:iam::2:root"}, False, False),
        ({"Service": "s3.amazonaws.com"}, False, False),
    ],
)
def test_a_principal_is_named_directly_or_through_its_account(
    named: Any, allowed: bool, by_account: bool
) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Principal": named, "Action": "*", "Resource": "*"}]}
    verdict = judge(policy, Ask("a:B", "r", {}), Principal("1", ("arn:aws:iam::1:user/u",)))
    assert (verdict.allowed, verdict.by_account) == (allowed, by_account)


def test_an_unknown_condition_operator_is_not_taken_for_a_match() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"DateAfter": {"x": "y"}}}
    with pytest.raises(ValueError, match="DateAfter"):
        judge({"Statement": [statement]}, Ask("a:B", "r", {"x": "y"}))
