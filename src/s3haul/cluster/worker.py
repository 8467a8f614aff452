"""A worker process: started by a driver (`python -m s3haul.cluster.worker RUN LOCAL SHARERS BROKER`), or an array job
without one.

The driver writes attempts to stdin, one per line ("SHARD NUMBER"); the worker writes those that have succeeded to
stdout. When stdin ends, the driver has ended or needs no more work: the process exits at once, even during an attempt,
as if it were killed. After an error it exits too, and the driver starts a new one.
"""

import asyncio
import os
import random
import sys
import threading
from pathlib import Path

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.records import Marker, Report, RunDescription
from s3haul.cluster.schedule import Attempt
from s3haul.cluster.shard import Node, attempt_shard, open_node
from s3haul.concurrency import run_loop
from s3haul.errors import S3HaulError, UsageError

JITTER_EACH, LONGEST_JITTER = 0.02, 60.0  # seconds, for each of the workers that start together


class _Input:
    """Reads attempts from stdin in a thread, and exits the process when stdin ends."""

    def __init__(self) -> None:
        self.attempts: asyncio.Queue[Attempt] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), daemon=True).start()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in sys.stdin:
            shard, number = map(int, line.split())
            loop.call_soon_threadsafe(self.attempts.put_nowait, Attempt(shard, number))
        os._exit(0)


async def work(directory: RunDirectory, local: Path, sharers: int, broker: str) -> None:
    """Run attempts until stdin ends. Raises the `S3HaulError` of the first attempt that fails."""
    given, run = _Input(), directory.describe()
    attempt = await given.attempts.get()
    await asyncio.sleep(random.random() * start_jitter(sharers))  # noqa: S311 - no secret
    try:
        async with open_node(directory, run, local, sharers=sharers, broker=broker) as node:
            while True:
                await attempt_shard(node, attempt)
                sys.stdout.write(f"{attempt.shard} {attempt.number}\n")
                sys.stdout.flush()
                attempt = await given.attempts.get()
    except S3HaulError as error:
        report_failure(directory, attempt, error)
        raise


def start_jitter(workers: int) -> float:
    """Seconds over which so many workers spread their first call of STS."""
    return min(LONGEST_JITTER, JITTER_EACH * (workers - 1))


def report_failure(directory: RunDirectory, attempt: Attempt, error: S3HaulError) -> None:
    """Write the last report of an attempt that could not write it, because its node was not open yet."""
    last = directory.last_report(attempt)
    if last is None or not last.ended:
        shard, number = attempt
        report = Report(shard=shard, attempt=number, node=os.uname().nodename, pid=os.getpid(), sequence=0)
        directory.report((last or report).failed(error))


def main() -> None:
    root, local, sharers, broker = sys.argv[1:]
    try:
        run_loop(work(RunDirectory(Path(root)), Path(local), int(sharers), broker))
    except S3HaulError as error:
        sys.exit(f"{error.id}: {error.message}")


async def work_on_shards(
    directory: RunDirectory, local: Path, shards: list[int], *, sharers: int
) -> list[Marker]:
    """Haul these shards, one after another, without a driver: for array jobs. Finished ones are skipped. Returns all
    markers. If a shard fails, the others are still tried; then the first `S3HaulError` is raised."""
    run = directory.describe()
    left = [shard for shard in shards if not directory.is_done(shard)]
    if left:
        async with open_node(directory, run, local, sharers=sharers, driven=False) as node:
            await _attempt_all(node, left)
    return [directory.marker(shard) for shard in shards]


async def _attempt_all(node: Node, shards: list[int]) -> None:
    failed: S3HaulError | None = None
    for shard in shards:
        try:
            await attempt_shard(node, node.directory.claim_next(Attempt(shard, 1)))
        except S3HaulError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def forget_node(directory: RunDirectory, run: RunDescription, node: str) -> int:
    """The disk of a node is lost: mark its shards as not finished. Returns how many. A worker that still runs on that
    node cannot finish them. Raises `UsageError` if the nodes share one destination."""
    if not run.node_local:
        raise UsageError("The objects are in one place for all nodes: none is lost with a node.")
    markers = [directory.marker(shard) for shard in sorted(directory.done())]
    lost = [marker for marker in markers if marker.node == node]
    if not lost:
        nodes = ", ".join(sorted({marker.node for marker in markers})) or "none"
        raise UsageError(
            f"No finished shard is on a node {node!r}.", hint=f"nodes with finished shards: {nodes}"
        )
    for marker in lost:
        directory.claim_next(Attempt(marker.shard, marker.attempt + 1))  # supersedes older attempts
        directory.retract(marker.shard)
    return len(lost)


def array_shards(run: RunDescription, text: str) -> tuple[list[int], int]:
    """The shards that "N" or "N/M" names, and the largest number of processes that may run at the same time: "3/8" are
    the shards 3, 11, 19 and so on, and 8 processes. Raises `UsageError`."""
    first, slash, count = text.partition("/")
    if not (first.isdecimal() and first.isascii() and (not slash or (count.isdecimal() and count.isascii()))):
        raise UsageError(
            f"{text!r} names no shard.", hint="write a number, or N/M for every M-th shard from N on"
        )
    number, step = int(first), int(count) if slash else run.shards
    if slash and number >= step:
        raise UsageError(f"{text!r} names no shard.", hint=f"N goes from 0 to {step - 1}")
    if number >= run.shards:
        if slash:
            return [], step  # more tasks than shards
        raise UsageError(f"The plan has {run.shards} shards, from 0 on, and no shard {number}.")
    return list(range(number, run.shards, step)), step


if __name__ == "__main__":
    main()
