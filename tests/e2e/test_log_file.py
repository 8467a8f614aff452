"""`--log-file`: what is said of a run, in a file."""

import json
import os
import re

import pytest

from e2e.harness import SOURCE
from e2e.test_secrets import assert_clean
from e2e.test_streams import Terminal
from s3haul.demo import seed

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} "


@pytest.fixture
def run(machine, tmp_path):
    """A run with a log: how it ended, and the lines that the log has then."""

    def run(*arguments: str, **options):
        path = tmp_path / "log"
        ran = machine.run("cp", *arguments, "--profile", "export", "--log-file", str(path), **options)
        return ran, path.read_text().splitlines()

    return run


def test_the_log_contains_the_command_the_messages_and_the_summary_with_times(server, run, dest, tmp_path):
    key = "data/0/object-0007.bin"
    server.faults.add("error", operation="GetObject", key=key, status=403, code="AccessDenied", message="no")
    ran, lines = run(SOURCE, str(dest), "--include", "x", "--external-id", seed.EXTERNAL_ID)
    assert ran.code == 1
    assert all(re.match(STAMP, line) for line in lines)
    said = [re.sub(STAMP, "", line, count=1) for line in lines]
    assert re.match(rf"s3haul [\d.]+: cp {SOURCE} .*--external-id EXTERNAL-ID", said[0])
    assert "assumed-role" in said[1]
    assert said[2].startswith("! --include alone")
    assert said[3:] == ran.out.splitlines()
    assert ran.err.splitlines() == said[1:3]
    assert_clean(server, "\n".join(lines).encode(), "the log")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    again = run(SOURCE, str(dest))[1]
    assert again[: len(lines)] == lines
    assert len(again) > len(lines)


def test_in_json_every_line_is_an_event(server, run, dest):
    server.faults.add("error", operation="ListObjectsV2", exactly=1)
    ran, lines = run(SOURCE, str(dest), "--log-format", "json", "--json")
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events][0 :: len(events) - 1] == ["command", "summary"]
    assert {event["schema"] for event in events} == {1}
    assert events[-1]["done"] == ran.summary["done"]
    assert [json.loads(line)["event"] for line in ran.err.splitlines()] == [
        event["event"] for event in events[1:-1]
    ]
    assert "retry" in {event["event"] for event in events}


def test_bars_on_the_terminal_stay_out_of_the_log(server, machine, dest, tmp_path):
    server.faults.add("delay", operation="GetObject", seconds=0.2)
    arguments = ("cp", SOURCE, str(dest), "--profile", "export", "--log-file", str(tmp_path / "log"))
    with Terminal() as terminal:
        with machine.start(*arguments, stderr=terminal.theirs, TERM="xterm") as process:
            terminal.handed_over()
            process.communicate(timeout=30)
        assert "objects 100%" in terminal.finish()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", (tmp_path / "log").read_text())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [((f"{SOURCE}/none", "-"), 6, "[S3H-S3-16]"), (("s3://no-such-bucket", "d"), 6, "[S3H-S3-01]")],
)
def test_the_error_that_ends_a_run_is_in_the_log(run, arguments, code, said):
    ran, lines = run(*arguments)
    assert ran.code == code
    assert any(said in line for line in lines)
    assert "  Fix: " in "\n".join(lines)


def test_a_dry_run_logs_its_estimate(run, dest):
    _, lines = run(SOURCE, str(dest), "--dryrun")
    assert any("60 objects" in line for line in lines)


def test_a_log_file_that_cannot_be_opened_is_an_error_before_any_request(server, machine, dest):
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export", "--log-file", "/nowhere/log")
    assert (ran.code, "/nowhere/log cannot be opened" in ran.err) == (2, True)
    assert not server.calls
    assert not dest.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")  # noqa: PTH110
def test_a_log_file_on_a_full_disk_ends_no_run(machine, dest):
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export", "--log-file", "/dev/full")
    assert ran.code == 0, ran.text
    assert ran.err.count("! The log file /dev/full ends here: No space left on device") == 1
