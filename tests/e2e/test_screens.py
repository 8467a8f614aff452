"""Whole commands on a terminal of 80 columns: what is left on it in the end, whatever the end is."""

import termios
from pathlib import Path

import pytest

from e2e.harness import SOURCE
from e2e.terminal import OnTerminal
from s3haul.demo import seed
from terminals import same_as_kept

CP = ("cp", SOURCE, "data", "--profile", "export")
CTRL_C = "\x03"


def kept(name: str, terminal: OnTerminal) -> bool:
    same_as_kept(Path(__file__).parent, name, terminal.steady)
    return terminal.clean


def test_a_run_and_the_same_run_again(server, machine):
    server.cloud.put(seed.BUCKET, "odd/../name", b"x")
    terminal = OnTerminal(machine, *CP)
    assert (terminal.end(), kept("finished", terminal)) == (0, True)
    terminal = OnTerminal(machine, *CP)
    assert (terminal.end(), kept("again", terminal)) == (0, True)


def test_a_run_of_which_objects_fail_and_are_skipped(server, machine):
    server.cloud.put(seed.BUCKET, "cold.bin", b"cold", storage_class="GLACIER")
    wrong = {"operation": "GetObject", "key": "data/0/object-0007.bin"}
    server.faults.add(
        "error", **wrong, status=404, code="NoSuchKey", message="The key\x1b[2J does not exist."
    )
    terminal = OnTerminal(machine, *CP)
    assert (terminal.end(), kept("failed", terminal)) == (1, True)


def test_a_run_that_ctrl_c_ends_in_order(server, machine):
    server.faults.add("delay", operation="GetObject", since=5, seconds=30.0)
    terminal = OnTerminal(machine, *CP, "--concurrency", "1")
    terminal.until(terminal.shows("of 60,"))
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    assert terminal.clean
    rows = terminal.steady
    assert rows[1] == "! SIGINT: finishing what is under way, 3 s at most; once more ends it at once"
    assert rows[-4:] == [
        "x Interrupted   [S3H-RUN-01]",
        "  Fix: the same command again resumes",
        "  More: s3haul help S3H-RUN-01",
        "  Resume: s3haul cp s3://demo-export data --profile export --concurrency 1",
    ]


def test_a_run_that_a_second_ctrl_c_ends_at_once(server, machine):
    server.faults.add("delay", operation="GetObject", seconds=30.0)
    terminal = OnTerminal(machine, *CP)
    terminal.until(terminal.shows("of 60,"))
    terminal.type(CTRL_C)
    terminal.until(terminal.shows("once more ends it"))
    terminal.type(CTRL_C)
    assert (terminal.end(), kept("ended-at-once", terminal)) == (130, True)


@pytest.mark.parametrize(
    "command",
    [("cp", SOURCE, "dest"), ("cluster", "plan", SOURCE, "dest", "--run", "run")],
    ids=["cp", "plan"],
)
def test_ctrl_c_where_an_mfa_code_is_asked_for_ends_the_command_and_leaves_the_echo_on(machine, command):
    config = machine.home / "config"
    config.write_text(
        config.read_text().replace("role_session", "mfa_serial = arn:aws:iam::2:mfa/b\nrole_session")
    )
    terminal = OnTerminal(machine, *command, "--profile", "export")
    terminal.until(terminal.shows("MFA code for"))
    terminal.type("\x03")
    terminal.until(lambda: False)
    assert termios.tcgetattr(terminal._fd)[3] & termios.ECHO
    assert terminal.end() == 130


def test_a_slow_listing_shows_no_percentage(server, machine):
    server.faults.add("delay", operation="ListObjectsV2", seconds=2.5)
    terminal = OnTerminal(machine, *CP, "--page-size", "20")
    terminal.until(terminal.shows("listing  nothing found yet"))
    terminal.until(terminal.shows("of 19+, "))
    assert not any("%" in row or " left" in row for row in terminal.rows)
    assert terminal.end() == 0


def test_a_stop_of_the_service_is_seen_with_its_cause(server, machine):
    busy = {"status": 503, "code": "SlowDown", "message": "Please reduce your request rate."}
    server.faults.add("error", operation="GetObject", since=20, **busy)
    terminal = OnTerminal(machine, *CP)
    terminal.until(terminal.shows("(throttled)"))
    assert any(row.startswith("         throttled, ") for row in terminal.rows)
    server.faults.clear()
    assert (terminal.end(), terminal.clean) == (0, True)


def test_verify_of_a_damaged_file_and_a_dry_run(server, machine):
    assert OnTerminal(machine, *CP).end() == 0
    (machine.home / "data/data/2/object-0002.bin").write_bytes(b"rotten")
    terminal = OnTerminal(machine, "verify", "data")
    assert (terminal.end(), kept("verify", terminal)) == (1, True)
    terminal = OnTerminal(machine, *CP, "--dryrun", "--exclude", "*", "--include", "data/2/*2.bin")
    assert terminal.end() == 0
    assert (
        terminal.rows[0] == "(dryrun) download: s3://demo-export/data/2/object-0002.bin to data/data/2/object"
    )
    assert terminal.clean


def test_a_command_line_that_is_not_understood(machine):
    for name, words in {
        "usage": ["cp"],
        "swapped": ["cp", "data", SOURCE],
        "sync": ["sync", SOURCE, "data"],
    }.items():
        terminal = OnTerminal(machine, *words)
        assert (terminal.end(), kept(name, terminal)) == (2, True)
