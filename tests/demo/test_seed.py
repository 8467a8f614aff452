"""The demo bucket, and the server as a process of its own."""

import json
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from demo.harness import Clients
from s3haul.demo import seed
from s3haul.demo.server import DemoServer


def test_the_demo_bucket_holds_one_of_everything_and_every_byte_is_readable() -> None:
    cloud = seed.demo_cloud()
    bucket = cloud.buckets[seed.BUCKET]
    objects = [bucket.current(key) for key in bucket.sorted_keys()]
    found = [stored for stored in objects if stored is not None]
    assert 1_900 <= len(found) <= 2_100
    assert 100e6 <= sum(stored.size for stored in found) <= 200e6
    assert {stored.sse for stored in found} == {"aws:kms"}
    kinds = Counter((s.checksum.algorithm, s.checksum.type) if s.checksum else None for s in found)
    assert kinds[None] == 3
    assert {("SHA512", "FULL_OBJECT"), ("XXHASH3", "FULL_OBJECT"), ("MD5", "FULL_OBJECT")} <= kinds.keys()
    composite = {kind[0] for kind in kinds if kind is not None and kind[1] == "COMPOSITE"}
    assert composite == {"CRC32", "CRC32C", "SHA1", "SHA256"}
    assert Counter(s.storage_class for s in found)["GLACIER"] == 2
    now = cloud.clock()
    assert [s.key for s in found if s.archived(now)] == ["archive/frozen.bin"]
    assert {"../../etc/passwd", "/lead", "a//b", "dir/", "hostile/beside", "hostile/beside/child"} <= set(
        bucket.objects
    )
    assert all(len(key.encode()) <= 1024 for key in bucket.objects)
    assert max(len(key.encode()) for key in bucket.objects) == 1024
    again = seed.demo_cloud().buckets[seed.BUCKET]
    for stored in found[::100]:
        twin = again.current(stored.key)
        assert twin is not None
        assert twin.content.read(0, 1000) == stored.content.read(0, 1000)


def test_an_exported_demo_bucket_matches_its_checksums() -> None:
    with DemoServer(seed.demo_cloud()) as server:
        clients = Clients(server)
        s3 = clients.s3()
        for prefix in ("checksums/", "multipart/", "dir", "encoded/"):
            for entry in s3.list_objects_v2(Bucket=seed.BUCKET, Prefix=prefix)["Contents"]:
                got = s3.get_object(Bucket=seed.BUCKET, Key=entry["Key"], IfMatch=entry["ETag"])
                assert len(got["Body"].read()) == entry["Size"]
        clients.close()


@pytest.mark.parametrize("text", ["demo:1", "bench", "bench:1", "other", ""])
def test_a_seed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no such seed"):
        seed.cloud_for(text)


@pytest.fixture
def process(tmp_path: Path) -> Any:
    """A server process with its announcement."""
    path = tmp_path / "announced.json"
    command = [sys.executable, "-m", "s3haul.demo.server", "--announce", str(path), "--seed", "bench:20:100"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield running, json.loads(path.read_text())
    finally:
        running.kill()
        running.wait()
        assert running.stdin is not None
        running.stdin.close()


def test_a_process_announces_itself_and_serves(process: Any) -> None:
    _, told = process
    assert told["endpoint_url"].startswith("https://127.0.0.1:")
    assert (told["bucket"], told["role_arn"], told["objects"]) == (seed.BUCKET, seed.ROLE_ARN, 20)
    assert told["external_id"] == seed.EXTERNAL_ID
    assert told["credentials"]["access_key_id"] == seed.USER_B_KEY_ID
    assert told["region"] == "us-east-1"
    context = ssl.create_default_context(cafile=told["ca_path"])
    with urllib.request.urlopen(told["endpoint_url"] + "/_demo/calls", context=context, timeout=10) as answer:
        assert json.load(answer)["operations"] == {}


def test_a_process_stops_on_sigterm_and_takes_its_certificate_along(process: Any) -> None:
    running, told = process
    running.send_signal(signal.SIGTERM)
    assert running.wait(10) == 0
    assert not Path(told["ca_path"]).exists()


def test_a_process_stops_when_its_input_ends(process: Any) -> None:
    running, _ = process
    running.stdin.close()
    assert running.wait(10) == 0


def test_a_process_stops_when_its_parent_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "announced.json"
    script = (
        "import subprocess, sys, os, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 's3haul.demo.server', '--announce', sys.argv[1],"
        " '--seed', 'empty'], stdin=subprocess.DEVNULL)\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.02)\n"
        "print(p.pid, flush=True)\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=30, check=True
    )
    child = int(made.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.05)


def test_a_server_certificate_is_for_loopback_and_no_other_name(server: DemoServer) -> None:
    assert Path(str(server.ca_path)).exists()
    context = ssl.create_default_context(cafile=server.ca_path)
    url = server.endpoint_url + "/_demo/calls"
    with urllib.request.urlopen(url, context=context, timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(url.replace("127.0.0.1", "localhost"), context=context, timeout=10) as answer:
        assert answer.status == 200
    with DemoServer(names=("elsewhere.example",)) as other:
        trusting = ssl.create_default_context(cafile=other.ca_path)
        with pytest.raises(OSError, match=r"certificate is not valid for|mismatch"):
            urllib.request.urlopen(other.endpoint_url + "/_demo/calls", context=trusting, timeout=10)
