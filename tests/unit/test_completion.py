"""Shell completion of values."""

import pytest

from s3haul.cli.app import app
from s3haul.cli.flags import profiles


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    (tmp_path / "config").write_text(
        "[default]\n[profile export]\nrole_arn = x\n[profile 'exp two']\n[sso-session mine]\n"
    )
    (tmp_path / "credentials").write_text("[user-b]\naws_access_key_id = [no]\n[export]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def offered(monkeypatch, capsys, line: str) -> list[str]:
    monkeypatch.setenv("_S3HAUL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    with pytest.raises(SystemExit):
        app(prog_name="s3haul")
    return capsys.readouterr().out.split()


def test_profiles_come_from_both_files_and_nothing_else_does():
    assert profiles("") == ["default", "export", "user-b"]
    assert profiles("ex") == ["export"]


@pytest.mark.parametrize("command", ["cp", "check", "bench", "configure show"])
@pytest.mark.parametrize("flag", ["--profile", "--source-profile"])
def test_a_shell_completes_profiles(monkeypatch, capsys, command, flag):
    assert offered(monkeypatch, capsys, f"s3haul {command} {flag} u") == ["user-b"]


def test_a_shell_completes_topics_commands_and_error_ids(monkeypatch, capsys):
    assert offered(monkeypatch, capsys, "s3haul help m") == ["manifest", "measuring", "metrics"]
    assert offered(monkeypatch, capsys, "s3haul help ch") == ["check"]
    assert offered(monkeypatch, capsys, "s3haul help com") == ["compatibility"]
    assert "S3H-KMS-01" in offered(monkeypatch, capsys, "s3haul help S3H-KMS")


def test_missing_files_give_no_completions(monkeypatch, tmp_path):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert profiles("") == []
