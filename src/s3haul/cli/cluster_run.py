"""`s3haul cluster run`, `shard` and `merge` at work: an executor, the driver, one display, one summary."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from s3haul.cli import cluster_output, streams
from s3haul.cli.haul import what_ended
from s3haul.cluster import merge as merging
from s3haul.cluster.audit import Totals
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.driver import Driver, DriverOptions, Progress
from s3haul.cluster.executor import Executor, LocalExecutor
from s3haul.cluster.records import Marker, with_external_id
from s3haul.cluster.worker import array_shards, work_on_shards
from s3haul.cluster.workplace import local_directory, remove_finished
from s3haul.core.text import human_count, show
from s3haul.errors import InterruptedRunError, UsageError
from s3haul.options import OutputOptions
from s3haul.progress import Status


class Where(NamedTuple):
    """What runs the workers, and how many."""

    executor: str
    workers: int | None
    ray_address: str
    local: Path | None

    @property
    def local_root(self) -> Path:
        """Where workers keep their journals."""
        return (self.local or local_directory()).absolute()


@contextmanager
def _signals() -> Iterator[None]:
    """INT, TERM and HUP end what is under way as an error that tells how to go on; local workers end with it."""

    def end(number: int, _frame: object) -> None:
        raise InterruptedRunError(number, "Interrupted.", hint="the same command again resumes")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@_signals()
def run(root: Path, where: Where, attempts: int, hung_after: float, output: OutputOptions) -> int:
    """Drive, then merge; returns the exit code. Raises what ended the run early."""
    directory = RunDirectory(root)
    plan = directory.describe()
    with_external_id(plan)
    options = DriverOptions(most_attempts=attempts, hung_after=hung_after)
    status = Status(sys.stderr, terminal=streams.is_terminal(sys.stderr), shown=not output.json)

    def tell(text: str) -> None:
        with streams.unheard(sys.stderr):
            status.say(f"! {show(text)}")

    states: list[Progress] = []  # the first one

    def progress(state: Progress) -> None:
        states[:] = states or [state]
        with streams.unheard(sys.stderr):
            status.update(lambda seconds: cluster_output.progress_line(plan, states[0], state, seconds))

    try:
        # What Ray has to say goes to stdout, which is for the summary.
        with (
            directory.driving(),
            redirect_stdout(sys.stderr),
            closing(_executor(directory, where)) as executor,
        ):
            state = Driver(directory, plan, executor, options, tell=tell, progress=progress).drive()
        remove_finished(where.local_root, plan.run_id, directory.is_done)
    finally:
        with streams.unheard(sys.stderr):
            status.close()
    if state.poisoned:
        given_up = human_count(state.poisoned, "shard")
        streams.tell(f"x {given_up} of {state.shards:,} could not be finished   [S3H-RUN-05]")
        streams.tell(f"  Fix: see s3haul cluster report {show(str(root))}; then s3haul cluster resume")
        return 1
    return merge(root, output)


def _executor(directory: RunDirectory, where: Where) -> Executor:
    local = where.local_root
    if where.executor == "ray":
        from s3haul.cluster.ray import RayExecutor  # noqa: PLC0415 - an extra

        return RayExecutor(directory.root, local, where.workers, where.ray_address)
    return LocalExecutor(directory.root, local, where.workers or os.cpu_count() or 1)


def shard(root: Path, text: str, workers: int | None, local: Path | None) -> int:
    """Haul the shards that `text` names; prints a line for each. Returns the worst of their exit codes."""
    directory = RunDirectory(root)
    shards, tasks = array_shards(directory.describe(), text)
    markers: list[Marker] = []

    async def main() -> None:
        place = (local or local_directory()).absolute()
        markers.extend(await work_on_shards(directory, place, shards, sharers=workers or tasks))

    if (error := what_ended(main())) is not None:
        raise error
    for marker in markers:
        streams.put(cluster_output.shard_line(marker))
    codes = {marker.exit_code for marker in markers}
    return next((code for code in (70, 4, 1, 3) if code in codes), 0)


def merge_here(root: Path) -> int:
    """On one node of a run whose objects are on disks of the nodes: the journal of what is here."""
    directory = RunDirectory(root)
    plan = directory.describe()
    if not plan.node_local:
        raise UsageError("The objects are in one place.", hint=f"s3haul cluster merge {root}")
    count = merging.merge_here(directory, plan, os.uname().nodename)
    streams.put(f"{show(plan.destination)}: {human_count(count, 'object')} on this node")
    return 0


@_signals()
def merge(root: Path, output: OutputOptions) -> int:
    """Merge; prints the summary and returns the exit code."""
    directory = RunDirectory(root)
    plan = directory.describe()
    status = Status(sys.stderr, terminal=streams.is_terminal(sys.stderr), shown=not output.json)

    def progress(totals: Totals) -> None:
        with streams.unheard(sys.stderr):
            status.update(lambda _: f"merging: {totals.objects:,} of {plan.objects:,} objects")

    try:
        totals = merging.merge(directory, plan, progress=progress)
    finally:
        with streams.unheard(sys.stderr):
            status.close()
    if output.json:
        streams.put(json.dumps(merging.summary_of(plan, totals)))
    else:
        streams.put_report("\n".join(cluster_output.merge_lines(directory, plan, totals)))
    return totals.exit_code
