"""`s3haul bench` on the embedded cloud: an ordinary run is measured,
within its bounds, and nothing is left."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.harness import SOURCE, bucket, small_cloud, wait_until
from s3haul.demo import seed
from s3haul.demo.server import DemoServer

QUICK = ("--concurrency", "4,8", "--repetitions", "1")
SETTINGS = [("null", 4), ("null", 8), ("memory",), ("disk",)]


@pytest.fixture
def server():
    cloud = small_cloud(20)
    cloud.put(
        seed.BUCKET, "large.bin", b"large" * 600_000, checksum="SHA256", part_sizes=[2_000_000, 1_000_000]
    )
    with DemoServer(cloud) as running:
        yield running


def bench(machine, *arguments: str, **options):
    return machine.run(
        "bench", SOURCE, "--profile", "export", "--dir", str(machine.home), *arguments, **options
    )


def directories(machine) -> list[Path]:
    return [path for place in (machine.home, Path("/dev/shm")) for path in place.glob(".s3haul-bench-*")]


@pytest.fixture
def left_behind(machine) -> Callable[[], list[Path]]:
    """New directories of processes that have ended: the memory is shared with whatever
    else runs or ran here."""
    before = directories(machine)

    def find() -> list[Path]:
        new = [path for path in directories(machine) if path not in before]
        return [path for path in new if not Path("/proc", path.name.split("-")[2]).exists()]

    return find


def test_every_destination_is_measured_with_all_objects_and_nothing_is_left(machine, server, left_behind):
    ran = bench(machine, *QUICK, "--part-size", "1MiB", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    rows = found["results"]
    assert [
        (row["destination"], row["concurrency"])[: len(want)]
        for row, want in zip(rows, SETTINGS, strict=True)
    ] == (SETTINGS)
    assert found["sample"]["objects"] == 21
    assert found["runs"] == {"planned": 5, "made": 5}
    for row in rows:
        assert (row["failed"], row["cut_short"], row["part_size"]) == (0, False, 1 << 20)
        assert row["objects_per_second"]["median"] > 0
        assert row["cpu_cores"]["median"] > 0
        assert row["requests"] >= 21 + 2  # the large one comes in ranges
        assert 0 < row["first_byte_seconds"]["p50"] <= row["total_seconds"]["p99"]
        assert row["connect_seconds"]["p50"] > 0
    assert found["bottleneck"]["why"]
    assert not left_behind()


def test_the_cost_is_printed_before_any_object_is_requested(machine, server):
    variables = {"S3HAUL_PROFILE": "export", "S3HAUL_CONCURRENCY": "7"}  # the second is that of cp
    ran = machine.run("bench", SOURCE, *QUICK, "--dryrun", **variables)
    assert (ran.code, ran.out) == (0, "")
    assert "21 objects" in ran.err
    assert "105 GET" in ran.err
    assert not [call for call in server.calls if call.operation == "GetObject"]


def test_the_table_and_the_markdown_fit_and_name_the_bottleneck(machine):
    ran = bench(machine, *QUICK, "--destinations", "null,disk")
    lines = ran.out.splitlines()
    table = lines[lines.index("") :]
    assert "run 4 of 4: disk" in ran.err
    assert any(line.startswith("Bottleneck: ") for line in lines)
    assert all(len(line) <= 80 for line in [*table, *ran.err.splitlines()])
    ran = bench(machine, *QUICK, "--destinations", "disk", "--markdown", "--quiet")
    assert ran.err == ""
    assert ran.out.count("\n| disk ") == 4
    assert "**Bottleneck: " in ran.out


def test_a_bucket_without_an_object_that_fits_is_an_error_with_a_hint(machine):
    ran = bench(machine, "--max-bytes", "100")
    assert ran.code == 6
    assert "--max-bytes" in ran.err


@pytest.mark.parametrize(
    ("status", "code", "limit"),
    [(503, "SlowDown", "S3 throttling"), (400, "KMS.ThrottlingException", "KMS throttling")],
)
def test_throttling_is_recognised(machine, server, status, code, limit):
    message = "Please reduce the rate."
    server.faults.add("error", operation="GetObject", every=3, status=status, code=code, message=message)
    ran = bench(machine, "--concurrency", "4", "--repetitions", "1", "--destinations", "null", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["bottleneck"]["limit"] == limit


def test_a_sample_of_which_nothing_can_be_read_is_no_measurement(machine, server, left_behind):
    server.faults.add("error", operation="GetObject", status=403, code="AccessDenied", message="no")
    ran = bench(machine, *QUICK, "--destinations", "null", "--json")
    assert (ran.code, ran.out) == (6, "")
    assert "s3haul check says why" in ran.err
    assert not left_behind()


def test_one_object_can_be_measured(machine):
    ran = machine.run(
        "bench", f"{SOURCE}/large.bin", "--profile", "export", *QUICK, "--destinations", "null", "--json"
    )
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert (found["sample"]["objects"], found["listing"]["pages"]) == (1, 0)
    assert found["results"][0]["failed"] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_no_directory_behind(machine, server, number, code, left_behind):
    arguments = ("bench", SOURCE, "--profile", "export", "--dir", str(machine.home), "--repetitions", "100")
    with machine.start(*arguments) as process:
        ours = f"-{process.pid}-"
        wait_until(lambda: [path for path in directories(machine) if ours in path.name], "a run has begun")
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == code
    assert not left_behind()
    assert bucket(server).objects
