"""How people write AWS configuration files by mistake, and what they are told."""

import hashlib

import pytest

from contract.demo_access import only_this_aws
from s3haul.aws.session import checked_settings
from s3haul.aws.source_credentials import load_source
from s3haul.errors import CredentialsError, S3HaulError
from s3haul.options import AccessOptions

ROLE = "role_arn = arn:aws:iam::111111111111:role/R\n"
WITH_ROLE = ROLE + "source_profile = default\n"
QUOTES, COMMENT = "without quotes", "a comment needs a line of its own"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What is said of a config file, and of its credentials where it is sound. `variables` go with it."""
    monkeypatch.setenv("HOME", str(tmp_path))

    async def of(text: str, profile: str | None = "p", **variables: str) -> str:
        config = tmp_path / "config"
        config.write_text(text)
        given = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
        with only_this_aws(**given | variables), pytest.raises(S3HaulError) as caught:
            await (await load_source(checked_settings(AccessOptions(profile=profile))))()
        error = caught.value
        assert error.exit_code in {2, 4}
        return f"{error.message} | {error.hint}"

    of.home = tmp_path
    return of


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('region = "eu-west-1"\n', QUOTES),
        ("region = eu-west-1 # ours\n", COMMENT),
        ('endpoint_url = "https://s3.example"\n', QUOTES),
        ("endpoint_url = https://s3.example ; ours\n", COMMENT),
        ("s3 =\n  addressing_style = path # ours\n", COMMENT),
        ("s3 =\n  addressing_style = 'path'\n", QUOTES),
        (WITH_ROLE.replace("arn:aws", '"arn:aws').replace("role/R", 'role/R"'), QUOTES),
        (WITH_ROLE + 'external_id = "x-1"\n', QUOTES),
        (WITH_ROLE + "external_id = x-1 # theirs\n", COMMENT),
        ('aws_access_key_id = "AK"\naws_secret_access_key = "SK"\n', QUOTES),
        ("aws_access_key_id = AK # mine\naws_secret_access_key = SK\n", "has quotes or spaces"),
    ],
)
async def test_quotes_and_comments_in_a_value_are_named(told, line, words):
    assert words in await told(f"[profile p]\n{line}")


async def test_a_name_with_a_space_needs_quotes_and_a_directory_is_no_file(told):
    assert '[profile my own] to [profile "my own"]' in await told(
        "[profile my own]\nregion = eu-west-1\n", "my own"
    )
    assert f"{told.home} is a directory" in await told("", None, AWS_CONFIG_FILE=str(told.home))
    assert "AWS_SHARED_CREDENTIALS_FILE" in await told("", None, AWS_SHARED_CREDENTIALS_FILE=str(told.home))


SSO = "sso_session = corp\nsso_account_id = 111111111111\nsso_role_name = ro\n"
CORP = "[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = us-east-1\n"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("sso_session = corp\n" + CORP, "sso_account_id and sso_role_name"),
        ("sso_start_url = https://corp.example\n", "sso_account_id and sso_role_name and sso_region"),
        (SSO, "correct the profile"),
        (ROLE + "web_identity_token_file = /tmp\n", "| the token must exist and be valid"),
    ],
)
async def test_what_a_source_lacks_is_named(told, lines, words):
    assert words in await told(f"[profile p]\n{lines}")


@pytest.mark.parametrize(
    "token",
    ["{", "[]", "{}", '{"accessToken": 7, "expiresAt": 7}', '{"accessToken": "t", "expiresAt": "soon"}'],
)
async def test_a_broken_login_of_sso_asks_for_a_new_one(told, token):
    cache = told.home / ".aws/sso/cache"
    cache.mkdir(parents=True)
    (cache / f"{hashlib.sha1(b'corp', usedforsecurity=False).hexdigest()}.json").write_text(token)
    assert "aws sso login --profile p" in await told(f"[profile p]\n{SSO}{CORP}")


async def test_the_old_file_of_boto_is_named(told):
    (told.home / ".boto").write_text("[Credentials]\naws_access_key_id = AK\n")
    said = await told("", None)
    assert "~/.boto" in said
    assert CredentialsError.default_id not in said
