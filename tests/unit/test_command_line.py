"""`run` uses the arguments that it gets, not those of the process, and refuses flags without a value."""

import sys

import pytest

from contract.demo_access import demo_profile, only_this_aws
from s3haul.cli.app import run
from s3haul.demo import seed
from s3haul.demo.server import DemoServer


def test_filters_and_log_use_the_arguments_that_are_given_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["host-program", "--exclude", "*"])
    with DemoServer() as server, demo_profile(server, tmp_path):
        for key in ("a.txt", "b.bin"):
            server.cloud.put(seed.BUCKET, key, b"x")
        source, data, log = f"s3://{seed.BUCKET}", str(tmp_path / "data"), str(tmp_path / "log")
        line = ["cp", source, data, "--profile", "export", "--exclude", "*", "--include", "*.txt"]
        assert run([*line, "-q", "--log-file", log]) == 0
    assert (tmp_path / "data/a.txt").is_file()
    assert not (tmp_path / "data/b.bin").exists()
    assert "--include '*.txt'" in (tmp_path / "log").read_text().splitlines()[0]


@pytest.mark.parametrize(
    "flag", ["--endpoint-url", "--role-arn", "--external-id", "--sse-kms-key-id", "--ca-bundle"]
)
@pytest.mark.parametrize("command", [["cp"], ["cluster", "plan", "--run", "run"]])
def test_a_flag_with_an_empty_value_is_refused(tmp_path, monkeypatch, capsys, flag, command):
    monkeypatch.chdir(tmp_path)
    with only_this_aws():
        assert run([*command, "s3://bucket", "data", flag, ""]) == 2
    assert f"{flag} is empty" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_empty_variable_of_a_flag_is_not_set(monkeypatch, capsys):
    monkeypatch.setenv("S3HAUL_BWLIMIT", "")
    assert run(["cp", "bucket", "data"]) == 2
    assert "is not an S3 source" in capsys.readouterr().err
