"""The pycurl clients of the benchmarks copy a bucket whose server checks their signatures,
or end with an error."""

import os
import random
import subprocess
import sys

import pytest

from engine.on_demo import empty_server
from rivals import CLIENTS
from s3haul.demo import seed

SIZES = {
    "pycurl_small.py": (0, 1, 4096, 100_000, 5),
    "pycurl_large.py": (1, (16 << 20) - 1, 16 << 20, (16 << 20) + 1),
}


def ran(script, server, destination):
    command = [sys.executable, CLIENTS / script, server.endpoint_url, seed.BUCKET, destination, "4"]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": seed.OWNER_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": seed.OWNER_SECRET,
        "AWS_REGION": seed.REGION,
        "AWS_CA_BUNDLE": str(server.ca_path),
    }
    destination.mkdir()
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def put(server, sizes):
    dice = random.Random(1)
    for number, size in enumerate(sizes):
        body = dice.randbytes(size)
        server.cloud.put(seed.BUCKET, f"{number % 2}/a b+{number}", body, checksum="CRC64NVME", sse="aws:kms")
        yield f"{number % 2}/a b+{number}", body


@pytest.mark.parametrize("script", SIZES)
def test_every_object_is_copied(script, tmp_path):
    with empty_server() as server:
        stored = dict(put(server, SIZES[script]))
        done = ran(script, server, tmp_path / "copy")
    assert (done.returncode, done.stderr) == (0, "")
    files = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "copy")): path.read_bytes() for path in files} == stored


def test_several_pages_of_a_listing_are_copied(tmp_path):
    with empty_server() as server:
        for number in range(1001):
            server.cloud.put(seed.BUCKET, f"{number}", b"x", checksum="CRC64NVME", sse="aws:kms")
        assert ran("pycurl_small.py", server, tmp_path / "copy").returncode == 0
    assert len(list((tmp_path / "copy").iterdir())) == 1001


@pytest.mark.parametrize(
    ("script", "fault", "told"),
    [
        ("pycurl_small.py", ("flip", {}), "other bytes"),
        ("pycurl_small.py", ("error", {"status": 403, "code": "AccessDenied"}), "403"),
        ("pycurl_large.py", ("error", {"status": 500, "code": "InternalError"}), "500"),
    ],
)
def test_a_client_that_cannot_copy_an_object_says_so_and_fails(script, fault, told, tmp_path):
    kind, fields = fault
    with empty_server() as server:
        list(put(server, (4096,)))
        server.faults.add(kind, operation="GetObject", **fields)
        done = ran(script, server, tmp_path / "copy")
    assert done.returncode == 1
    assert told in done.stderr
