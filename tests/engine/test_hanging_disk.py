"""A disk that never answers does not go unnoticed (P9): it is said, and ends the run with exit code 5."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contract.memory import MemoryStore, stored
from engine.harness import run_once
from s3haul.disk import Destination
from s3haul.disk.destination import UnderWay
from s3haul.errors import DestinationError
from s3haul.events import Warned

TESTS = Path(__file__).parent.parent

HANGING = """
import asyncio, sys, time
from pathlib import Path
from contract.memory import MemoryStore, stored
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.engine import interruption
from s3haul.engine.run import Job, run_job
from s3haul.journal import SourceIdentity
from s3haul.options import SourceOptions, TransferOptions

interruption.LIMIT = 0.2
Destination.write_file = lambda self, *_: self.under_way.__enter__() or time.sleep(3600)

async def main():
    with Destination.open(Path(sys.argv[1])) as destination:
        destination.lock()
        job = Job(store=MemoryStore({"k": stored(b"x")}), credentials=None, destination=destination,
                  source=SourceOptions(bucket="bucket"), identity=SourceIdentity("bucket", "", "memory"),
                  options=TransferOptions(stall_timeout=0.1, retry_timeout=0.5))
        await run_job(job, Stats(), lambda event: print(event, flush=True))

asyncio.run(main())
"""


async def test_p9_a_disk_that_hangs_is_reported_and_ends_the_run(tmp_path, monkeypatch):
    released, write_file = threading.Event(), Destination.write_file

    def hang(self, path, body, mtime):
        with self.under_way:
            released.wait(60)
        write_file(self, path, body, mtime)

    monkeypatch.setattr(Destination, "write_file", hang)
    events = []

    class Watching(list):
        def append(self, event):
            events.append(event)
            if isinstance(event, Warned) and event.id == "S3H-DST-13":
                threading.Timer(1.5, released.set).start()

    with pytest.raises(DestinationError, match="has not answered") as caught:
        await run_once(
            MemoryStore({"k": stored(b"x")}),
            tmp_path,
            stall_timeout=0.5,
            retry_timeout=1.5,
            events=Watching(),
        )
    assert (caught.value.exit_code, caught.value.id) == (5, "S3H-DST-13")
    assert any("the run waits" in event.message for event in events if isinstance(event, Warned))


def test_p9_the_process_ends_although_its_threads_hang(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path / "dest")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(TESTS)},
    )
    assert (ran.returncode, "the run ends" in ran.stdout) == (5, True), ran.stderr


def test_the_oldest_operation_is_the_longest():
    now = [0.0]
    under_way = UnderWay(lambda: now[0])
    with under_way:
        now[0] = 5.0
        other = threading.Thread(target=under_way.__enter__)
        other.start()
        other.join()
        now[0] = 7.0
        assert under_way.longest() == 7.0
    assert under_way.longest() == 2.0
