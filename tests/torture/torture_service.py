"""Outages, storms and short sessions, with the real command, sockets and time. Nothing fails,
and few requests are made.

`S3HAUL_OUTAGE_SECONDS` (120), `S3HAUL_STORM_SECONDS` (600), `S3HAUL_SESSION_SECONDS` (300) and
`S3HAUL_WORKER_SECONDS` (180) say how long.
"""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from cluster.harness import Cluster
from e2e.harness import SOURCE, Machine, bucket
from s3haul.demo import seed
from s3haul.demo.content import Generated
from s3haul.demo.server import DemoServer
from torture.forwarder import Forwarder

OUTAGE = float(os.environ.get("S3HAUL_OUTAGE_SECONDS", "120"))
STORM = float(os.environ.get("S3HAUL_STORM_SECONDS", "600"))
SESSIONS = float(os.environ.get("S3HAUL_SESSION_SECONDS", "300"))
WORKERS = float(os.environ.get("S3HAUL_WORKER_SECONDS", "180"))
OBJECTS = 2_500
OUTAGES = {
    "500": ("error", {"status": 500, "code": "InternalError"}),
    "503": ("error", {"status": 503, "code": "SlowDown"}),
    "reset": ("reset", {"after": 0}),
    "close": ("close", {}),
    "hang": ("stall", {"after": 0}),
    "refused": None,  # nothing listens any more
}


@pytest.fixture
def server():
    cloud = seed.standard_cloud()
    for number in range(OBJECTS):
        cloud.put(seed.BUCKET, f"d/{number:05}", Generated(number, 2_000))
    with DemoServer(cloud) as running:
        yield running


@pytest.fixture
def machine(server, tmp_path):
    return Machine(server, tmp_path)


@contextmanager
def interrupted(server, host, kind):
    """The outage, while the block runs."""
    if OUTAGES[kind] is None:
        host.refuse()
    else:
        effect, more = OUTAGES[kind]
        server.faults.add(effect, operation="GetObject", **more)
    try:
        yield
    finally:
        server.faults.clear()
        if OUTAGES[kind] is None:
            host.accept()


def outage(server, machine, dest, kind, seconds):
    """A run with an outage after 500 objects: its exit code, its summary,
    and seconds from its end to the run's."""
    with Forwarder(urlsplit(server.endpoint_url).port) as host:
        machine.configure(endpoint_url=f"https://127.0.0.1:{host.port}")
        with machine.start("cp", SOURCE, str(dest), "--profile", "export", "--json", "--no-progress") as run:
            while server.count("GetObject") < 500 and run.poll() is None:
                time.sleep(0.005)
            with interrupted(server, host, kind):
                time.sleep(seconds)
            began = time.monotonic()
            out, _ = run.communicate(timeout=seconds + 300)
    return run.returncode, json.loads(out), time.monotonic() - began


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", OUTAGES)
def test_p2_an_outage_fails_no_object_and_costs_few_requests(server, machine, tmp_path, kind):
    code, summary, after = outage(server, machine, tmp_path / "dest", kind, OUTAGE)
    requests = server.count("GetObject")
    print(f"{kind} for {OUTAGE:.0f} s: exit {code}, {requests} requests, done {after:.1f} s after it")
    assert (code, summary["done"]["objects"], summary["failed"]) == (0, len(bucket(server).objects), [])
    assert requests <= 1.5 * (OBJECTS + 2 * OUTAGE)


@pytest.mark.timeout(3600)
def test_p2_a_long_series_of_503_fails_no_object_and_causes_two_requests_per_second(
    server, machine, tmp_path
):
    code, summary, after = outage(server, machine, tmp_path / "dest", "503", STORM)
    requests = server.count("GetObject")
    print(f"503 for {STORM:.0f} s: exit {code}, {requests} requests, done {after:.1f} s after it")
    assert (code, summary["failed"]) == (0, [])
    assert requests <= 1.5 * (OBJECTS + 2 * STORM)


@pytest.mark.timeout(3600)
def test_p2_sessions_of_15_seconds_lose_nothing_and_each_is_renewed_once(server, machine, tmp_path):
    server.cloud.session_seconds, server.cloud.announce_session_seconds = 15, True
    server.faults.add("delay", operation="GetObject", seconds=SESSIONS * 8 / OBJECTS)
    arguments = ("cp", SOURCE, str(tmp_path / "dest"), "--profile", "export", "--json", "--concurrency", "8")
    began = time.monotonic()
    with machine.start(*arguments, stderr=subprocess.DEVNULL) as run:
        out, _ = run.communicate(timeout=4 * SESSIONS + 300)
    seconds, renewals = time.monotonic() - began, server.count("AssumeRole")
    print(f"{seconds:.0f} s with sessions of 15 s: exit {run.returncode}, {renewals} sessions")
    assert (run.returncode, json.loads(out)["failed"]) == (0, [])
    assert renewals <= 2 + seconds / 10


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
@pytest.mark.parametrize("broker", [(), ("--broker",)], ids=["own", "broker"])
def test_p2_two_workers_outlast_sessions_of_60_seconds_in_the_middle_of_their_shards(
    server, machine, tmp_path, broker, announced
):
    server.cloud.session_seconds, server.cloud.announce_session_seconds = 60, announced
    cluster = Cluster(machine, tmp_path)
    cluster.plan("--shard-objects", str(OBJECTS // 2 + 1), "--concurrency", "4")
    server.faults.add("delay", operation="GetObject", seconds=WORKERS * 8 / OBJECTS)
    before, began = server.count("AssumeRole"), time.monotonic()
    with machine.start(*cluster.command("run", *cluster.workers, "--json", *broker)) as run:
        out, said = run.communicate(timeout=4 * WORKERS + 300)
    seconds, renewals = time.monotonic() - began, server.count("AssumeRole") - before
    print(f"{seconds:.0f} s with sessions of 60 s: exit {run.returncode}, {renewals} sessions")
    assert (run.returncode, json.loads(out)["problems"]) == (0, {}), said
    cluster.assert_exact()
    assert cluster.do("report", "--json").summary["attempts"] == {}, "no shard was tried again for it"
    assert renewals <= (1 if broker else 2) * (2 + seconds / 45)
