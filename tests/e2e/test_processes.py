"""The command with engine processes: signals, a killed parent, and what a stranger can see of them."""

import os
import signal
from pathlib import Path

import pytest

from e2e.harness import SOURCE, expected, leftovers, tree, wait_until
from e2e.test_secrets import assert_clean
from s3haul.demo import seed
from s3haul.demo.content import Generated
from scale.harness import engines

LONGEST_END = 5.0  # seconds from the signal to the end of the process
AMBIENT = {"AWS_SECRET_ACCESS_KEY": seed.USER_B_SECRET, "S3HAUL_EXTERNAL_ID": seed.EXTERNAL_ID}


def command(dest, *arguments):
    common = ("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "8")
    return (*common, "--processes", "2", *arguments)


@pytest.fixture
def slow(server):
    """More objects than one process has at hand; the first ones last until there are others."""
    for number in range(240):
        server.cloud.put(seed.BUCKET, f"more/{number:03}", Generated(number, 5000))
    server.faults.add("delay", operation="GetObject", first=8, seconds=1.5)
    server.faults.add("delay", operation="GetObject", seconds=0.2)
    return server


def wait_for_engines(server, process, asked=20):
    wait_until(lambda: server.count("GetObject") > asked, "objects that engine processes fetch")
    found = engines(process.pid)
    assert len(found) == 2
    return found


def gone(pids):
    """Ended; whether init has noticed is its own affair."""
    return not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_signal_to_everybody_ends_the_run_in_order_and_the_same_command_resumes(slow, machine, dest):
    with machine.start(*command(dest, "-v"), **AMBIENT) as process:
        pids = wait_for_engines(slow, process)
        shown = [Path(f"/proc/{pid}/{what}").read_bytes() for pid in pids for what in ("cmdline", "environ")]
        files = [str(link.readlink()) for pid in pids for link in Path(f"/proc/{pid}/fd").iterdir()]
        for pid in [process.pid, *pids]:  # as a service manager does
            os.kill(pid, signal.SIGTERM)
        out, err = process.communicate(timeout=LONGEST_END)
    assert process.returncode == 143, out + err
    assert gone(pids)
    assert "[S3H-RUN-01]" in err
    assert "died" not in err
    assert "processes 2: --processes" in err
    assert leftovers(dest) == []
    asked = {call.key for call in slow.calls if call.operation == "GetObject"}
    assert set(tree(dest)) == asked  # what was under way was finished
    for text in shown:
        assert_clean(slow, text, "what /proc shows of an engine process")
    assert not [name for name in files if "journal" in name]
    slow.faults.clear()
    slow.log.clear()
    ran = machine.haul(dest)
    assert ran.code == 0, ran.text
    assert ran.summary["unchanged"]["objects"] == len(asked)
    assert tree(dest) == expected(slow)


def test_what_a_process_cannot_finish_is_given_up_in_time_and_leaves_nothing(slow, machine, dest):
    slow.faults.add("stall", operation="GetObject", since=12, after=100)
    slow.cloud.put(seed.BUCKET, "data/0/large", Generated(1, 3_000_000))
    with machine.start(*command(dest)) as process:
        pids = wait_for_engines(slow, process, asked=14)
        os.kill(pids[0], signal.SIGSTOP)  # and one does not even hear of it
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONGEST_END + 1.0)
    assert process.returncode == 130, out + err
    assert gone(pids)
    assert leftovers(dest) == []
    slow.faults.clear()
    assert machine.haul(dest).code == 0
    assert tree(dest) == expected(slow)


def test_when_the_parent_is_killed_its_processes_end_and_the_same_command_goes_on_at_once(
    slow, machine, dest
):
    with machine.start(*command(dest)) as process:
        pids = wait_for_engines(slow, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        slow.faults.clear()
        ran = machine.run(*command(dest, "--json"))
    assert ran.code == 0, ran.text
    assert ran.summary["balanced"]
    assert gone(pids)
    assert leftovers(dest) == []
    assert tree(dest) == expected(slow)


def test_the_sdk_transport_works_in_one_process_and_says_so(server, machine, dest):
    ran = machine.run(*command(dest, "-v", "--transport", "sdk"))
    assert ran.code == 0, ran.text
    assert "processes 1: the sdk transport works in one" in ran.err
    assert tree(dest) == expected(server)
