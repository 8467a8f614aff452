"""INT, TERM and HUP in mid-run: an orderly end within seconds, the command that resumes, and it does."""

import re
import shlex
import signal

import pytest

from e2e.harness import SOURCE, expected, leftovers, tree, wait_until
from s3haul.demo import seed
from s3haul.demo.content import Generated

LONGEST_END = 5.0  # seconds from the signal to the end of the process
NOTICE = "once more ends it at once"


def command(dest, *arguments):
    return ("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "4", *arguments)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["int", "term", "hup"],
)
def test_a_signal_ends_the_run_and_the_printed_command_finishes_it(server, machine, dest, number, code):
    server.faults.add("delay", operation="GetObject", seconds=0.3)
    with machine.start(*command(dest, "--external-id", seed.EXTERNAL_ID)) as process:
        wait_until(lambda: server.count("GetObject") > 6, "the first objects")
        process.send_signal(number)
        out, err = process.communicate(timeout=LONGEST_END)
    assert process.returncode == code, out + err
    assert "[S3H-RUN-01]" in err
    assert NOTICE in err
    assert leftovers(dest) == []
    asked = {call.key for call in server.calls if call.operation == "GetObject"}
    assert 0 < len(asked) < len(expected(server))
    # What was under way was finished, and is in the journal.
    assert set(tree(dest)) == asked
    assert f"left      {len(expected(server)) - len(asked)} objects that this run did not reach" in out

    (resume,) = re.findall(r"Resume: s3haul (.+)", err)
    assert seed.EXTERNAL_ID not in out + err
    resume = resume.replace("EXTERNAL-ID", seed.EXTERNAL_ID)
    server.faults.clear()
    server.log.clear()
    ran = machine.run(*shlex.split(resume), "--json")
    assert ran.code == 0, ran.text
    assert ran.summary["unchanged"]["objects"] == len(asked)
    assert server.count("GetObject") == len(expected(server)) - len(asked)
    assert tree(dest) == expected(server)


def test_what_does_not_finish_within_the_grace_period_is_given_up_and_leaves_nothing(server, machine, dest):
    server.cloud.put(seed.BUCKET, "a-large-one", Generated(7, 3_000_000))
    server.faults.add("stall", operation="GetObject", key="a-large-one", after=2_000_000)
    server.faults.add("stall", operation="GetObject", glob="data/*", since=10, after=100)
    with machine.start(*command(dest)) as process:
        wait_until(lambda: server.count("GetObject") > 11, "objects that stall")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONGEST_END)
    assert process.returncode == 130, out + err
    assert leftovers(dest) == []
    assert tree(dest).items() <= expected(server).items()
    server.faults.clear()
    assert machine.cp(dest).code == 0
    assert tree(dest) == expected(server)


def test_a_second_interrupt_exits_at_once(server, machine, dest):
    server.faults.add("stall", operation="GetObject", since=5, after=10)
    with machine.start(*command(dest, "--quiet")) as process:
        wait_until(lambda: server.count("GetObject") > 6, "objects that stall")
        process.send_signal(signal.SIGINT)
        assert NOTICE in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LONGEST_END)
    assert process.returncode == 130
    assert "S3H-RUN-01" not in err  # it did not get to its orderly end
    server.faults.clear()
    assert machine.cp(dest).code == 0
    assert tree(dest) == expected(server)


def test_a_run_that_is_stopped_and_continued_finishes(server, machine, dest):
    server.faults.add("delay", operation="GetObject", seconds=0.1)
    with machine.start(*command(dest, "--json")) as process:
        wait_until(lambda: server.count("GetObject") > 6, "the first objects")
        process.send_signal(signal.SIGTSTP)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err
    assert tree(dest) == expected(server)
