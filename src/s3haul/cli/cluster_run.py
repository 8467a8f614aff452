"""The work of `s3haul cluster plan`, `run`, `shard`, `merge` and `check`: calls `s3haul.cluster`, shows
progress on stderr and the result on stdout. `cluster_output` makes the lines.
"""

import asyncio
import json as jsonlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from s3haul.aws.session import ask_mfa
from s3haul.cli import cluster_output, streams
from s3haul.cli.cp_run import what_ended
from s3haul.cli.listeners import StatusLine, status_line
from s3haul.cluster import merge as merging
from s3haul.cluster.audit import Totals
from s3haul.cluster.broker import brokering
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.driver import Driver, Progress
from s3haul.cluster.executor import Executor, LocalExecutor
from s3haul.cluster.journal_directory import local_directory, remove_finished
from s3haul.cluster.plan import ShardSize
from s3haul.cluster.planner import plan_listing, refuse_what_cannot_be_shared
from s3haul.cluster.records import Marker, RunDescription, with_external_id
from s3haul.cluster.worker import NodeCheck, check_node, probe_file, work_on_shards
from s3haul.core.filters import nothing_selected
from s3haul.core.stats import Stats
from s3haul.core.text import human_count, show
from s3haul.errors import InterruptedRunError, UsageError
from s3haul.events import Event, Warned
from s3haul.options import AccessOptions, DestinationOptions, SourceOptions, TransferOptions
from s3haul.progress import Quiet


class Pool(NamedTuple):
    """What runs the workers, and how many; None is one per CPU.
    With `broker` the driver assumes the role for them."""

    executor: str
    workers: int | None
    ray_address: str
    local: Path | None
    broker: bool = False

    @property
    def local_root(self) -> Path:
        """Where workers keep their journals."""
        return (self.local or local_directory()).absolute()


@contextmanager
def _signals() -> Iterator[None]:
    """INT, TERM and HUP raise an error that says how to resume; local workers end with this process."""

    def end(number: int, _frame: object) -> None:
        raise InterruptedRunError(number, "Interrupted.", hint="the same command again resumes")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def plan(
    root: Path,
    source: SourceOptions,
    where: DestinationOptions,
    *,
    access: AccessOptions,
    transfer: TransferOptions,
    size: tuple[int, int],
    node_local: bool,
    json: bool,
) -> int:
    """List the source and write the plan; `size` is objects and bytes of a shard. Returns the exit code."""
    refuse_what_cannot_be_shared(access, transfer)  # before any file is created
    directory = RunDirectory.create(root)
    listener = Quiet(Stats(), sys.stderr, colour=streams.colour_allowed(sys.stderr))
    made: list[RunDescription] = []

    async def main() -> None:
        run = await plan_listing(
            directory,
            source,
            where,
            access=access,
            transfer=transfer,
            size=ShardSize(objects=size[0], bytes=size[1]),
            node_local=node_local,
            on_event=listener.observe,
            progress=lambda count: status.update(lambda _: f"listed {human_count(count, 'object')}"),
        )
        made.append(run)

    with status_line(shown=not json) as status:
        error = what_ended(main())
    if error is not None:
        directory.discard()
        raise error
    if not made[0].objects:
        nothing = nothing_selected(made[0].transfer.filters, made[0].filtered)
        streams.print_message(f"! {nothing}   [S3H-S3-19]")
    cluster_output.print_plan(directory, made[0], json=json)
    return 0


@_signals()
def run(root: Path, pool: Pool, attempts: int, hung_after: float, *, json: bool) -> int:
    """Have all shards copied, then merge. Returns the exit code;
    raises the error that ended the run early."""
    directory = RunDirectory(root)
    plan = directory.describe()
    with_external_id(plan)
    states: list[Progress] = []  # the first one

    def progress(state: Progress) -> None:
        states[:] = states or [state]
        status.update(lambda seconds: cluster_output.progress_line(plan, states[0], state, seconds))

    # Ray prints to stdout, which is for the summary.
    with (
        status_line(shown=not json) as status,
        directory.driving(),
        redirect_stdout(sys.stderr),
        _brokering(plan, pool, status) as broker,
        closing(_executor(directory, pool, broker)) as executor,
    ):
        driver = Driver(
            directory,
            plan,
            executor,
            most_attempts=attempts,
            hung_after=hung_after,
            warn=lambda text: status.say(f"! {show(text)}"),
            progress=progress,
        )
        state = driver.drive()
    remove_finished(pool.local_root, plan.run_id, directory.is_done)
    if state.poisoned:
        given_up = human_count(state.poisoned, "shard")
        streams.print_message(f"x {given_up} of {state.shards:,} could not be finished   [S3H-RUN-05]")
        streams.print_message(
            f"  Fix: see s3haul cluster report {show(str(root))}; then s3haul cluster resume {show(str(root))}"
        )
        return 1
    return merge(root, json=json)


def _brokering(plan: RunDescription, pool: Pool, status: StatusLine) -> AbstractContextManager[str]:
    """Yields the address for workers to get sessions from; "" if each assumes the role itself."""
    if not pool.broker:
        return nullcontext("")

    def show_warning(event: Event) -> None:
        if isinstance(event, Warned):
            status.say(f"! {show(event.message)}   [{event.id}]")

    async def announce_and_ask(serial: str) -> str:
        status.say(
            f"! The workers need a new session of the role, and that needs the MFA code of {show(serial)}."
        )
        return await ask_mfa(serial)

    host = ""
    if pool.executor == "ray":
        from s3haul.cluster.ray import node_address  # noqa: PLC0415 - an extra

        host = node_address(pool.ray_address)
    return brokering(with_external_id(plan), host, on_event=show_warning, ask_mfa=announce_and_ask)


def _executor(directory: RunDirectory, pool: Pool, broker: str) -> Executor:
    if pool.executor == "ray":
        from s3haul.cluster.ray import RayExecutor  # noqa: PLC0415 - an extra

        return RayExecutor(directory.root, pool.local_root, pool.workers, pool.ray_address, broker)
    return LocalExecutor(directory.root, pool.local_root, pool.workers or os.cpu_count() or 1, broker)


def array_shards(run: RunDescription, text: str) -> tuple[list[int], int]:
    """The shards that "N" or "N/M" names, and the largest number of processes that may run at the same time:
    "3/8" are the shards 3, 11, 19 and so on, and 8 processes. Raises `UsageError`."""
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


def shard(root: Path, text: str, workers: int | None, local: Path | None) -> int:
    """Copy the shards that `text` names; prints a line for each. Returns the worst of their exit codes."""
    directory = RunDirectory(root)
    shards, tasks = array_shards(directory.describe(), text)
    markers: list[Marker] = []

    async def main() -> None:
        place = (local or local_directory()).absolute()
        markers.extend(await work_on_shards(directory, place, shards, sharers=workers or tasks))

    if (error := what_ended(main())) is not None:
        raise error
    for marker in markers:
        streams.print_line(cluster_output.shard_line(marker))
    codes = {marker.exit_code for marker in markers}
    return next((code for code in (70, 4, 1, 3) if code in codes), 0)


def merge_here(root: Path) -> int:
    """With --node-local, on one node: write the journal of the objects on its disk."""
    directory = RunDirectory(root)
    plan = directory.describe()
    if not plan.node_local:
        raise UsageError("The objects are in one place.", hint=f"s3haul cluster merge {root}")
    count = merging.merge_here(directory, plan, os.uname().nodename)
    streams.print_line(f"{show(plan.destination)}: {human_count(count, 'object')} on this node")
    return 0


@_signals()
def merge(root: Path, *, json: bool) -> int:
    """Merge; prints the summary and returns the exit code."""
    directory = RunDirectory(root)
    plan = directory.describe()

    def progress(totals: Totals) -> None:
        status.update(lambda _: f"merging: {totals.objects:,} of {plan.objects:,} objects")

    with status_line(shown=not json) as status:
        totals = merging.merge(directory, plan, progress=progress)
    if json:
        streams.print_line(jsonlib.dumps(merging.summary_of(plan, totals)))
    else:
        streams.print_report("\n".join(cluster_output.merge_lines(directory, plan, totals)))
    return totals.exit_code


def check(root: Path, pool: Pool, *, json: bool) -> int:
    """Check where the workers run; prints the result of each node. Returns the worst exit code,
    of which 3 is the least."""
    directory = RunDirectory(root)
    checks: Sequence[NodeCheck]
    with probe_file(directory.describe()) as probe:
        if pool.executor == "ray":
            from s3haul.cluster.ray import check_nodes  # noqa: PLC0415 - an extra

            with redirect_stdout(sys.stderr):  # as above
                checks = check_nodes(pool.ray_address, directory.root, pool.local_root, probe)
        else:
            checks = [asyncio.run(check_node(directory.root, pool.local_root, probe))]
    cluster_output.print_checks(checks, json=json)
    return max((check.exit_code for check in checks), key=lambda code: (code != 3, code), default=0)
