"""Every rule finds its mistake, its correction is clean, and what it says of the run is what a run meets."""

import copy
import json

import pytest

from contract.demo_access import demo_profile
from policies.grants import demo_grant, put_in_force
from policies.mistakes import REFUSED, SILENT, Mistake, right
from s3haul.cli.app import run
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.diagnose.reasons import REASONS
from s3haul.diagnose.table import DIAGNOSES
from s3haul.policies.documents import Part, document, documents
from s3haul.policies.lint import RULES, SHAPE, documents_in, lint

FILLED = {
    "KEY-ID": seed.KMS_KEY_ID,
    "EXTERNAL-ID": seed.EXTERNAL_ID,
    "REGION": seed.REGION,
    "ROLE": "export-role",
}
EVERY = REFUSED | SILENT


def corrected(mistake: Mistake) -> dict:
    """The document with the corrections of its findings in place, until there are none;
    people's values filled in."""
    made = copy.deepcopy(mistake.document)
    while found := [finding for finding in lint(made) if finding.corrected]:
        first, statements = found[0], made["Statement"]
        names = [each.get("Sid") or f"#{number}" for number, each in enumerate(statements, 1)]
        place = names.index(first.statement)
        statements[place : place + 1] = first.corrected
    return made


def filled(made: dict, account: str = seed.ACCOUNT_B) -> dict:
    text = json.dumps(made)
    for word, value in (FILLED | {"ACCOUNT-ID": account}).items():
        text = (
            text.replace(f'"{word}"', f'"{value}"')
            .replace(f"/{word}", f"/{value}")
            .replace(f":{word}", f":{value}")
        )
        text = text.replace(f".{word}.", f".{value}.")
    return json.loads(text)


@pytest.mark.parametrize("mistake", EVERY.values(), ids=EVERY)
def test_each_mistake_is_found_by_exactly_one_rule(mistake):
    assert {finding.rule for finding in lint(mistake.document)} == {mistake.rule}


@pytest.mark.parametrize("mistake", EVERY.values(), ids=EVERY)
def test_the_corrected_statement_is_clean(mistake):
    first = lint(mistake.document)[0]
    assert first.corrected
    assert lint(corrected(mistake)) == []
    assert lint(filled(corrected(mistake))) == []


def test_every_rule_has_an_example_and_a_page():
    examples = {mistake.rule for mistake in EVERY.values()}
    assert examples == {rule.id for rule in RULES} | {SHAPE}
    pages = {*DIAGNOSES, *(reason.id for reason in REASONS.values())}
    assert {rule.diagnosis for rule in RULES} <= pages


@pytest.fixture(scope="module")
def server():
    cloud = seed.standard_cloud()
    cloud.put(seed.BUCKET, "logs/plain.log", b"a" * 1000)
    cloud.put(seed.BUCKET, "logs/bucket-key.log", b"b" * 1000, bucket_key=True)
    with DemoServer(cloud) as running:
        yield running


def cp(server, home, part: Part, made: dict) -> int:
    """The exit code of a copy with this document in force beside the right other ones."""
    put_in_force(server.cloud, documents(demo_grant()))
    role = server.cloud.roles[seed.ROLE_ARN]
    match part:
        case Part.TRUST:
            role.trust = made
        case Part.PERMISSIONS:
            role.policies = [made]
        case Part.KEY:
            server.cloud.kms_keys[seed.KMS_KEY_ARN].policy = made
        case Part.CALLER:
            server.cloud.users[seed.USER_B_KEY_ID].policies = [made]
    home.mkdir()
    with demo_profile(server, home):
        return run(["cp", f"s3://{seed.BUCKET}", str(home / "data"), "--profile", "export", "--no-progress"])


@pytest.mark.parametrize("mistake", REFUSED.values(), ids=REFUSED)
def test_a_run_meets_the_mistake_and_passes_with_the_correction(server, tmp_path, capfd, mistake):
    finding = lint(mistake.document)[0]
    assert cp(server, tmp_path / "wrong", mistake.part, mistake.document) != 0
    told = "".join(capfd.readouterr())
    missing = finding.said.partition("to perform: ")[2].split(" ")[0]
    assert missing in told
    assert "BUCKET" not in finding.said
    account = seed.ACCOUNT_B if mistake.part is Part.TRUST else seed.ACCOUNT_A
    made = filled(corrected(mistake), account)
    if mistake.rule == "session-as-principal":
        made = json.loads(json.dumps(made).replace(":role/worker", ":user/user-b"))
    assert cp(server, tmp_path / "right", mistake.part, made) == 0


def test_what_other_statements_grant_properly_is_no_finding():
    made = right(Part.PERMISSIONS)
    made["Statement"].append(
        {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{seed.BUCKET}/*"}
    )
    assert lint(made) == []
    key = right(Part.KEY)
    office = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    admins = {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "kms:*", "Resource": "*"}
    key["Statement"].append(admins | {"Condition": office})
    assert lint(key) == []


def test_statements_about_other_things_are_no_finding():
    other = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:role/autoscaling"},
        "Action": "kms:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}},
    }
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    assert lint(document(other)) == []
    assert lint(document(service)) == []
    assert lint(document({"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"})) == []
    assert lint(document({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::b"})) == []


def test_a_prefix_is_shut_out_only_where_no_statement_lets_it_be_listed():
    made = right(Part.PERMISSIONS, prefix="logs/")
    bucket = made["Statement"][0]["Resource"]
    elsewhere = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::another/*"}
    assert lint(document(*made["Statement"], elsewhere)) == []
    root = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket}/*"}
    assert [finding.rule for finding in lint(document(*made["Statement"], root))] == ["prefix-shuts-out"]
    listing = {"Effect": "Allow", "Action": "s3:List*", "Resource": bucket}
    at_root = listing | {"Condition": {"StringEquals": {"s3:prefix": ""}}}
    for each in (listing, at_root):
        assert lint(document(*made["Statement"], root, each)) == []


def test_callers_of_the_role_s_own_account_need_no_external_id():
    made = document(
        {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "sts:AssumeRole"},
    )
    assert [finding.rule for finding in lint(made)] == ["no-external-id"]
    assert lint(made, account="222222222222") == []


def test_a_key_policy_is_checked_against_the_given_region():
    made = right(Part.KEY)
    assert lint(made, region=seed.REGION) == []
    assert [finding.rule for finding in lint(made, region="eu-west-1")] == ["wrong-via-service"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        {"Statement": []},
        {"Statement": "x"},
        {"Statement": [[]]},
        {"Statement": [{}]},
        {"Version": "2024-01-01", "Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*"}]},
        {"Statement": [{"Effect": "Allow", "Action": 7, "Resource": "*"}]},
        {"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": []}]},
        {
            "Statement": [
                {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {"StringEquals": 1}}
            ]
        },
        {"Statement": [{"Effect": "Allow", "Action": "a:b", "NotAction": "a:c", "Resource": "*"}]},
        {"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": {"AWS": 1}}]},
        {"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": "111111111111"}]},
        {"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*"}], "Statements": []},
    ],
)
def test_what_is_no_policy_is_a_finding_and_never_a_crash(value):
    assert {finding.rule for finding in lint(value)} == {SHAPE}


def test_policies_are_found_in_what_other_tools_print():
    made = right(Part.TRUST)
    assert list(documents_in(made)) == [("", made)]
    assert list(documents_in({"Role": {"RoleName": "r", "AssumeRolePolicyDocument": made}})) == [
        ("Role.AssumeRolePolicyDocument", made)
    ]
    assert list(documents_in({"Policy": json.dumps(made)})) == [("Policy", made)]
    assert list(documents_in({"trust": made, "key": made})) == [("trust", made), ("key", made)]
    assert list(documents_in({"a": {"b": 1}})) == [("", {"a": {"b": 1}})]
    deep = made
    for _ in range(500):
        deep = {"a": deep}
    assert list(documents_in(deep)) == [("", deep)]
