"""The editor of the AWS configuration file: the changes are made, everything else stays unchanged."""

import re
import stat
from pathlib import Path

import pytest
from botocore.configloader import build_profile_map, raw_config_parse
from botocore.exceptions import ConfigParseError
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from s3haul.aws import config_edit
from s3haul.aws.config_edit import SUFFIX, diff, plan, save
from s3haul.aws.config_text import edited
from s3haul.errors import DestinationError, ProfileError, UsageError

ROLE = "arn:aws:iam::111111111111:role/export-role"
WANTED = {"role_arn": ROLE, "source_profile": "user-b", "external_id": "Secret-Id-42", "region": "eu-west-1"}
CHANGES = {**WANTED, "credential_source": None, "s3.signature_version": "s3v4"}

NAMES = st.sampled_from(["export", "user-b", "default", "other one"])
HEADERS = st.builds(
    lambda form, name: form.format(name if form != "[{}]" else name.replace(" ", "")),
    st.sampled_from(
        ["[profile {}]", '[profile "{}"]', "[profile  {}] ; x", "[{}]", "[sso-session {}]", "[services {}]"]
    ),
    NAMES,
)
OPTIONS = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        ["region", "role_arn", "external_id", "credential_source", "source_profile", "output", "Region", "s3"]
    ),
    st.sampled_from([" = ", "=", ": ", "          = ", " =", " ="]),
    st.sampled_from(
        ["", "x", "us-east-1", ROLE, "a = b", "x # no comment", "Secret-Id-42", "signature_version = s3v4"]
    ),
)
NESTED = st.sampled_from(
    [
        "    signature_version = s3v4",
        "    signature_version = s3",
        "\taddressing_style=path",
        "  a = b",
        "  # nested",
    ]
)
OTHER = st.sampled_from(["", "   ", "# a comment", "; [profile export]", "  # region = no"])
INDENTED = st.builds("{}{}".format, st.sampled_from(["", "", "", "  ", "\t"]), HEADERS | OPTIONS)
FILES = st.builds(
    lambda lines, ending, last: ending.join(lines) + (ending if last else ""),
    st.lists(HEADERS | OPTIONS | INDENTED | NESTED | OTHER, max_size=14),
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.booleans(),
)


def read(path: Path) -> dict[str, dict]:
    return raw_config_parse(str(path))


def profiles(path: Path) -> dict[str, dict]:
    return build_profile_map(read(path))["profiles"]


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return tmp_path / "config"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def is_odd(profile: dict) -> bool:
    """Whether a value has continuation lines that were probably a mistake, or `s3` is not a section."""
    values = [profile.get(name, "") for name in CHANGES]
    several = any(isinstance(value, dict) or "\n" in value for value in values)
    pasted = profile.get("s3")
    lines = pasted.splitlines() if isinstance(pasted, str) else []
    return (
        several
        or any("=" not in line for line in lines)
        or (lines and lines[0].partition("=")[0].strip() != "signature_version")
    )


def is_ours(line: str) -> bool:
    """Whether a line may be changed, removed or added."""
    name = re.split("[=:]", line)[0].strip().lower()
    return name in {*CHANGES, "s3", "signature_version", ""} or line == "[profile export]"


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(FILES)
@example("[profile export]\ns3 = signature_version = s3v4\n")
@example("[profile export]\ns3 = a = b")
@example("[profile export]\ns3 = signature_version = s3v4\n  [profile export]")
@example("[profile export]\ns3 = signature_version = s3\n   a = b\n")
@example("[profile export]\ns3 =\n  addressing_style = path\n\n\n# the end")
@example("[profile export]\n  region = x\n  [profile b]\n  region = y")
@example("  [profile export]\n    [profile b]\nregion = y")
@example("[profile export]")
def test_the_requested_changes_are_made_and_everything_else_stays(file, text):
    file.write_bytes(text.encode())
    try:
        before = read(file)
    except ConfigParseError:
        assume(False)
    try:
        edit = plan(file, "export", CHANGES)
    except ProfileError:
        assert is_odd(build_profile_map(before)["profiles"]["export"])
        return
    file.write_bytes(edit.after.encode())
    mine = profiles(file)["export"]
    nested = mine.pop("s3")
    assert nested["signature_version"] == "s3v4"
    assert {name: mine.get(name) for name in WANTED} == WANTED
    assert "credential_source" not in mine

    after = read(file)
    ours = [section for section in after if re.fullmatch(r'profile\s+"?export"?', section)][-1:]
    kept = {name: value for name, value in before.get(ours[0], {}).items() if name not in {*CHANGES, "s3"}}
    assert {name: value for name, value in mine.items() if name not in WANTED} == kept
    held = before.get(ours[0], {}).get("s3")
    if isinstance(held, dict):
        assert nested == held | {"signature_version": "s3v4"}
    assert {name: after[name] for name in after if name not in ours} == {
        name: before[name] for name in before if name not in ours
    }

    lines, now = text.splitlines(), edit.after.splitlines()
    assert [line for line in lines if not is_ours(line)] == [line for line in now if not is_ours(line)]
    assert edit.after.count("\r\n") in {0, edit.after.count("\n")}
    assert edited(edit.after, "export", CHANGES) == edit.after


def test_an_option_with_the_right_value_is_not_changed(file):
    text = (
        f"[profile export]\nrole_arn          = {ROLE}\n# who\nsource_profile:user-b\nregion = eu-west-3   \n"
    )
    file.write_text(text)
    after = plan(file, "export", {"role_arn": ROLE, "source_profile": "user-b", "region": "eu-west-1"}).after
    assert after == text.replace("eu-west-3", "eu-west-1")


def test_a_new_file_is_private_and_its_directory_too(tmp_path):
    path = tmp_path / "home" / ".aws" / "config"
    assert save(plan(path, "export", CHANGES)) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert profiles(path)["export"]["role_arn"] == ROLE
    assert names(path.parent) == ["config"]


def test_the_previous_version_and_the_mode_are_kept(file):
    file.write_text("[default]\nregion = x\n")
    file.chmod(0o640)
    kept = save(plan(file, "export", CHANGES))
    assert kept == file.with_name("config" + SUFFIX)
    assert kept.read_text() == "[default]\nregion = x\n"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, kept)] == [0o640, 0o640]
    assert names(file.parent) == ["config", "config" + SUFFIX]


def test_a_symbolic_link_stays_and_what_it_points_to_is_changed(file, tmp_path):
    target = tmp_path / "dotfiles" / "aws-config"
    target.parent.mkdir()
    target.write_text("[default]\n")
    file.symlink_to("dotfiles/aws-config")
    save(plan(file, "export", CHANGES))
    assert file.is_symlink()
    assert profiles(target)["export"]["role_arn"] == ROLE


def test_a_dangling_symbolic_link_gets_a_target_file(file, tmp_path):
    file.symlink_to("dotfiles/aws-config")
    save(plan(file, "export", CHANGES))
    assert file.is_symlink()
    assert (tmp_path / "dotfiles" / "aws-config").is_file()


def test_a_change_by_another_program_in_between_is_not_lost(file):
    file.write_text("[default]\n")
    edit = plan(file, "export", CHANGES)
    file.write_text("[default]\nregion = new\n")
    with pytest.raises(ProfileError, match="another program"):
        save(edit)
    assert file.read_text() == "[default]\nregion = new\n"


def test_a_file_that_is_not_text_is_refused(file):
    file.mkdir()
    with pytest.raises(ProfileError, match="not a regular file"):
        plan(file, "export", CHANGES)
    file.rmdir()
    file.write_bytes(b"[default]\nx = \xff\n")
    with pytest.raises(ProfileError, match="UTF-8"):
        plan(file, "export", CHANGES)
    file.write_text("[default\n")
    with pytest.raises(ProfileError, match="cannot be parsed"):
        plan(file, "export", CHANGES)


def test_a_file_that_cannot_be_written_stays_whole(file, monkeypatch):
    file.write_text("[default]\n")
    edit = plan(file, "export", CHANGES)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(config_edit.os, "fsync", full)
    with pytest.raises(DestinationError) as caught:
        save(edit)
    assert "No space left" in caught.value.seen
    assert file.read_text() == "[default]\n"
    assert names(file.parent) == ["config"]


@pytest.mark.parametrize(
    "changes",
    [
        {"aws_secret_access_key": "x"},
        {"aws_access_key_id": "x"},
        {"AWS_SESSION_TOKEN": "x"},
        {"credential_process": "x"},
        {"external_id": "AKIAIOSFODNN7EXAMPLE"},
        {"source_profile": "ASIAIOSFODNN7EXAMPLE"},
    ],
)
def test_secrets_are_never_written(file, changes):
    with pytest.raises(UsageError, match="secret"):
        plan(file, "export", changes)


@pytest.mark.parametrize("name", ["", " x", "a]b", "a\nb", 'a"b', "a  b", "#x"])
def test_a_name_that_no_section_can_have_is_refused(file, name):
    with pytest.raises(UsageError, match="name of a profile"):
        plan(file, name, CHANGES)


@pytest.mark.parametrize("value", ["", " x", "a\nb", "a\x1b[0m"])
def test_a_value_that_does_not_fit_in_a_line_is_refused(file, value):
    with pytest.raises(UsageError, match="not allowed"):
        plan(file, "export", {"region": value})


def test_names_with_spaces_are_quoted(file):
    save(plan(file, "my export", CHANGES))
    assert profiles(file)["my export"]["role_arn"] == ROLE
    assert not plan(file, "my export", CHANGES).changes


def test_the_diff_shows_no_secret_and_no_external_id(file):
    file.write_text("[profile export]\nexternal_id = Old-Id\n[profile user-b]\naws_secret_access_key = hush")
    shown = "\n".join(diff(plan(file, "export", CHANGES)))
    assert "+external_id = (12 characters)" in shown.replace("  ", " ")
    assert "-external_id = (6 characters)" in shown
    for secret in ("Old-Id", "Secret-Id-42", "hush"):
        assert secret not in shown


def test_the_profile_needs_a_role_and_a_source(file):
    with pytest.raises(UsageError, match="--role-arn"):
        config_edit.plan_role_profile("export", {"source_profile": "user-b"})
    with pytest.raises(UsageError, match="credentials that assume the role"):
        config_edit.plan_role_profile("export", {"role_arn": ROLE})
    with pytest.raises(UsageError, match="exclude each other"):
        config_edit.plan_role_profile(
            "export", {"role_arn": ROLE, "source_profile": "x", "credential_source": "Environment"}
        )
    with pytest.raises(UsageError, match="its own source"):
        config_edit.plan_role_profile("export", {"role_arn": ROLE, "source_profile": "export"})
    with pytest.raises(UsageError, match="--credential-source takes"):
        config_edit.plan_role_profile("export", {"role_arn": ROLE, "credential_source": "Mars"})
    with pytest.raises(UsageError, match="not a region"):
        config_edit.plan_role_profile("export", {**WANTED, "region": "Mars"})
    with pytest.raises(UsageError, match="8 characters"):
        config_edit.plan_role_profile("export", {**WANTED, "external_id": "no space"})


def test_another_source_replaces_the_first(file):
    save(config_edit.plan_role_profile("export", WANTED))
    save(config_edit.plan_role_profile("export", {"credential_source": "Ec2InstanceMetadata"}))
    mine = profiles(file)["export"]
    assert mine["credential_source"] == "Ec2InstanceMetadata"
    assert "source_profile" not in mine
    assert mine["external_id"] == "Secret-Id-42"


def test_a_source_that_does_not_exist_yet_causes_a_warning(file):
    assert "does not exist yet" in config_edit.plan_role_profile("export", WANTED).warning
    file.write_text("[profile user-b]\nregion = x\n")
    assert config_edit.plan_role_profile("export", WANTED).warning == ""


def test_variables_in_the_file_s_name_are_filled_in_as_botocore_does(file, monkeypatch):
    monkeypatch.setenv("CONFIGURATION", str(file.parent))
    monkeypatch.setenv("AWS_CONFIG_FILE", "$CONFIGURATION/other")
    assert config_edit.plan_role_profile("export", WANTED).path == file.with_name("other")
