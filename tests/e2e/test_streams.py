"""Standard streams that are closed, full or gone, and what a terminal gets that a pipe does not."""

import contextlib
import json
import os
import pty
import re
import signal
import termios
import threading
from pathlib import Path

import pyte
import pytest

from e2e.harness import ACCIDENTS, SOURCE, expected, tree, wait_until
from s3haul.demo import seed

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f]")


def copy(machine, dest, *arguments, **options):
    return machine.run("cp", SOURCE, str(dest), "--profile", "export", *arguments, **options)


def on_screen(written: str) -> list[str]:
    """The lines that a person sees on a terminal of 120 columns."""
    screen = pyte.Screen(120, 40)
    pyte.Stream(screen).feed(written)
    return [line.rstrip() for line in screen.display if line.strip()]


class Terminal:
    """A pseudo-terminal whose screen is read in a thread. `hang_up` closes it under the program."""

    def __enter__(self):
        self._ours, self.theirs = pty.openpty()
        termios.tcsetwinsize(self.theirs, (40, 120))
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _read(self):
        with contextlib.suppress(OSError):  # EIO: the last program has closed its side
            while chunk := os.read(self._ours, 65536):
                self._chunks.append(chunk)

    def handed_over(self):
        """Only the program holds the terminal from here on."""
        os.close(self.theirs)
        self.theirs = -1

    def hang_up(self):
        os.close(self._ours)
        self._ours = -1

    def __exit__(self, *_):
        for fd in (self.theirs, self._ours):
            if fd >= 0:
                os.close(fd)
        self._thread.join(10)

    @property
    def screen(self) -> str:
        return b"".join(self._chunks).decode()

    def finish(self) -> str:
        """What was written until the program closed its side."""
        self._thread.join(10)
        return self.screen


def test_on_a_terminal_bars_show_bytes_and_objects_and_leave_a_clean_line(server, machine, dest):
    server.faults.add("delay", operation="GetObject", seconds=0.4)
    key = "data/0/object-0007.bin"
    server.faults.add("error", operation="GetObject", key=key, status=403, code="AccessDenied", message="no")
    with Terminal() as terminal:
        arguments = ("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "16")
        with machine.start(*arguments, stderr=terminal.theirs, TERM="xterm") as process:
            terminal.handed_over()
            out, _ = process.communicate(timeout=30)
        screen = terminal.finish()
    assert process.returncode == 1
    shown = on_screen(screen)
    assert len(shown) == 4, shown  # who calls, two bars and a remark; nothing of the frames before
    assert re.match(r"arn:aws:sts::\d+:assumed-role/.* at https://", shown[0])
    assert re.match(r"bytes   \d+%\|.*\| \d+ KiB of \d+ KiB, ", shown[1])
    assert re.match(r"objects 100%\|█+\| 60 of 60, ", shown[2])
    assert shown[3] == "         1 failed"
    assert screen.endswith("\n")
    assert not any(word in screen for word in ACCIDENTS)
    assert not CONTROL.search(out)


def test_off_a_terminal_nothing_moves_the_cursor(server, machine, dest):
    ran = copy(machine, dest)
    assert ran.code == 0
    assert not CONTROL.search(ran.text)
    assert f"assumed-role/{seed.ROLE_NAME}" in ran.err
    assert server.endpoint_url in ran.err


@pytest.mark.parametrize("flags", [("--quiet", "--json"), ("--no-progress",)])
def test_quiet_says_nothing_and_no_progress_shows_no_bars(server, machine, dest, flags):
    with Terminal() as terminal:
        with machine.start(
            "cp", SOURCE, str(dest), "--profile", "export", *flags, stderr=terminal.theirs, TERM="xterm"
        ) as process:
            terminal.handed_over()
            out, _ = process.communicate(timeout=30)
        screen = terminal.finish()
    assert process.returncode == 0
    assert "bytes" not in screen
    assert "objects" not in screen
    if "--quiet" in flags:
        assert screen == ""
    assert out
    if "--json" in flags:
        assert json.loads(out)["exit_code"] == 0


def test_a_terminal_that_is_closed_during_the_run_does_not_end_it(server, machine, dest):
    server.faults.add("delay", operation="GetObject", seconds=0.4)
    arguments = ("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "8")
    # It is not the controlling terminal, so no SIGHUP comes: only writes fail.
    with Terminal() as terminal, machine.start(*arguments, stderr=terminal.theirs, TERM="xterm") as process:
        terminal.handed_over()
        wait_until(lambda: "objects" in terminal.screen, "the bars")
        terminal.hang_up()
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "done      60 objects" in out
    assert tree(dest) == expected(server)


def test_streams_that_are_closed_from_the_start_do_not_affect_a_run(server, machine, dest):
    ran = copy(machine, dest, wrapper=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    assert (ran.code, ran.text) == (0, "")
    assert tree(dest) == expected(server)


def test_an_object_for_a_stdout_that_is_closed_is_an_error(machine):
    closed = ["sh", "-c", 'exec "$@" >&-', "sh"]
    ran = machine.run("cp", f"{SOURCE}/data/0/object-0007.bin", "-", "--profile", "export", wrapper=closed)
    assert (ran.code, "Standard output is closed" in ran.err) == (5, True)


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--help",), ("--version",), ("cp", "--help"), ("help", "names"), ("cluster",), ("manifest",)),
        ("check", SOURCE, "--profile", "export"),
    ],
)
def test_output_that_cannot_be_written_is_exit_code_5_for_every_command(machine, dest, arguments):
    if arguments == ("manifest",):
        assert copy(machine, dest).code == 0
        arguments = ("manifest", str(dest))
    for redirection, message in ((">/dev/full", "No space left on device"), (">&-", "output is closed")):
        ran = machine.run(*arguments, wrapper=["sh", "-c", f'exec "$@" {redirection}', "sh"])
        assert (ran.code, message in ran.err) == (5, True), ran.text


def test_a_reader_of_progress_that_leaves_does_not_end_the_run(server, machine, dest):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = copy(machine, dest, "--log-format", "json", stderr=writing)
    finally:
        os.close(writing)
    assert ran.code == 0
    assert tree(dest) == expected(server)


def test_if_standard_output_is_on_a_full_disk_the_run_reports_it_and_the_files_are_complete(
    server, machine, dest
):
    with Path("/dev/full").open("w") as full:
        ran = copy(machine, dest, stdout=full)
    assert ran.code == 5, ran.text
    assert "Cannot write to standard output: No space left on device" in ran.err
    assert tree(dest) == expected(server)


def test_a_reader_of_the_manifest_may_leave_early(server, machine, dest):
    for number in range(300):  # more lines than a pipe holds
        server.cloud.put(seed.BUCKET, f"more/{number}", b"")
    assert copy(machine, dest).code == 0
    reading, writing = os.pipe()
    with machine.start("manifest", str(dest), stdout=writing) as process:
        os.close(writing)
        assert os.read(reading, 10)
        os.close(reading)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGPIPE
    assert err == ""
    pipeline = ["sh", "-c", '"$@" | head -1', "sh"]
    ran = machine.run("manifest", str(dest), wrapper=pipeline)
    assert ran.err == ""
    assert json.loads(ran.out)["state"] == "done"
