"""`s3haul demo --serve`: an AWS to try things on, and the commands for it."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from docs.readme import commands as readme
from docs.readme import filled


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_embedded_cloud_stays_up_and_what_it_prints_can_be_typed(machine, tmp_path, number):
    with machine.start("demo", "--serve") as process:
        lines = [process.stdout.readline() for _ in range(8)]
        export, *commands = [line.strip() for line in lines if line.startswith("  ")]
        name, *variables = shlex.split(export)
        assert name == "export"
        there = {"PATH": os.environ["PATH"], "AWS_CA_BUNDLE": "/of/somebody/else.pem"}
        environment = there | dict(each.split("=", 1) for each in variables)
        assert [command.split()[1] for command in commands] == ["check", "cp", "status", "verify"]
        codes = [typed(command, tmp_path, environment) for command in commands]
        assert codes == [0, 3, 0, 0]  # one archived object is skipped and said
        shown = [command for command in readme("sh run") if "logs/" in command or "user-b" in command]
        assert [typed(filled(command), tmp_path, environment) for command in shown] == [3, 0, 0]
        assert len(list((tmp_path / "data2/logs").iterdir())) == 10
        process.send_signal(number)
        assert process.wait(30) == 0
    directory = Path(environment["AWS_CONFIG_FILE"]).parent
    assert not directory.exists()
    assert sum(path.is_file() for path in (tmp_path / "demo-data").rglob("*")) > 1900


def typed(command: str, cwd: Path, environment: dict[str, str]) -> int:
    name, *arguments = shlex.split(command)
    assert name == "s3haul"
    done = subprocess.run(
        [sys.executable, "-m", "s3haul", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"[S3H-S3-19]" not in done.stderr  # nothing selected
    return done.returncode


def test_serve_and_keep_contradict_each_other(machine, tmp_path):
    ran = machine.run("demo", "--serve", "--keep", str(tmp_path / "new"))
    assert (ran.code, "copies nothing" in ran.err) == (2, True)
