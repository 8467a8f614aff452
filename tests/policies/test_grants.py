"""What may be asked for, and what is refused before anything is made of it; every document of it is valid."""

import dataclasses
import json

import pytest
from hypothesis import assume, given

from policies.grants import demo_grant, grants
from s3haul.demo.policy import Ask, judge
from s3haul.errors import UsageError
from s3haul.policies import names
from s3haul.policies.documents import LONGEST, Grant, Part, check_grant, compact, documents
from s3haul.policies.lint import documents_in, lint
from s3haul.policies.names import parsed


@given(grants())
def test_the_documents_of_every_grant_are_valid_small_enough_and_clean(grant):
    try:
        check_grant(grant)
    except UsageError as error:
        assume("characters; AWS allows" not in error.message)
        raise
    made = documents(grant)
    role = parsed(grant.role_arn)
    for part, document in made.items():
        assert lint(document, account=role.account if part is Part.TRUST else None) == []
        assert lint(document, region=grant.region) == []
        assert json.loads(compact(document)) == document
        assert len(compact(document)) <= LONGEST[part]
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert len(set(sids)) == len(sids)
    assert [name for name, _ in documents_in(json.loads(json.dumps(made)))] == [part.value for part in made]
    assert (Part.KEY in made) == bool(grant.key_arns)


@given(grants())
def test_the_session_policy_allows_nothing_that_the_role_may_not(grant):
    made = documents(grant)
    run = grant.run_prefix or grant.prefix
    bucket = f"arn:{parsed(grant.role_arn).partition}:s3:::{grant.bucket}"
    for prefix in {grant.prefix, run}:
        for key, ask in (
            (prefix, Ask("s3:ListBucket", bucket, {"s3:prefix": prefix})),
            (f"{prefix}key", Ask("s3:GetObject", f"{bucket}/{prefix}key", {})),
        ):
            assert judge(made[Part.PERMISSIONS], ask).allowed
            assert judge(made[Part.SESSION], ask).allowed == key.startswith(run)
    assert not judge(made[Part.PERMISSIONS], Ask("s3:GetObject", f"{bucket}x/{prefix}key", {})).allowed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"role_arn": "export-role"}, "not the ARN of a role"),
        ({"role_arn": "arn:aws:iam::11111111111:role/export-role"}, "not the ARN of a role"),
        ({"role_arn": "arn:aws:iam::111111111111:user/export-role"}, "not the ARN of a role"),
        ({"role_arn": "arn:aws:iam::111111111111:role/" + "x" * 65}, "not the name of a role"),
        ({"role_arn": "arn:aws:iam::111111111111:role/path/"}, "not the name of a role"),
        ({"role_arn": "arn:aws-mars:iam::111111111111:role/r"}, "is not one of AWS"),
        ({"role_arn": "arn:aws:sts::111111111111:assumed-role/r/s"}, "a session of a role"),
        ({"callers": ()}, "No caller"),
        ({"callers": ("arn:aws:sts::222222222222:assumed-role/worker/i-1",)}, "a session of a role"),
        ({"callers": ("arn:aws:sts::222222222222:federated-user/x",)}, "neither a user nor a role"),
        ({"callers": ("user-b",)}, "not a caller"),
        ({"callers": ("arn:aws:iam::222222222222:group/g",)}, "not a caller"),
        ({"callers": ("*",)}, "not a caller"),
        ({"callers": ("arn:aws:iam::222222222222:user/path/",)}, "not a caller"),
        ({"callers": ("arn:aws-cn:iam::222222222222:root",)}, "in partition aws-cn, the role in aws"),
        ({"external_id": ""}, "has 0 characters"),
        ({"external_id": "x" * 1225}, "has 1225 characters"),
        ({"external_id": "has space"}, "(9 characters) has a character"),
        ({"bucket": "Bucket"}, "not a valid bucket name"),
        ({"bucket": "ab"}, "not a valid bucket name"),
        ({"bucket": "a..b"}, "not a valid bucket name"),
        ({"bucket": "192.168.1.1"}, "not a valid bucket name"),
        ({"bucket": "s3://bucket"}, "not a valid bucket name"),
        ({"prefix": "logs/*"}, "special characters"),
        ({"prefix": "logs/\n"}, "does not accept"),
        ({"prefix": "\u65e5\u672c/"}, "does not accept"),
        ({"prefix": "logs/", "run_prefix": "other/"}, "is not below"),
        ({"run_prefix": "${aws:username}"}, "special characters"),
        ({"key_arns": ("alias/export",)}, "is an alias"),
        ({"key_arns": ("arn:aws:kms:us-east-1:111111111111:alias/export",)}, "is an alias"),
        ({"key_arns": ("1234abcd-12ab-34cd-56ef-1234567890ab",)}, "not the ARN of a KMS key"),
        ({"key_arns": ("arn:aws:kms:us-east-1:1111:key/x",)}, "not the ARN of a KMS key"),
        ({"key_arns": ("arn:aws:kms:mars:111111111111:key/x",)}, "not a region"),
        ({"key_arns": ("arn:aws:kms:cn-north-1:111111111111:key/x",)}, "not in the partition"),
        ({"key_arns": ("arn:aws-cn:kms:cn-north-1:111111111111:key/x",)}, "in partition aws-cn"),
        (
            {
                "key_arns": (
                    "arn:aws:kms:us-east-1:111111111111:key/x",
                    "arn:aws:kms:us-east-2:111111111111:key/x",
                )
            },
            "several regions",
        ),
        ({"callers": tuple(f"arn:aws:iam::{n:012}:root" for n in range(60))}, "AWS allows 2048"),
        ({"prefix": "x" * 900}, "AWS allows 2048"),
    ],
)
def test_contradictory_arguments_are_refused_with_the_reason(changes, said):
    with pytest.raises(UsageError) as caught:
        check_grant(demo_grant(**changes))
    assert said in caught.value.message


def test_the_external_id_is_in_no_message_and_no_repr():
    grant = demo_grant(external_id="not for logs")
    with pytest.raises(UsageError) as caught:
        check_grant(grant)
    assert "not for logs" not in repr(grant) + str(caught.value) + str(caught.value.hint)


def test_only_what_is_printed_needs_what_it_is_made_of():
    bare = Grant(role_arn="arn:aws:iam::111111111111:role/r", bucket="bucket")
    for part in (Part.PERMISSIONS, Part.KEY, Part.SESSION):
        check_grant(bare, [part])
    for part in (Part.TRUST, Part.CALLER):
        with pytest.raises(UsageError):
            check_grant(bare, [part])


def test_a_role_is_named_by_its_arn_or_by_name_and_account():
    arn = "arn:aws:iam::111111111111:role/path/export-role"
    assert names.role_arn(arn, None, "aws") == arn
    assert names.role_arn("path/export-role", "111111111111", "aws") == arn
    assert names.role_arn("r", "111111111111", "aws-cn") == "arn:aws-cn:iam::111111111111:role/r"
    for wrong in ((arn, "222222222222"), ("r", None), ("r", "1111"), ("a b", "111111111111")):
        with pytest.raises(UsageError):
            names.role_arn(*wrong, "aws")


def test_every_field_of_a_grant_changes_some_document():
    base, other = (
        demo_grant(),
        {
            "role_arn": "arn:aws:iam::111111111111:role/other",
            "bucket": "other-bucket",
            "callers": ("arn:aws:iam::222222222222:root",),
            "external_id": "another",
            "prefix": "logs/",
            "key_arns": (),
            "versions": True,
            "attributes": True,
            "run_prefix": "logs/",
        },
    )
    assert set(other) == {field.name for field in dataclasses.fields(Grant)}
    for name, value in other.items():
        assert documents(demo_grant(**{name: value})) != documents(base), name
