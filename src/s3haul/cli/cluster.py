"""`s3haul cluster`: one copy by many processes: on this machine, on a Ray cluster,
or as an array of batch jobs.

Converts flags to options and makes one call each; `cluster_run` does the work,
`cluster_output` shows the state of a run.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from s3haul.cli import flags, streams
from s3haul.cli.commands import Grouped, quick_imports
from s3haul.cli.flags import Transports
from s3haul.cli.parsing import access_options, parse_destination, source_options, transfer_options
from s3haul.cli.selection import parse_size
from s3haul.core.text import show

EXAMPLES = {
    "": """
  s3haul cluster plan s3://BUCKET /shared/data --run /shared/run --profile export
  s3haul cluster run /shared/run --workers 8
  s3haul cluster status /shared/run
""",
    "plan": """
  s3haul cluster plan s3://BUCKET /shared/data --run /shared/run --profile export
  s3haul cluster plan s3://BUCKET/2024/ /shared/data --run /shared/run --profile export --max-rps 5000
""",
    "run": """
  s3haul cluster run /shared/run --workers 8
  s3haul cluster run /shared/run --executor ray --ray-address auto
""",
    "resume": "\n  s3haul cluster resume /shared/run --workers 8\n",
    "shard": """
  s3haul cluster shard /shared/run 17
  s3haul cluster shard /shared/run "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
""",
    "status": "\n  s3haul cluster status /shared/run\n",
    "check": "\n  s3haul cluster check /shared/run\n",
    "merge": "\n  s3haul cluster merge /shared/run\n",
    "report": "\n  s3haul cluster report /shared/run\n",
    "forget": "\n  s3haul cluster forget /shared/run --node node-17\n",
}
_CUT, _WORK = "Shards", "Workers"


class Executors(StrEnum):
    """What runs the workers."""

    LOCAL = "local"
    RAY = "ray"


Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="Directory of the run, on a file system of all workers.")
]
Source = Annotated[str, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="Bucket, prefix or object.")]
Dest = Annotated[str, typer.Argument(metavar="DEST", help="Directory on a file system of all workers.")]
NewRun = Annotated[
    Path,
    typer.Option("--run", metavar="RUN", help="New directory for plan and results.", rich_help_panel=_CUT),
]
ShardObjects = Annotated[int, typer.Option(min=1, help="Maximum objects of a shard.", rich_help_panel=_CUT)]
ShardBytes = Annotated[
    str, typer.Option(metavar="SIZE", help="Maximum bytes of a shard: 500M, 4G.", rich_help_panel=_CUT)
]
NodeLocal = Annotated[
    bool,
    typer.Option("--node-local", help="DEST is a local disk of each node.", rich_help_panel=_CUT),
]
Here = Annotated[bool, typer.Option("--here", help="Only write the journal of this node.")]
LostNode = Annotated[str, typer.Option("--node", metavar="NAME", help="Name of the lost node.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Number of workers; default: one per CPU.", rich_help_panel=_WORK),
]
Executor = Annotated[Executors, typer.Option(help="What runs the workers.", rich_help_panel=_WORK)]
RayAddress = Annotated[
    str,
    typer.Option(
        metavar="HOST:PORT", help="Address of the Ray cluster; auto finds it.", rich_help_panel=_WORK
    ),
]
Local = Annotated[
    Path | None,
    typer.Option(help="Directory for journals, on a local disk of each node.", rich_help_panel=_WORK),
]
Attempts = Annotated[
    int,
    typer.Option(
        min=1, metavar="N", help="Give a shard up after so many failed attempts.", rich_help_panel=_WORK
    ),
]
HungAfter = Annotated[
    float,
    typer.Option(
        min=1, metavar="SECONDS", help="Restart a worker that is silent for so long.", rich_help_panel=_WORK
    ),
]
Broker = Annotated[
    bool,
    typer.Option("--broker", help="Assume the role here, for all workers.", rich_help_panel=_WORK),
]
Shards = Annotated[str, typer.Argument(metavar="N|N/M", help="Shard N, or every M-th shard from N on.")]
Tasks = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        metavar="N",
        help="Number of tasks that share the rate limits.",
        rich_help_panel=_WORK,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands to the application."""
    group = typer.Typer(rich_markup_mode=None)
    group.callback(invoke_without_command=True, **_examples(""))(cluster)
    group.command("plan", cls=Grouped, context_settings=flags.SETTINGS, **_examples("plan"))(plan)
    group.command("run", cls=Grouped, **_examples("run"))(run)
    same = "Resume an interrupted run: the same as run."
    group.command("resume", cls=Grouped, help=same, **_examples("resume"))(run)
    group.command("shard", cls=Grouped, **_examples("shard"))(shard)
    group.command("status", **_examples("status"))(status)
    group.command("check", cls=Grouped, **_examples("check"))(check)
    group.command("merge", **_examples("merge"))(merge)
    group.command("report", **_examples("report"))(report)
    group.command("forget", **_examples("forget"))(forget)
    app.add_typer(group, name="cluster")


def _examples(command: str) -> dict[str, Any]:
    return {"epilog": f"\b\nExamples:{EXAMPLES[command]}"}


def cluster(context: typer.Context) -> None:
    """Copy with many processes: on this machine, on a Ray cluster, or as an array of batch jobs.

    plan lists the source once and cuts the listing into shards, run copies the shards with workers, and
    merge checks the result of every key. RUN and DEST are on a file system of all workers. s3haul help
    cluster has recipes.
    """
    if context.invoked_subcommand is None:
        streams.print_line(context.get_help())


@flags.with_flags(without=("mfa_serial", "owner_profile", "credential_timeout", "recursive"))
def plan(
    ctx: typer.Context,
    source: Source,
    dest: Dest,
    *,
    run: NewRun,
    shard_objects: ShardObjects = 10_000,
    shard_bytes: ShardBytes = "4G",
    node_local: NodeLocal = False,
    access: flags.AccessFlags,
    part: flags.SourceFlags,
    filters: flags.FilterFlags,
    transfer: flags.TransferFlags,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    json: flags.Json = False,
) -> int:
    """List the source once, and cut the listing into shards.

    The plan contains the name, ETag and size of every object; rate limits are for all workers together. It
    contains no secret: an External ID that is given here must be in S3HAUL_EXTERNAL_ID of every worker.
    """
    what = source_options(source, part)
    who = access_options(access, transport)
    how = transfer_options(ctx.obj, what, filters, transfer)
    where = parse_destination(dest and f"{dest}/", what, force=force)  # a directory, also for one object
    size = parse_size("--shard-bytes", shard_bytes, least=1)
    with quick_imports():
        from s3haul.cli import cluster_run  # noqa: PLC0415 - help and usage errors stay fast

    return cluster_run.plan(
        run,
        what,
        where,
        access=who,
        transfer=how,
        size=(shard_objects, size),
        node_local=node_local,
        json=json,
    )


def run(
    directory: Run,
    *,
    workers: Workers = None,
    executor: Executor = Executors.LOCAL,
    ray_address: RayAddress = "auto",
    local: Local = None,
    attempts: Attempts = 5,
    hung_after: HungAfter = 300.0,
    broker: Broker = False,
    json: flags.Json = False,
) -> int:
    """Copy all shards that are not done with workers, then merge. After a crash, the same command resumes.

    If a worker dies or hangs, only time is lost. A shard that always fails is given up, and the others
    continue. Exit codes are those of s3haul cp; 1 also if a shard was given up.
    """
    with quick_imports():
        from s3haul.cli import cluster_run  # noqa: PLC0415 - help and usage errors stay fast

    pool = cluster_run.Pool(executor.value, workers, ray_address, local, broker)
    return cluster_run.run(directory, pool, attempts, hung_after, json=json)


def shard(directory: Run, shards: Shards, *, workers: Tasks = None, local: Local = None) -> int:
    """Copy one shard, or every M-th one, in this process: for array jobs, which need no driver.

    The command can be repeated: a shard that is done is skipped. Rate limits are divided by the number of
    tasks: --workers, else M, else the number of shards.
    """
    with quick_imports():
        from s3haul.cli import cluster_run  # noqa: PLC0415 - help and usage errors stay fast

    return cluster_run.shard(directory, shards, workers, local)


def status(directory: Run, *, json: flags.Json = False) -> int:
    """Show the progress of a run, from any machine with access to RUN."""
    from s3haul.cli.cluster_output import print_state  # noqa: PLC0415 - help and usage errors stay fast

    print_state(directory, costs=False, json=json)
    return 0


def check(
    directory: Run,
    *,
    executor: Executor = Executors.LOCAL,
    ray_address: RayAddress = "auto",
    local: Local = None,
    json: flags.Json = False,
) -> int:
    """Check access, destination and disks where the workers run: here, or on every node of a Ray cluster."""
    with quick_imports():
        from s3haul.cli import cluster_run  # noqa: PLC0415 - help and usage errors stay fast

    pool = cluster_run.Pool(executor.value, None, ray_address, local)
    return cluster_run.check(directory, pool, json=json)


def merge(directory: Run, *, here: Here = False, json: flags.Json = False) -> int:
    """Check the result of every planned key, and write one manifest and the journal of DEST.

    After that s3haul verify, manifest, status and cp work on DEST as after one s3haul cp.
    """
    with quick_imports():
        from s3haul.cli import cluster_run  # noqa: PLC0415 - help and usage errors stay fast

    return cluster_run.merge_here(directory) if here else cluster_run.merge(directory, json=json)


def forget(directory: Run, *, node: LostNode) -> int:
    """With --node-local: the disk of a node is lost, so resume must copy its shards again."""
    from s3haul.cluster.directory import RunDirectory  # noqa: PLC0415 - help stays fast
    from s3haul.cluster.status import forget_node  # noqa: PLC0415 - same

    found = RunDirectory(directory)
    count = forget_node(found, found.describe(), node)
    streams.print_line(
        f"{count} shards of {show(node)} will be copied again: s3haul cluster resume {show(str(directory))}"
    )
    return 0


def report(directory: Run, *, json: flags.Json = False) -> int:
    """Show the work of a run: shards, nodes, lost attempts, failed objects."""
    from s3haul.cli.cluster_output import print_state  # noqa: PLC0415 - help and usage errors stay fast

    print_state(directory, costs=True, json=json)
    return 0
