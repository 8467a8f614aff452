"""Source credentials that cannot be fetched: the error names their kind, and has a hint for it."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from botocore.utils import ContainerMetadataFetcher

from contract.demo_access import only_this_aws
from s3haul.aws.session import checked_settings
from s3haul.aws.source_credentials import load_source
from s3haul.errors import CredentialsError
from s3haul.options import AccessOptions

SSO = (
    "sso_session = corp\nsso_account_id = 111111111111\nsso_role_name = ro\n\n[sso-session corp]\n"
    "sso_start_url = https://corp.example/start\nsso_region = us-east-1\n"
)
ROLE = "role_arn = arn:aws:iam::111111111111:role/R\n"


@pytest.fixture
def keys_of(tmp_path, monkeypatch):
    """The credentials of a profile with these lines, fetched several times."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)

    async def fetched(lines: str, times: int = 1, **variables: str):
        config = tmp_path / "config"
        config.write_text(f"[profile p]\nregion = us-east-1\n{lines}")
        with only_this_aws(
            AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "none"), **variables
        ):
            fetch = await load_source(checked_settings(AccessOptions(profile="p")))
            return [await fetch() for _ in range(times)]

    return fetched


@pytest.fixture
def helper(tmp_path):
    """A credential_process that prints this text and counts its runs."""
    path, runs = tmp_path / "helper.py", tmp_path / "runs"

    def write(text: str, code: int = 0) -> str:
        path.write_text(
            f"open({str(runs)!r}, 'a').write('x')\nimport sys\nprint({text!r})\nsys.stderr.write('sorry')\n"
            f"sys.exit({code})\n"
        )
        return f"credential_process = {sys.executable} {path} --secret hunter2\n"

    write.runs = runs
    return write


def document(**changes) -> str:
    soon = (datetime.now(UTC) + timedelta(seconds=500)).isoformat()
    keys = {
        "Version": 1,
        "AccessKeyId": "AK",
        "SecretAccessKey": "SK",
        "SessionToken": "T",
        "Expiration": soon,
    }
    return json.dumps({name: value for name, value in (keys | changes).items() if value is not None})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Enter code:", 0),
        ("[]", 0),
        ("{}", 0),
        ("", 1),
        (document(SecretAccessKey=None), 0),
        (document(SecretAccessKey=7), 0),
        (document(SessionToken="two words"), 0),
        (document(Expiration="tomorrow"), 0),
        (document(Expiration="2001-01-01T00:00:00Z"), 0),
        (document(Expiration="2096-01-01T00:00:00"), 0),
    ],
)
async def test_a_credential_process_that_fails_is_named_without_its_arguments(keys_of, helper, text, code):
    with pytest.raises(CredentialsError) as caught:
        await keys_of(helper(text, code))
    error = caught.value
    assert "credential_process" in error.message
    assert "Version" in error.hint
    assert "sso" not in error.hint
    assert error.said is None
    assert "hunter2" not in error.message + error.hint + str(error.seen)


async def test_a_missing_credential_process_is_named(keys_of):
    with pytest.raises(CredentialsError, match="/no/such/helper"):
        await keys_of("credential_process = /no/such/helper --secret hunter2\n")


async def test_short_lived_credentials_are_fetched_once_and_not_for_every_request(keys_of, helper):
    assert len(await keys_of(helper(document()), times=20)) == 20
    assert helper.runs.read_text() == "x"


@pytest.mark.parametrize(
    ("lines", "variables", "what", "hint"),
    [
        (SSO, {}, "SSO session corp", "aws sso login --profile p"),
        (
            ROLE + "web_identity_token_file = /no/token\n",
            {},
            "web identity token /no/token",
            "trust policy",
        ),
        (ROLE + "credential_source = EcsContainer\n", {}, "EcsContainer", "AWS_CONTAINER_CREDENTIALS"),
        (ROLE + "credential_source = Ec2InstanceMetadata\n", {}, "Ec2InstanceMetadata", "instance profile"),
        (ROLE + "credential_source = Environment\n", {}, "Environment", "export AWS_ACCESS_KEY_ID"),
        (
            ROLE + "credential_source = EcsContainer\n",
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/keys"},
            "container's credentials",
            "task role",
        ),
        (
            "login_session = arn:aws:iam::111111111111:user/u\n",
            {},
            "profile p",
            "export-credentials --profile p",
        ),
        ("aws_access_key_id = AK\n", {}, "profile 'p'", "aws_secret_access_key"),
    ],
)
async def test_each_kind_of_source_has_its_own_hint(keys_of, capfd, lines, variables, what, hint):
    with pytest.raises(CredentialsError) as caught:
        await keys_of(lines, **variables)
    assert what in caught.value.message
    assert hint in caught.value.hint
    assert capfd.readouterr().err == ""
