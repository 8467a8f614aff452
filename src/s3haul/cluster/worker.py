"""A worker process: attempts come in on stdin, one a line ("SHARD NUMBER"), and are answered on stdout when they have
ended. `python -m s3haul.cluster.worker RUN LOCAL SHARERS`; the driver starts it.

It needs no orderly end. When stdin ends, the driver is gone or wants no more: the process ends at once, in the middle
of whatever it does, as it may by a kill. After an error it ends as well, and the next one starts from scratch.
"""

import asyncio
import os
import random
import sys
import threading
from pathlib import Path

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.node import open_node
from s3haul.cluster.records import Report
from s3haul.cluster.schedule import Attempt
from s3haul.cluster.shard import attempt_shard
from s3haul.engine.loop import run_loop
from s3haul.errors import S3HaulError

JITTER_EACH, LONGEST_JITTER = 0.02, 60.0  # seconds for each of the workers that start together


class _Input:
    """Lines of stdin, read in a thread of its own, which ends the process when there are no more."""

    def __init__(self) -> None:
        self.attempts: asyncio.Queue[Attempt] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), daemon=True).start()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in sys.stdin:
            shard, number = map(int, line.split())
            loop.call_soon_threadsafe(self.attempts.put_nowait, Attempt(shard, number))
        os._exit(0)


async def work(directory: RunDirectory, local: Path, sharers: int) -> None:
    """Until stdin ends. Raises `S3HaulError` for the attempt that ended with it."""
    given, run = _Input(), directory.describe()
    attempt = await given.attempts.get()
    await asyncio.sleep(random.random() * start_jitter(sharers))  # noqa: S311 - no secret
    try:
        async with open_node(directory, run, local, sharers=sharers) as node:
            while True:
                await attempt_shard(node, attempt)
                sys.stdout.write(f"{attempt.shard} {attempt.number}\n")
                sys.stdout.flush()
                attempt = await given.attempts.get()
    except S3HaulError as error:
        tell(directory, attempt, error)
        raise


def start_jitter(workers: int) -> float:
    """Seconds over which so many workers spread their first call of STS."""
    return min(LONGEST_JITTER, JITTER_EACH * (workers - 1))


def tell(directory: RunDirectory, attempt: Attempt, error: S3HaulError) -> None:
    """The last report of an attempt, where it could not say it itself, since it was not open yet."""
    last = directory.last_report(attempt)
    if last is None or not last.ended:
        shard, number = attempt
        report = Report(shard=shard, attempt=number, node=os.uname().nodename, pid=os.getpid(), sequence=0)
        directory.report((last or report).failed(error))


def main() -> None:
    root, local, sharers = sys.argv[1:]
    try:
        run_loop(work(RunDirectory(Path(root)), Path(local), int(sharers)))
    except S3HaulError as error:
        sys.exit(f"{error.id}: {error.message}")


if __name__ == "__main__":
    main()
