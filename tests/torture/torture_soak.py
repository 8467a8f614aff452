"""A long run at a low rate, with faults and short sessions: memory and open files do not grow.

`S3HAUL_SOAK_SECONDS` (3600) says how long.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from e2e.harness import SOURCE, Machine
from s3haul.demo import seed
from s3haul.demo.content import Generated
from s3haul.demo.server import DemoServer

SECONDS = float(os.environ.get("S3HAUL_SOAK_SECONDS", "3600"))
RATE = 50  # requests a second
EVERY = 5.0  # seconds between two samples
ROOM = 8 << 20  # bytes that memory may grow after the first quarter
FAULTS = (
    ("error", {"status": 500, "code": "InternalError"}, 97),
    ("error", {"status": 503, "code": "SlowDown"}, 101),
    ("reset", {"after": 100}, 103),
    ("flip", {}, 499),
)


def sample(pid: int) -> tuple[int, int]:
    """Resident memory in bytes and the number of open files of a process (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) << 10, len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.timeout(2 * int(SECONDS) + 600)
def test_p6_memory_and_open_files_stay_flat_in_a_long_run_with_faults(tmp_path):
    count = int(SECONDS * RATE * 0.95)
    cloud = seed.standard_cloud()
    cloud.session_seconds, cloud.announce_session_seconds = 60, True
    for number in range(count):
        cloud.put(seed.BUCKET, f"d/{number:07}", Generated(number, 3_000))
    with DemoServer(cloud) as server:
        for effect, fields, every in FAULTS:
            server.faults.add(effect, operation="GetObject", every=every, **fields)
        machine, samples = Machine(server, tmp_path), []
        arguments = ("cp", SOURCE, str(tmp_path / "dest"), "--profile", "export", "--json", "--no-progress")
        with machine.start(*arguments, "--max-rps", str(RATE), stderr=subprocess.DEVNULL) as run:
            began = time.monotonic()
            while run.poll() is None:
                samples.append(sample(run.pid))
                time.sleep(EVERY)
            out, _ = run.communicate()
        seconds, sessions = time.monotonic() - began, server.count("AssumeRole")
    early, late = samples[len(samples) // 4], samples[-2]
    print(
        f"{seconds:.0f} s, {count} objects, {sessions} sessions: memory {early[0] >> 20} MiB after a quarter, "
        f"{late[0] >> 20} MiB at the end; open files {early[1]} and {late[1]}"
    )
    summary = json.loads(out)
    assert (run.returncode, summary["failed"]) == (0, [])
    assert late[0] <= early[0] + ROOM
    assert late[1] <= early[1] + 16
