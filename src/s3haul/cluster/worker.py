"""What runs on a node: a worker process of a driver (`python -m s3haul.cluster.worker RUN LOCAL SHARERS
BROKER`), an array job without one, or the check of a node.

The driver writes attempts to stdin, one per line ("SHARD NUMBER"); the worker writes those that have
succeeded to stdout. When stdin ends, the driver has ended or needs no more work: the process exits at once,
even during an attempt, as if it were killed. After an error it exits too, and the driver starts a new one.
"""

import asyncio
import os
import random
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.journal_directory import JournalDirectory
from s3haul.cluster.plan import Attempt
from s3haul.cluster.records import AttemptReport, Marker, RunDescription, with_external_id
from s3haul.cluster.shard import attempt_shard, open_node
from s3haul.concurrency import run_loop
from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk import Destination
from s3haul.errors import DestinationError, S3HaulError, UsageError
from s3haul.options import DestinationOptions

JITTER_EACH, LONGEST_JITTER = 0.02, 60.0  # seconds, for each of the workers that start together
_RUN_ID = "check"  # in place of a run's id in the journal directory of a check


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
        report = AttemptReport(
            shard=shard, attempt=number, node=os.uname().nodename, pid=os.getpid(), sequence=0
        )
        directory.report((last or report).failed(error))


async def work_on_shards(
    directory: RunDirectory, local: Path, shards: list[int], *, sharers: int
) -> list[Marker]:
    """Copy these shards, one after another, without a driver: for array jobs. Finished ones are
    skipped. Returns all markers. If a shard fails, the others are still tried; then the first
    `S3HaulError` is raised."""
    run, failed = directory.describe(), None
    if left := [shard for shard in shards if not directory.is_done(shard)]:
        async with open_node(directory, run, local, sharers=sharers, driven=False) as node:
            for shard in left:
                try:
                    await attempt_shard(node, directory.claim(shard))
                except S3HaulError as error:
                    failed = failed or error
    if failed is not None:
        raise failed
    return [directory.marker(shard) for shard in shards]


@dataclass(slots=True)
class NodeCheck:
    """The result of one node: `findings` about access, `problems` of the node;
    `exit_code` as of `s3haul check`."""

    node: str
    exit_code: int
    findings: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)

    def add(self, error: S3HaulError) -> None:
        """Record an error of this node."""
        self.problems.append({"id": error.id, "message": error.message, "hint": error.hint or ""})
        self.exit_code = self.exit_code or error.exit_code


@contextmanager
def probe_file(run: RunDescription) -> Iterator[str]:
    """The name of a file that is in the destination during the `with` block: workers that see it use the same
    directory. It is "" if every node has a destination of its own."""
    if run.node_local:
        yield ""
        return
    with Destination.open(Path(run.destination), force=run.force) as destination:
        name = f"check-{secrets.token_hex(8)}"
        path = destination.root / STATE_DIRECTORY / name
        path.touch(mode=0o600)
        try:
            yield name
        finally:
            path.unlink(missing_ok=True)


async def check_node(root: Path, local: Path, probe: str) -> NodeCheck:
    """The tests of `s3haul cluster check` on one node, with the credentials of a worker there: access, the
    destination, the disk for the journal, and whether the destination is the same directory as on the other
    nodes (`probe` is the name that `probe_file` gave). Errors are in the result."""
    from s3haul.api.check import check  # noqa: PLC0415 - a process that only copies does not need it

    found = NodeCheck(os.uname().nodename, 0)
    try:
        run = RunDirectory(root).describe()
        access = with_external_id(run)
    except S3HaulError as error:
        found.add(error)
        return found
    if probe and not _sees(Path(run.destination) / STATE_DIRECTORY / probe):
        message = f"{run.destination} is not the same directory here as where the check was started."
        found.add(DestinationError(message, hint="mount the same file system there on every node"))
    if disk := disk_error(local):
        found.add(disk)
    where = DestinationOptions(root=Path(run.destination), force=run.force)
    seen = await check(run.source, where, access=access, transfer=run.transfer)
    found.findings = [asdict(finding) for finding in seen.findings]
    found.exit_code = seen.exit_code or found.exit_code
    return found


def _sees(path: Path) -> bool:
    with suppress(OSError):  # it may not enter one of the directories
        return path.exists()
    return False


def disk_error(local: Path) -> S3HaulError | None:
    """Why no journal can be kept in `local`, if so."""
    try:
        if not local.is_absolute():
            raise UsageError(
                f"{local} is not an absolute path.", hint="give --local as a path that begins with /"
            )
        # Another check may run here at the same time: of another Ray node on this machine, or of another run.
        attempt = Attempt(0, secrets.randbelow(1 << 31))
        journal_directory = JournalDirectory.take(local, _RUN_ID, attempt)
        journal_directory.remove()
        journal_directory.close()
    except S3HaulError as error:
        return error
    return None


def main() -> None:
    root, local, sharers, broker = sys.argv[1:]
    try:
        run_loop(work(RunDirectory(Path(root)), Path(local), int(sharers), broker))
    except S3HaulError as error:
        sys.exit(f"{error.id}: {error.message}")


if __name__ == "__main__":
    main()
