"""An invalid command line: every error says what to type instead."""

import pytest

from s3haul.cli.app import run
from s3haul.cli.commands import COMMANDS, load
from s3haul.cli.usage import FOREIGN_COMMANDS, FOREIGN_FLAGS


def refused(capsys, *argv: str) -> list[str]:
    """The lines of the error."""
    assert run(argv) == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0].startswith("x ")
    assert lines[0].endswith("[S3H-USE-01]")
    assert lines[-1] == "  More: s3haul help S3H-USE-01"
    return lines


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (
            ["sync", "s3://b", "./d", "--external-id", "secret"],
            "s3haul cp s3://b ./d --external-id EXTERNAL-ID   (it downloads only what is new or changed, and deletes nothing)",
        ),
        (
            ["ls", "s3://b/a"],
            "s3haul cp --dryrun s3://b/a ./data   (it lists and counts, and downloads nothing)",
        ),
        (["s3", "cp", "s3://b", "my dir"], "s3haul cp s3://b 'my dir'"),
        (
            ["ls", "s3://b/a", "--profile", "p"],
            "s3haul cp --dryrun s3://b/a ./data --profile p   (it lists and counts, and downloads nothing)",
        ),
        (
            ["--profile", "p", "s3", "cp", "s3://b", "."],
            "flags follow the command: s3haul cp s3://b . --profile p",
        ),
        (["--profile", "p"], "s3haul --help lists its arguments and flags"),
        (["get"], "s3haul cp s3://BUCKET ./data"),
        (["resume"], "give the same s3haul cp command again: it resumes"),
        (["rm", "s3://b"], "s3haul only downloads"),
        (["version"], "s3haul --version"),
        (["cat", "s3://b/k"], "s3haul cp s3://b/k - writes"),
        (["doctor", "s3://b"], "s3haul check s3://b"),
        (["doctor"], "s3haul check s3://BUCKET"),
        (["vrify"], "did you mean: verify"),
        (["xyzzy"], f"commands: {', '.join(COMMANDS)}"),
        (["cp", "s3://b", ".", "--no-verify-ssl"], "s3haul always verifies certificates"),
        (["cp", "s3://b", ".", "--numworkers", "64"], "--concurrency N limits it"),
        (["cp", "s3://b", ".", "-j", "64"], "--concurrency N limits it"),
        (["cp", "s3://b", ".", "--delete"], "s3haul never deletes a file"),
        (["cp", "s3://b", ".", "--excldue=x"], "did you mean: --exclude"),
        (["cp", "s3://b", ".", "--exclude", "a", "b", "c"], "quote patterns"),
        (["cp", "s3://b", ".", "c"], "s3haul cp --help lists its arguments and flags"),
        (["cp", "s3://b", ".", "--concurrency", "0"], "s3haul cp --help lists its arguments and flags"),
        (["cp", "s3://b", ".", "--sse"], "s3haul cp --help lists its arguments and flags"),
        (["policy", "lnt"], "commands: s3haul policy lint"),
        (["limit", "./d"], "s3haul limit d --bwlimit 20MB/s"),
    ],
)
def test_an_unknown_word_gets_a_hint_with_the_right_one(capsys, argv, hint):
    what, fix, more = refused(capsys, *argv)
    assert fix.startswith("  Fix: ")
    assert hint in fix
    assert "secret" not in what + fix + more


def test_a_wrong_value_of_a_variable_names_the_variable(capsys, monkeypatch):
    monkeypatch.setenv("S3HAUL_CONCURRENCY", "many")
    assert "variable S3HAUL_CONCURRENCY" in refused(capsys, "cp", "s3://b", ".")[1]
    assert "S3HAUL_CONCURRENCY" not in refused(capsys, "cp", "s3://b", ".", "--concurrency=few")[1]


@pytest.mark.parametrize("argv", [["cp"], ["cp", "s3://bucket"]])
def test_for_missing_arguments_usage_and_two_examples_are_printed(capsys, argv):
    _, usage, first, second, _ = refused(capsys, *argv)
    assert usage == "  Usage: s3haul cp [OPTIONS] s3://BUCKET[/PREFIX] DEST"
    assert first.startswith("    s3haul cp s3://")
    assert second.startswith("    s3haul cp ")


def test_the_short_flag_prints_the_version_too(capsys):
    assert run(["-V"]) == 0
    assert capsys.readouterr().out.startswith("s3haul ")


def test_the_tables_of_other_tools_contain_no_word_of_ours():
    flags = {flag for param in load("cp").params for flag in param.opts}
    assert flags & set(FOREIGN_FLAGS) == {"--no-sign-request"}  # for the other commands
    assert not set(COMMANDS) & set(FOREIGN_COMMANDS)
