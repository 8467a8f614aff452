"""`s3haul status` during a run, after it, and after a kill."""

import fcntl
import json
import re
from datetime import datetime, timedelta

from e2e.harness import SOURCE, expected, tree, wait_until
from s3haul.demo import seed


def status(machine, dest) -> dict:
    ran = machine.run("status", str(dest), "--json")
    assert ran.code == 0, ran.text
    return json.loads(ran.out)


def first_objects(machine, dest) -> bool:
    """Whether the journal is there, and says that some object is done."""
    ran = machine.run("status", str(dest), "--json")
    return ran.code == 0 and json.loads(ran.out)["objects"]["done"]["objects"] > 0


def told(machine, dest) -> str:
    ran = machine.run("status", str(dest))
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def test_status_shows_a_run_and_its_end_without_disturbing_it(server, machine, dest):
    key = "data/0/object-0007.bin"
    server.faults.add("error", operation="GetObject", key=key, status=403, code="AccessDenied", message="no")
    server.faults.add("delay", operation="GetObject", glob="data/[1-9]/*", seconds=0.4)
    with machine.start("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "3") as process:
        wait_until(lambda: first_objects(machine, dest), "the first objects")
        during = status(machine, dest)
        assert during["under_way"]
        assert during["holder"].startswith(f"process {process.pid} on ")
        assert 0 < during["objects"]["done"]["objects"] < 59
        assert re.search(rf"run +1, running since .* s\), process {process.pid} on", told(machine, dest))
        server.faults.clear()
        process.communicate(timeout=60)
    assert process.returncode in {0, 1}
    after = status(machine, dest)
    assert (after["under_way"], after["holder"]) == (False, None)
    assert after["source"] == f"s3://{seed.BUCKET}/"
    (run,) = after["runs"]
    begun, ended = datetime.fromisoformat(run["started"]), datetime.fromisoformat(run["ended"])
    assert (begun < ended, begun.utcoffset(), run["complete"]) == (True, timedelta(0), True)
    done = after["objects"]["done"]
    assert (done["objects"], sum(done["by"].values())) == (len(tree(dest)), len(tree(dest)))
    assert done["bytes"] == sum(map(len, tree(dest).values()))
    said = told(machine, dest)
    assert "ended after" in said
    assert f"with exit code {process.returncode}" in said
    assert "listed    60 objects by run 1" in said


def test_failures_are_counted_by_their_reason(server, machine, dest):
    server.cloud.put(seed.BUCKET, "cold.bin", b"cold", storage_class="GLACIER")
    server.cloud.put(seed.BUCKET, "folder/", b"")
    key = "data/0/object-0007.bin"
    server.faults.add("error", operation="GetObject", key=key, status=403, code="AccessDenied", message="no")
    assert machine.cp(dest).code == 1
    said = told(machine, dest)
    assert "failed    1 object, 1.2 KiB (access-denied: 1)" in said
    assert "skipped   1 object, 4 B (archived: 1)" in said
    assert status(machine, dest)["objects"]["done"]["by"] == {"directories": 1, "verified": 59}


def test_a_killed_run_is_distinguished_from_a_running_one(server, machine, dest):
    server.faults.add("delay", operation="GetObject", seconds=5.0, since=10)
    with machine.start("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "4") as process:
        wait_until(lambda: server.count("GetObject") > 10, "the first objects")
        process.kill()
    assert not status(machine, dest)["under_way"]
    assert "was interrupted; the same s3haul cp command resumes" in told(machine, dest)
    server.faults.clear()
    assert machine.cp(dest).code == 0
    assert tree(dest) == expected(server)


def test_a_run_without_a_journal_yet_is_shown_as_starting(machine, dest):
    (dest / ".s3haul").mkdir(parents=True)
    with (dest / ".s3haul/lock").open("w+") as lock:
        lock.write("process 7 on host")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "run       starting, process 7 on host" in told(machine, dest)
        (dest / ".s3haul/journal.sqlite3").touch()
        assert status(machine, dest)["under_way"]
    assert machine.run("status", str(dest)).code == 5


def test_nothing_is_written_where_nothing_was_copied(machine, dest):
    dest.mkdir()
    ran = machine.run("status", str(dest))
    assert (ran.code, "[S3H-DST-04]" in ran.err) == (5, True)
    assert not list(dest.iterdir())
