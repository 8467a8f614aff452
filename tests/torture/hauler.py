"""A program to be killed: the real engine, journal and disk, fed from memory. `hauler.py DEST COUNT [stop]`.

With `stop` it stops itself once everything is loaded, for a tracer to take hold of it.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from contract.memory import MemoryStore, StoredObject, stored
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.engine import run
from s3haul.engine.run import Job, run_job
from s3haul.journal import SourceIdentity
from s3haul.options import RangeOptions, SourceOptions, TransferOptions

RANGES = RangeOptions(above=20_000, smallest=10_000, largest=10_000, block=5_000)


def objects(count: int) -> dict[str, StoredObject]:
    """Small ones, and every eighth one in ranges; the same in every process."""
    return {
        f"{n % 3}/{n:04}": stored((b"%06d" % n) * (7_000 if n % 8 == 7 else 50 + n), last_modified=1e9 + n)
        for n in range(count)
    }


async def main(root: Path, count: int) -> int:
    stats = Stats()
    with Destination.open(root) as destination:
        destination.lock()
        job = Job(
            store=MemoryStore(objects(count)),
            credentials=None,
            destination=destination,
            source=SourceOptions(bucket="bucket"),
            identity=SourceIdentity("bucket", "", "memory"),
            options=TransferOptions(concurrency=4, ranges=RANGES),
            handle_signals=False,
        )
        await run_job(job, stats, stats.observe)
    return stats.exit_code


if __name__ == "__main__":
    run.FILE_THREADS = 2  # their calls are counted thread by thread
    if sys.argv[3:] == ["stop"]:
        os.kill(os.getpid(), signal.SIGSTOP)
    raise SystemExit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]))))
