"""`s3haul configure` and `configure show` as commands, and where each effective value comes from."""

import json
from types import SimpleNamespace

import pytest
from botocore.configloader import load_config

from s3haul.cli.app import run
from surroundings import aws_variables

ROLE = "arn:aws:iam::111111111111:role/export-role"
SECRET = "Secret-External-Id-42"
GIVEN = ("--role-arn", ROLE, "--source-profile", "user-b", "--external-id", SECRET)


@pytest.fixture
def s3haul(capfd, monkeypatch, tmp_path):
    """Run the command with the configuration in this directory, without other AWS variables."""
    for name in aws_variables():
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "credentials").write_text("[user-b]\naws_access_key_id = A\naws_secret_access_key = hush\n")

    def call(*arguments: str, **environment: str) -> SimpleNamespace:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = run(["configure", *arguments])
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=out, err=err, text=out + err)

    return call


def test_the_profile_is_written_and_the_second_time_nothing_changes(s3haul, tmp_path):
    config = tmp_path / "config"
    first = s3haul(*GIVEN, "--region", "eu-west-1", "--duration-seconds", "7200")
    assert first.code == 0
    assert load_config(str(config))["profiles"]["export"] == {
        "role_arn": ROLE,
        "source_profile": "user-b",
        "external_id": SECRET,
        "duration_seconds": "7200",
        "region": "eu-west-1",
        "s3": {"signature_version": "s3v4"},
    }
    before = config.stat().st_mtime_ns, config.stat().st_ino, config.read_bytes()
    second = s3haul(*GIVEN, "--region", "eu-west-1", "--duration-seconds", "7200")
    assert "nothing to change" in second.err
    assert (config.stat().st_mtime_ns, config.stat().st_ino, config.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "credentials"]
    assert SECRET not in first.text + second.text


def test_variables_that_set_flags_of_cp_set_those_of_configure(s3haul, tmp_path):
    ran = s3haul(
        "--source-profile", "user-b", S3HAUL_PROFILE="other", S3HAUL_ROLE_ARN=ROLE, S3HAUL_REGION="eu-west-1"
    )
    assert ran.code == 0, ran.text
    written = load_config(str(tmp_path / "config"))["profiles"]
    assert list(written) == ["other"]
    assert (written["other"]["role_arn"], written["other"]["region"]) == (ROLE, "eu-west-1")
    assert s3haul("--profile", "export", "--role-arn", ROLE[:-1], "--source-profile", "user-b").code == 0
    written = load_config(str(tmp_path / "config"))["profiles"]
    assert written["export"]["role_arn"] == ROLE[:-1]


def test_a_dry_run_shows_the_change_and_makes_none(s3haul, tmp_path):
    ran = s3haul(*GIVEN, "--dryrun")
    assert ran.code == 0
    assert f"+role_arn = {ROLE}" in ran.out
    assert SECRET not in ran.text
    assert not (tmp_path / "config").exists()


def test_one_value_of_a_profile_is_changed_alone(s3haul, tmp_path):
    s3haul(*GIVEN)
    ran = s3haul("--duration-seconds", "900", "--dryrun")
    assert [line for line in ran.out.splitlines() if line.startswith(("+", "-"))][2:] == [
        "+duration_seconds = 900"
    ]


def test_invalid_arguments_write_nothing(s3haul, tmp_path):
    for arguments in (
        (),
        ("--role-arn", ROLE),
        (*GIVEN, "--duration-seconds", "1"),
        (*GIVEN, "--credential-source", "Environment"),
        ("--role-arn", ROLE, "--source-profile", "AKIAIOSFODNN7EXAMPLE"),
    ):
        assert s3haul(*arguments).code == 2
    assert not (tmp_path / "config").exists()


def rows(ran) -> dict[str, tuple]:
    return {
        row["name"]: (row["value"], row["origin"], row["where"]) for row in json.loads(ran.out)["settings"]
    }


def test_every_value_of_a_profile_is_shown_with_its_file_and_section(s3haul, tmp_path):
    s3haul(*GIVEN, "--region", "eu-west-1", "--duration-seconds", "7200")
    shown = rows(s3haul("show", "--profile", "export", "--json"))
    section = f"{tmp_path / 'config'} [profile export]"
    assert shown == {
        "profile": ("export", "flag", "--profile"),
        "region": ("eu-west-1", "profile", section),
        "endpoint_url": (None, "default", ""),
        "sts_endpoint_url": (None, "default", ""),
        "ca_bundle": (None, "default", ""),
        "source": ("profile user-b", "profile", section),
        "role_arn": (ROLE, "profile", section),
        "external_id": (f"({len(SECRET)} characters)", "profile", section),
        "duration_seconds": ("7200", "profile", section),
    }


def test_flags_and_variables_are_named(s3haul):
    flags = (
        "--role-arn",
        ROLE,
        "--source-profile",
        "user-b",
        "--mfa-serial",
        "arn:aws:iam::222222222222:mfa/b",
    )
    shown = rows(
        s3haul(
            *("show", "--json", *flags, "--region", "eu-west-3"),
            S3HAUL_EXTERNAL_ID=SECRET,
            AWS_REGION="eu-west-1",
            AWS_ENDPOINT_URL="http://localhost:1",
            AWS_ENDPOINT_URL_STS="http://localhost:2",
        )
    )
    assert shown["region"] == ("eu-west-3", "flag", "--region")
    assert shown["endpoint_url"] == ("http://localhost:1", "environment", "AWS_ENDPOINT_URL")
    assert shown["sts_endpoint_url"] == ("http://localhost:2", "environment", "AWS_ENDPOINT_URL_STS")
    assert shown["source"] == ("profile user-b", "flag", "--source-profile")
    assert shown["role_arn"] == (ROLE, "flag", "--role-arn")
    assert shown["mfa_serial"][1:] == ("flag", "--mfa-serial")
    assert shown["external_id"] == (f"({len(SECRET)} characters)", "environment", "S3HAUL_EXTERNAL_ID")
    assert shown["duration_seconds"] == ("3600", "default", "")


def test_the_credentials_file_and_the_default_profile_are_distinguished(s3haul, tmp_path):
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    (tmp_path / "credentials").write_text("[default]\nregion = eu-west-2\n")
    assert rows(s3haul("show", "--json"))["region"] == (
        "eu-west-2",
        "profile",
        f"{tmp_path / 'credentials'} [default]",
    )


def test_the_text_form_has_the_same_content_and_no_secret(s3haul, tmp_path):
    s3haul(*GIVEN)
    ran = s3haul("show", "--profile", "export")
    assert ran.code == 0
    assert f"{tmp_path / 'config'} [profile export]" in ran.out
    assert "not set" in ran.out
    assert SECRET not in ran.text
    assert "hush" not in ran.text


def test_a_profile_that_does_not_exist_is_an_error_of_access(s3haul):
    ran = s3haul("show", "--profile", "nowhere")
    assert ran.code == 4
    assert "S3H-CFG-01" in ran.err


def test_environment_variables_of_flags_are_shown(s3haul):
    variables = {
        "S3HAUL_ROLE_ARN": ROLE,
        "S3HAUL_SOURCE_PROFILE": "user-b",
        "S3HAUL_EXTERNAL_ID": SECRET,
        "S3HAUL_DURATION_SECONDS": "900",
        "S3HAUL_REGION": "eu-west-3",
        "S3HAUL_CONCURRENCY": "32",
        "S3HAUL_CONCURENCY": "32",
    }
    ran = s3haul("show", "--json", **variables)
    assert (ran.code, SECRET in ran.text) == (0, False)
    assert (
        "! S3HAUL_CONCURENCY has no effect: there is no such flag; did you mean S3HAUL_CONCURRENCY ?"
        in ran.err
    )
    found = {row["where"]: (row["name"], row["value"]) for row in json.loads(ran.out)["settings"]}
    hidden = found.pop("S3HAUL_EXTERNAL_ID")[1]
    assert str(len(SECRET)) in hidden
    assert {name: found[name] for name in variables if name in found} == {
        "S3HAUL_ROLE_ARN": ("role_arn", ROLE),
        "S3HAUL_SOURCE_PROFILE": ("source", "profile user-b"),
        "S3HAUL_DURATION_SECONDS": ("duration_seconds", "900"),
        "S3HAUL_REGION": ("region", "eu-west-3"),
        "S3HAUL_CONCURRENCY": ("concurrency", "32"),
    }
    assert not any(place.startswith("--") for place in found)
