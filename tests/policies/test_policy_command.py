"""`s3haul policy` and `s3haul policy lint` as commands: what is on stdout, what is told, which exit code."""

import io
import json
import os
from types import SimpleNamespace

import pytest

from policies.grants import demo_grant
from policies.mistakes import REFUSED, right
from s3haul.cli.app import run
from s3haul.demo import seed
from s3haul.policies.documents import Part, documents

GIVEN = (
    *("--role-arn", seed.ROLE_ARN, "--bucket", seed.BUCKET, "--key-arn", seed.KMS_KEY_ARN),
    *("--caller", f"arn:aws:iam::{seed.ACCOUNT_B}:user/user-b", "--external-id", seed.EXTERNAL_ID),
)


@pytest.fixture
def s3haul(capfd, monkeypatch):
    monkeypatch.delenv("S3HAUL_EXTERNAL_ID", raising=False)

    def call(*arguments: str, stdin: bytes = b"", **environment: str) -> SimpleNamespace:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(["policy", *arguments])
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return call


def test_all_documents_are_one_json_object(s3haul):
    ran = s3haul(*GIVEN)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {part.value: made for part, made in documents(demo_grant()).items()}


@pytest.mark.parametrize("part", Part)
def test_one_document_alone_is_itself(s3haul, part):
    ran = s3haul(*GIVEN, "--only", part.value)
    assert json.loads(ran.out) == documents(demo_grant())[part]


def test_flags_reach_the_grant(s3haul):
    more = ("--prefix", "logs/", "--run-prefix", "logs/1/", "--versions", "--attributes")
    ran = s3haul(*GIVEN, *more, "--caller", "333333333333")
    grant = demo_grant(
        prefix="logs/",
        run_prefix="logs/1/",
        versions=True,
        attributes=True,
        callers=(*demo_grant().callers, "arn:aws:iam::333333333333:root"),
    )
    assert json.loads(ran.out) == {part.value: made for part, made in documents(grant).items()}


def test_a_role_s_name_and_its_account_are_its_arn_in_the_partition_of_the_key(s3haul):
    key = "arn:aws-cn:kms:cn-north-1:111111111111:key/x"
    ran = s3haul(
        "--role", "r", "--account", "111111111111", "--bucket", "bucket", "--key-arn", key, "--only", "key"
    )
    condition = json.loads(ran.out)["Statement"][0]["Condition"]
    assert condition["ArnEquals"]["aws:PrincipalArn"] == "arn:aws-cn:iam::111111111111:role/r"
    assert condition["StringEquals"]["kms:ViaService"] == [
        "s3.cn-north-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
    ]


def test_a_new_external_id_is_in_the_document_and_nowhere_else(s3haul):
    first, second = (s3haul(*GIVEN[:-2], "--new-external-id") for _ in range(2))
    ids = [
        json.loads(ran.out)["trust"]["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
        for ran in (first, second)
    ]
    assert ids[0] != ids[1]
    assert len(ids[0]) >= 32
    assert ids[0] not in first.err
    assert "do not log it" in first.err


def test_the_external_id_may_come_from_the_environment(s3haul):
    ran = s3haul(*GIVEN[:-2], "--only", "trust", S3HAUL_EXTERNAL_ID=seed.EXTERNAL_ID)
    assert json.loads(ran.out) == documents(demo_grant())[Part.TRUST]


@pytest.mark.parametrize("part", ["permissions", "key", "session"])
@pytest.mark.parametrize("form", ["json", "terraform", "aws-cli"])
def test_what_names_no_caller_needs_neither_caller_nor_external_id(s3haul, part, form):
    ran = s3haul(*GIVEN[:6], "--only", part, "--format", form)
    assert ran.code == (2 if (part, form) == ("session", "terraform") else 0)
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("form", ["terraform", "aws-cli"])
def test_the_other_forms_start_no_session_and_name_every_document(s3haul, form):
    ran = s3haul(*GIVEN, "--format", form)
    assert ran.code == 0
    assert "assume-role " not in ran.out
    for sid in (
        "CallerWithExternalId",
        "ListTheBucket",
        "ExportRoleDecryptsThroughS3",
        "AssumeTheExportRole",
    ):
        assert sid in ran.out


def test_the_script_ends_with_the_caller_s_own_steps(s3haul):
    ran = s3haul(*GIVEN, "--format", "aws-cli", "--request-payer", "requester", "--prefix", "a b/")
    assert (
        f"#   s3haul configure --profile export --role-arn {seed.ROLE_ARN} --source-profile PROFILE"
        in ran.out
    )
    assert "'s3://demo-export/a b/' ./data --profile export --recursive --request-payer requester" in ran.out
    assert "#   " not in s3haul(*GIVEN, "--format", "aws-cli", "--only", "trust").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--role-arn and --bucket are required"),
        (GIVEN[:-2], "An External ID is required"),
        ((*GIVEN, "--new-external-id"), "cannot be used with"),
        ((*GIVEN[:-2], "--new-external-id", "--only", "permissions"), "needs the trust document"),
        ((*GIVEN, "--only", "session", "--format", "terraform"), "has no resource for a session policy"),
        (("--role-arn", seed.ROLE_ARN, "--bucket", "bucket", "--only", "key"), "needs --key-arn"),
        ((*GIVEN, "--request-payer", "me"), "--request-payer takes"),
        ((*GIVEN, "--key-arn", "alias/x"), "is an alias"),
    ],
)
def test_contradictory_arguments_are_a_usage_error(s3haul, arguments, said):
    ran = s3haul(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_lint_prints_everything_about_a_finding(s3haul, tmp_path):
    (tmp_path / "wrong.json").write_text(json.dumps(REFUSED["ListBucket on BUCKET/*"].document))
    (tmp_path / "right.json").write_text(json.dumps(right(Part.TRUST)))
    ran = s3haul("lint", str(tmp_path / "wrong.json"), str(tmp_path / "right.json"))
    assert ran.code == 1
    for told in (
        "wrong.json: statement ListTheBucket: s3:ListBucket is allowed on objects",
        "[list-on-objects, S3H-S3-02]",
        "AWS will say: AccessDenied",
        "Who fixes it: DATA OWNER",
        '"Resource": "arn:aws:s3:::demo-export"\n',
        "More: s3haul help S3H-S3-02",
    ):
        assert told in ran.out
    assert ran.err == "1 finding in 2 file(s)\n"


def test_lint_reads_stdin_and_what_policy_prints_is_clean(s3haul):
    printed = s3haul(*GIVEN).out.encode()
    ran = s3haul("lint", "-", stdin=printed)
    assert (ran.code, ran.out) == (0, "")
    ran = s3haul("lint", "-", "--json", "--region", "eu-west-1", stdin=printed)
    assert ran.code == 1
    found = json.loads(ran.out)["findings"]
    assert [(each["file"], each["rule"], each["diagnosis"]) for each in found] == [
        ("stdin (key)", "wrong-via-service", "S3H-KMS-01")
    ]
    assert found[0]["corrected"][0]["Condition"]["StringEquals"] == {
        "kms:ViaService": "s3.eu-west-1.amazonaws.com"
    }


def test_lint_shows_names_from_a_file_harmlessly(s3haul):
    evil = {
        "Statement": [
            {"Sid": "\x1b[2J", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "\x1b]0;x"}
        ]
    }
    ran = s3haul("lint", "-", stdin=json.dumps(evil).encode())
    assert ran.code == 1
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b" " * 2_000_000, "too large"),
    ],
)
def test_a_file_that_cannot_be_read_is_exit_code_2(s3haul, tmp_path, content, said):
    file = tmp_path / "policy.json"
    if content is not None:
        file.write_bytes(content)
    ran = s3haul("lint", str(file))
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_deeply_nested_json_is_no_crash(s3haul):
    ran = s3haul("lint", "-", stdin=b"[" * 100_000)
    assert ran.code == 2


@pytest.mark.parametrize("flags", [("--account", "1"), ("--region", "Mars")])
def test_lint_checks_its_own_flags(s3haul, flags):
    assert s3haul("lint", os.devnull, *flags).code == 2
