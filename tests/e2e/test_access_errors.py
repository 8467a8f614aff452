"""What goes wrong between two accounts: each ends with its exit code, names cause and fix,
and an id with a page."""

import json
import re

import pytest

from e2e.harness import SOURCE, expected, tree
from s3haul.cli.help_topics import topic_text
from s3haul.demo import seed
from s3haul.demo.model import Role


def statements(server, *, without: str) -> None:
    """Take one action out of the export role's policy."""
    role = server.cloud.roles[seed.ROLE_ARN]
    policy = json.loads(json.dumps(role.policies[0]))
    policy["Statement"] = [one for one in policy["Statement"] if one["Action"] != without]
    role.policies = [policy]


def wrong_external_id(server, machine):
    machine.configure(external_id="some-other-id")


def missing_external_id(server, machine):
    machine.configure(without="external_id")


def no_right_to_assume(server, machine):
    server.cloud.users[seed.USER_B_KEY_ID].policies = []


def trust_in_somebody_else(server, machine):
    role = server.cloud.roles[seed.ROLE_ARN]
    role.trust = json.loads(json.dumps(role.trust).replace("user/user-b", "user/user-c"))


def no_right_to_list(server, machine):
    statements(server, without="s3:ListBucket")


def no_right_to_read(server, machine):
    statements(server, without="s3:GetObject")


def no_right_to_decrypt(server, machine):
    statements(server, without="kms:Decrypt")


def key_disabled(server, machine):
    server.cloud.kms_keys[seed.KMS_KEY_ARN].state = "Disabled"


def clock_off(server, machine):
    server.cloud.clock = lambda clock=server.cloud.clock: clock() + 200_000


def expired_source_session(server, machine):
    """The source profile holds the keys of a session that has ended, as after an SSO login of yesterday."""
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    login = server.cloud.add_role(Role(seed.ACCOUNT_B, "login", trust))
    session = server.cloud.start_session(login, "yesterday", -60)
    machine.configure(access_key=session.access_key_id, secret_key=session.secret)
    with (machine.home / "credentials").open("a") as file:
        file.write(f"aws_session_token = {session.token}\n")


REFUSED = {
    wrong_external_id: ("S3H-STS-03", "External ID is missing or different", "sts:AssumeRole"),
    missing_external_id: ("S3H-STS-03", "none was given", "sts:AssumeRole"),
    no_right_to_assume: ("S3H-STS-04", "Who fixes it: your administrator", "to allow sts:AssumeRole on"),
    trust_in_somebody_else: ("S3H-STS-03", "does not name you as Principal", seed.ROLE_ARN),
    no_right_to_list: ("S3H-S3-02", "s3:ListBucket", f"not on {seed.BUCKET}/*"),
    no_right_to_read: ("S3H-S3-04", "s3:GetObject", "data owner"),
    no_right_to_decrypt: ("S3H-KMS-01", "kms:Decrypt", "data owner"),
    key_disabled: ("S3H-KMS-07", "aws kms enable-key", "is disabled"),
    clock_off: ("S3H-NET-01", "Set the clock", "s from ours"),
    expired_source_session: ("S3H-STS-02", "Log in again", "profile user-b have expired"),
}


@pytest.mark.parametrize("trouble", REFUSED, ids=lambda trouble: trouble.__name__)
def test_every_broken_link_of_the_chain_is_exit_code_4_with_cause_fix_and_id(server, machine, dest, trouble):
    trouble(server, machine)
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export", "--recursive")
    assert ran.code == 4, ran.text
    error_id, *words = REFUSED[trouble]
    assert f"[{error_id}]" in ran.text
    for word in words:
        assert word in ran.text, ran.text
    assert tree(dest) == {}
    assert bool(ran.out) == (server.count("GetObject") > 0)  # no summary of a run that saw no object
    assert topic_text(error_id)
    assert seed.EXTERNAL_ID not in ran.text
    assert "some-other-id" not in ran.text


def test_a_forgotten_role_is_named_in_the_error(machine, dest):
    endpoint = {name: machine.values[name] for name in ("endpoint_url", "ca_bundle")}
    variables = {"AWS_ENDPOINT_URL": endpoint["endpoint_url"], "AWS_CA_BUNDLE": endpoint["ca_bundle"]}
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "user-b", **variables)
    assert (ran.code, "[S3H-S3-02]" in ran.err) == (4, True), ran.text
    assert (
        "No role is configured, so the requests are those of arn:aws:iam::222222222222:user/user-b" in ran.err
    )
    assert "Who fixes it: you or the data owner" in ran.err


def test_permissions_that_are_lost_during_the_run_end_it_with_exit_code_4_before_every_key_has_failed(
    server, machine, dest
):
    for number in range(600):
        server.cloud.put(seed.BUCKET, f"more/{number:04}", b"x")
    denied = "Access Denied"
    server.faults.add(
        "error", operation="GetObject", since=30, status=403, code="AccessDenied", message=denied
    )
    server.faults.add("error", operation="HeadObject", status=403, code="AccessDenied", message=denied)
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export")
    assert ran.code == 4, ran.text
    assert "S3H-S3-04" in ran.err
    assert "s3:GetObject" in ran.err
    assert server.count("GetObject") < 400
    server.faults.clear()
    assert machine.cp(dest).code == 0
    assert tree(dest) == expected(server)


def test_one_key_that_is_denied_fails_alone_and_all_others_are_stored(server, machine, dest):
    key = "data/3/object-0010.bin"
    for operation in ("GetObject", "HeadObject"):
        server.faults.add(
            "error", operation=operation, key=key, status=403, code="AccessDenied", message="no"
        )
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export")
    assert ran.code == 1
    assert key in ran.out
    assert "[S3H-S3-04]" in ran.out
    assert tree(dest) == {path: body for path, body in expected(server).items() if path != key}


def test_an_unknown_profile_is_exit_code_4_and_the_known_ones_are_named(server, machine, dest):
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "exprot")
    assert ran.code == 4
    assert "[S3H-CFG-01]" in ran.err
    assert "'exprot'" in ran.err
    assert "export" in re.search(r"Fix: .*", ran.err)[0]
    assert not server.calls


@pytest.mark.parametrize(
    ("flags", "error_id", "words"),
    [
        (("--role-arn", "arn:aws:iam::1111:role/x"), "S3H-STS-07", "arn:aws:iam::ACCOUNT-ID:role/NAME"),
        (
            ("--role-arn", seed.ROLE_ARN, "--external-id", "has a space"),
            "S3H-STS-09",
            "outside A-Z a-z 0-9",
        ),
        (("--role-arn", seed.ROLE_ARN, "--duration-seconds", "100"), "S3H-STS-10", "900 and 43200"),
        (("--role-arn", seed.ROLE_ARN, "--duration-seconds", "0"), "S3H-STS-10", "900 and 43200"),
        (("--duration-seconds", "0"), "S3H-USE-01", "--role-arn"),
    ],
    ids=["arn", "external-id", "duration", "no-duration", "duration-without-role"],
)
def test_role_flags_that_sts_cannot_accept_are_exit_code_2_without_any_request(
    server, machine, dest, flags, error_id, words
):
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export", *flags)
    assert ran.code == 2, ran.text
    assert f"[{error_id}]" in ran.err
    assert words in ran.err
    assert "has a space" not in ran.err
    assert not server.calls


@pytest.mark.parametrize(
    ("changes", "error_id", "words"),
    [
        ({"external_id": "has a space"}, "S3H-STS-09", "external_id of profile 'export'"),
        ({"signature": "s3 =\n    signature_version = s3"}, "S3H-NET-03", "s3v4"),
    ],
    ids=["external-id", "signature"],
)
def test_a_profile_that_cannot_work_is_exit_code_4_without_any_request(
    server, machine, dest, changes, error_id, words
):
    machine.configure(**changes)
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export")
    assert ran.code == 4, ran.text
    assert f"[{error_id}]" in ran.err
    assert words in ran.err
    assert "has a space" not in ran.err
    assert not server.calls
