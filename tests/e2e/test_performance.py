"""A run leaves in its journal how it went: enough for the report, and little."""

import signal

from e2e.harness import SOURCE, wait_until
from s3haul.journal import Reader
from s3haul.journal.database import journal_path


def performances(dest):
    with Reader(journal_path(dest)) as reader:
        return [reader.performance(run.number) for run in reader.runs()]


def test_what_a_run_received_ended_and_repeated_is_in_its_samples(server, machine, dest):
    failing = {"operation": "GetObject", "key": "data/0/object-0007.bin"}
    server.faults.add("error", **failing, first=4, status=500, code="InternalError", message="no")
    slow = "data/3/object-0010.bin"
    server.faults.add("delay", operation="GetObject", key=slow, seconds=1.5)
    ran = machine.cp(dest)
    (performance,) = performances(dest)
    total = {
        name: sum(getattr(each, name) for each in performance.samples)
        for name in performance.samples[0]._fields[2:8]
    }
    assert total["objects"] == total["listed"] == ran.summary["selected"]["objects"]
    assert total["bytes"] == ran.summary["done"]["bytes"]
    assert (total["retries"], performance.retries) == (4, {"server-error": 4})
    assert {each.key: each.seconds >= 1.5 for each in performance.slowest}[slow]
    assert {each.prefix for each in performance.prefixes} <= {f"data/{number}/" for number in range(7)}
    assert any(each.first_byte for each in performance.samples)


def test_an_interrupted_run_keeps_its_samples(server, machine, dest):
    server.faults.add("delay", operation="GetObject", seconds=0.5, since=10)
    with machine.start("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "4") as process:
        wait_until(lambda: server.count("GetObject") > 10, "the first objects")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    (performance,) = performances(dest)
    assert sum(each.objects for each in performance.samples) >= 5
