"""`s3haul cluster plan` at work: the listing becomes a plan, with a line of progress on stderr."""

import json
import sys
from pathlib import Path

from s3haul.cli import streams
from s3haul.cli.haul import what_ended
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.plan import ShardSize
from s3haul.cluster.planner import Planned, plan_listing, refuse_what_cannot_be_shared
from s3haul.cluster.records import EXTERNAL_ID, RunDescription
from s3haul.core.filters import nothing_selected
from s3haul.core.stats import Stats
from s3haul.core.text import human_bytes, human_count, show
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions
from s3haul.progress import Quiet, Status


def plan(
    root: Path,
    source: SourceOptions,
    where: DestinationOptions,
    *,
    access: AccessOptions,
    transfer: TransferOptions,
    size: tuple[int, int],
    node_local: bool,
    output: OutputOptions,
) -> int:
    """Plan; prints what was planned on stdout and returns the exit code."""
    refuse_what_cannot_be_shared(access, transfer)  # before anything is made
    directory = RunDirectory.create(root)
    listener = Quiet(Stats(), sys.stderr, colour=streams.colour_allowed(sys.stderr))
    status = Status(sys.stderr, terminal=streams.is_terminal(sys.stderr), shown=not output.json)
    made: list[RunDescription] = []

    def progress(planned: Planned) -> None:
        with streams.unheard(sys.stderr):
            status.update(lambda _: f"listed {human_count(planned.objects, 'object')}")

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
            progress=progress,
        )
        made.append(run)

    try:
        error = what_ended(main())
    finally:
        with streams.unheard(sys.stderr):
            status.close()
    if error is not None:
        raise error
    _print(directory, made[0], output)
    return 0


def _print(directory: RunDirectory, run: RunDescription, output: OutputOptions) -> None:
    if not run.objects:
        streams.tell(f"! {nothing_selected(run.transfer.filters, run.filtered)}   [S3H-S3-19]")
    if run.external_id_apart:
        streams.tell(f"! Every worker needs the External ID in its environment, as {EXTERNAL_ID}.")
    if output.json:
        plan = {"shards": run.shards, "objects": run.objects, "bytes": run.bytes, "filtered": run.filtered}
        streams.put(json.dumps({"schema": 1, "run": run.run_id, "directory": str(directory.root), **plan}))
        return
    objects, size = human_count(run.objects, "object"), human_bytes(run.bytes)
    streams.put(f"{show(run.url)} -> {show(run.destination)}")
    streams.put(f"  planned   {objects}, {size}, in {human_count(run.shards, 'shard')}")
    if run.filtered:
        streams.put(f"  filtered  {human_count(run.filtered, 'object')}")
    streams.put(f"  next      s3haul cluster run {show(str(directory.root))}")
