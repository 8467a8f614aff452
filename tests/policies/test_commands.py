"""The `aws` commands, run by a shell with an `aws` that writes down what it was asked; botocore's service
models say whether AWS would take it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator

from policies.grants import demo_grant
from s3haul.demo import seed
from s3haul.policies.documents import Part, documents
from s3haul.policies.rendering import commands

FAKE = """#!{python}
import json, os, sys
words = sys.argv[1:]
words = [open(word[7:]).read() if word.startswith("file:///dev/fd/") else word for word in words]
given = sys.stdin.read() if "file:///dev/stdin" in words else ""
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1:], words, given]) + "\\n")
if words[1] == "get-key-policy":
    print(os.environ["KEY_POLICY"])
"""
KEY_POLICY = {"Version": "2012-10-17", "Statement": {"Sid": "Root", "Effect": "Allow", "Action": "kms:*"}}


@pytest.fixture
def ask(tmp_path):
    """Runs a script; returns every (service, operation, parameters) that it asked AWS for."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    log, tools = tmp_path / "log", tmp_path / "bin"
    tools.mkdir()
    (tools / "aws").write_text(FAKE.format(python=sys.executable, log=str(log)))
    (tools / "aws").chmod(0o755)

    def run(script: str, key_policy: dict = KEY_POLICY) -> list[tuple[str, str, dict]]:
        log.write_text("")
        environment = {"PATH": f"{tools}:{os.environ['PATH']}", "KEY_POLICY": json.dumps(key_policy)}
        subprocess.run(["bash", "-u", "-c", script], cwd=tmp_path, env=environment, check=True, timeout=60)
        return [asked(*json.loads(line)) for line in log.read_text().splitlines()]

    return run


def asked(typed: list[str], words: list[str], given: str) -> tuple[str, str, dict]:
    """A command line, as typed and with its files read, as a request that the service's model takes."""
    assert seed.EXTERNAL_ID not in " ".join(typed)
    service, operation, *rest = words
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model("".join(word.capitalize() for word in operation.split("-"))).input_shape
    members = {f"--{xform_name(name, '-')}": name for name in shape.members}
    values = dict(
        zip(rest[::2], (given if word == "file:///dev/stdin" else word for word in rest[1::2]), strict=True)
    )
    ours = {"--region", "--query", "--output"}
    parameters = {members[name]: value for name, value in values.items() if name not in ours}
    report = ParamValidator().validate(parameters, shape)
    assert not report.has_errors(), report.generate_report()
    return service, operation, parameters


def script(grant, *only: Part) -> str:
    made = documents(grant)
    return commands(grant, {part: document for part, document in made.items() if not only or part in only})


def test_every_document_reaches_the_operation_that_puts_it_in_force(ask):
    grant = demo_grant(
        role_arn="arn:aws:iam::111111111111:role/path/export-role",
        callers=(
            "arn:aws:iam::222222222222:user/user-b",
            "arn:aws:iam::222222222222:role/x",
            "arn:aws:iam::222222222222:root",
        ),
        prefix='it\'s "$(touch here)" `x`/'.replace("$", ""),
    )
    made = documents(grant)
    requests = ask(script(grant))
    done = [(operation, parameters) for _, operation, parameters in requests]
    create, put, get_key, put_key, user, role, policy, session = done
    assert create[0] == "create-role"
    assert (create[1]["RoleName"], create[1]["Path"]) == ("export-role", "/path/")
    assert json.loads(create[1]["AssumeRolePolicyDocument"]) == made[Part.TRUST]
    assert put[0] == "put-role-policy"
    assert json.loads(put[1]["PolicyDocument"]) == made[Part.PERMISSIONS]
    assert get_key[0] == "get-key-policy"
    assert put_key[0] == "put-key-policy"
    assert put_key[1]["KeyId"] == seed.KMS_KEY_ARN
    assert [user[0], role[0], policy[0]] == ["put-user-policy", "put-role-policy", "create-policy"]
    for each in (user, role, policy):
        assert json.loads(each[1]["PolicyDocument"]) == made[Part.CALLER]
    assert session[0] == "assume-role"
    assert session[1]["ExternalId"] == seed.EXTERNAL_ID
    assert json.loads(session[1]["Policy"]) == made[Part.SESSION]


def test_the_key_s_policy_keeps_its_statements_and_gets_one_more_once(ask, tmp_path):
    grant = demo_grant()
    added = documents(grant)[Part.KEY]["Statement"]
    (_, first) = ask(script(grant, Part.KEY))
    after = json.loads(first[2]["Policy"])
    assert after == {"Version": "2012-10-17", "Statement": [KEY_POLICY["Statement"], *added]}
    assert json.loads((tmp_path / "key-policy-1.json").read_text()) == KEY_POLICY
    (_, second) = ask(script(grant, Part.KEY), after)
    assert json.loads(second[2]["Policy"]) == after


def test_a_key_s_policy_that_cannot_be_read_is_not_written(ask, tmp_path):
    text = (tmp_path / "bin" / "aws").read_text().replace('print(os.environ["KEY_POLICY"])', "sys.exit(255)")
    (tmp_path / "bin" / "aws").write_text(text)
    with pytest.raises(subprocess.CalledProcessError):
        ask(script(demo_grant(), Part.KEY))
    assert "put-key-policy" not in Path(tmp_path / "log").read_text()
