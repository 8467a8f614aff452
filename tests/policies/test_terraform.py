"""The Terraform output, read back by a parser of Terraform's language."""

import json
from typing import Any

import hcl2
import pytest
from hypothesis import given, settings

from policies.grants import demo_grant, grants
from s3haul.policies.documents import Part, documents
from s3haul.policies.rendering import terraform

OWNER, CALLER = "aws.account_111111111111", "aws.account_222222222222"


def plain(value: Any) -> Any:
    """What the parser gives, as Terraform would evaluate it: texts without quotes, jsonencode done."""
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items() if key != "__is_block__"}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if value.startswith("${jsonencode("):
        encoded = value.removeprefix("${jsonencode(").removesuffix(")}")
        return plain(hcl2.loads(f"value = {encoded}\n"))["value"]
    if value.startswith("${"):
        return value.removeprefix("${").removesuffix("}")
    if value.startswith('"'):
        return json.loads(value).replace("$${", "${").replace("%%{", "%{")
    return value


def read(grant, *only: Part) -> dict[str, Any]:
    chosen = {part: made for part, made in documents(grant).items() if not only or part in only}
    return plain(hcl2.loads(terraform(grant, chosen)))


def resources(parsed) -> dict[str, dict]:
    found = parsed.get("resource", [])
    return {
        f"{kind}.{name}": body
        for each in found
        for kind, names in each.items()
        for name, body in names.items()
    }


def test_every_document_is_a_resource_of_its_account():
    grant = demo_grant(
        callers=(
            "arn:aws:iam::222222222222:user/user-b",
            "arn:aws:iam::333333333333:role/worker",
            "arn:aws:iam::222222222222:root",
        ),
    )
    made, parsed = documents(grant), read(grant)
    found = resources(parsed)
    assert found["aws_iam_role.export"] == {
        "provider": OWNER,
        "name": "export-role",
        "path": "/",
        "assume_role_policy": made[Part.TRUST],
    }
    assert found["aws_iam_role_policy.export"] == {
        "provider": OWNER,
        "name": "s3haul-export",
        "role": "aws_iam_role.export.name",
        "policy": made[Part.PERMISSIONS],
    }
    caller = {"name": "s3haul-assume-export-role", "policy": made[Part.CALLER]}
    assert found["aws_iam_user_policy.caller_1"] == caller | {"provider": CALLER, "user": "user-b"}
    assert found["aws_iam_role_policy.caller_2"] == caller | {
        "provider": "aws.account_333333333333",
        "role": "worker",
    }
    assert found["aws_iam_policy.caller_3"] == caller | {"provider": CALLER}
    assert parsed["locals"] == [{"s3haul_key_statement": made[Part.KEY]["Statement"][0]}]
    accounts = [each["aws"]["allowed_account_ids"] for each in parsed["provider"]]
    assert accounts == [["111111111111"], ["222222222222"], ["333333333333"]]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (Part.TRUST, "aws_iam_role.export"),
        (Part.PERMISSIONS, "aws_iam_role_policy.export"),
        (Part.CALLER, "aws_iam_user_policy.caller_1"),
    ],
)
def test_one_document_alone_refers_to_no_other(part, name):
    parsed = read(demo_grant(role_arn="arn:aws:iam::111111111111:role/a/b/export-role"), part)
    assert list(resources(parsed)) == [name]
    assert len(parsed["provider"]) == 1
    assert "aws_iam_role.export.name" not in json.dumps(parsed)


def test_template_markers_of_terraform_are_escaped():
    grant = demo_grant(prefix="a${b}%{c}/")
    text = terraform(grant, {Part.PERMISSIONS: documents(grant)[Part.PERMISSIONS]})
    assert "a$${b}%%{c}/*" in text
    assert (
        resources(read(grant, Part.PERMISSIONS))["aws_iam_role_policy.export"]["policy"]
        == documents(grant)[Part.PERMISSIONS]
    )


@settings(max_examples=25)
@given(grants())
def test_whatever_is_granted_terraform_reads_the_documents_as_they_are(grant):
    made = documents(grant)
    found = resources(read(grant, Part.TRUST, Part.PERMISSIONS))
    assert found["aws_iam_role.export"]["assume_role_policy"] == made[Part.TRUST]
    assert found["aws_iam_role_policy.export"]["policy"] == made[Part.PERMISSIONS]
