"""`s3haul cluster`: one haul by many processes: on this machine, on a Ray cluster, or as an array of batch jobs.

Flags into records, one call each; what is shown is made in `cluster_output`.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s3haul.cli import flags, parsing, streams
from s3haul.cli.commands import Grouped
from s3haul.cli.flags import Transports
from s3haul.cli.loading import quick_imports
from s3haul.cli.records import access_options
from s3haul.cli.selection import filters_in_order
from s3haul.cli.variables import SETTINGS
from s3haul.core.text import show
from s3haul.options import Existing, OutputOptions, TransferOptions

EPILOG = """\b
Examples:
  s3haul cluster plan s3://BUCKET /shared/data --run /shared/run --profile export
  s3haul cluster run /shared/run --workers 8
  s3haul cluster status /shared/run
"""
PLAN_EPILOG = """\b
Examples:
  s3haul cluster plan s3://BUCKET /shared/data --run /shared/run --profile export
  s3haul cluster plan s3://BUCKET/2024/ /shared/data --run /shared/run --profile export --max-rps 5000
"""
RUN_EPILOG = """\b
Examples:
  s3haul cluster run /shared/run --workers 8
  s3haul cluster run /shared/run --executor ray --ray-address auto
"""
SHARD_EPILOG = """\b
Examples:
  s3haul cluster shard /shared/run 17
  s3haul cluster shard /shared/run "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
"""
RESUME_EPILOG = """\b
Examples:
  s3haul cluster resume /shared/run --workers 8
"""
STATUS_EPILOG = """\b
Examples:
  s3haul cluster status /shared/run
"""
CHECK_EPILOG = """\b
Examples:
  s3haul cluster check /shared/run
"""
MERGE_EPILOG = """\b
Examples:
  s3haul cluster merge /shared/run
"""
REPORT_EPILOG = """\b
Examples:
  s3haul cluster report /shared/run
"""
FORGET_EPILOG = """\b
Examples:
  s3haul cluster forget /shared/run --node node-17
"""
_CUT, _WORK, _OUT = "Shards", "Workers", "Output"


class Executors(StrEnum):
    """What runs the workers."""

    LOCAL = "local"
    RAY = "ray"


Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run's directory, which every worker sees.")]
Source = Annotated[str, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="Bucket or prefix.")]
Dest = Annotated[str, typer.Argument(metavar="DEST", help="Directory that every worker sees.")]
NewRun = Annotated[
    Path,
    typer.Option("--run", metavar="RUN", help="New directory for plan and results.", rich_help_panel=_CUT),
]
ShardObjects = Annotated[int, typer.Option(min=1, help="Objects that fill a shard.", rich_help_panel=_CUT)]
ShardBytes = Annotated[
    str, typer.Option(metavar="SIZE", help="Bytes that fill a shard: 500M, 4G.", rich_help_panel=_CUT)
]
NodeLocal = Annotated[
    bool,
    typer.Option("--node-local", help="DEST is another disk on every node.", rich_help_panel=_CUT),
]
Here = Annotated[bool, typer.Option("--here", help="The journal of what this node has.")]
LostNode = Annotated[str, typer.Option("--node", metavar="NAME", help="Name of the lost node.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Shards at a time; else one a CPU.", rich_help_panel=_WORK),
]
Executor = Annotated[Executors, typer.Option(help="What runs the workers.", rich_help_panel=_WORK)]
RayAddress = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="The Ray cluster; auto finds it.", rich_help_panel=_WORK)
]
Local = Annotated[
    Path | None,
    typer.Option(help="Where workers keep journals: a disk of their node.", rich_help_panel=_WORK),
]
Attempts = Annotated[
    int, typer.Option(min=1, metavar="N", help="Failed attempts that give a shard up.", rich_help_panel=_WORK)
]
HungAfter = Annotated[
    float,
    typer.Option(
        min=1, metavar="SECONDS", help="Silence that takes a worker for hung.", rich_help_panel=_WORK
    ),
]
Shards = Annotated[str, typer.Argument(metavar="N|N/M", help="A shard, or every M-th one from N on.")]
Tasks = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, metavar="N", help="Tasks that share the rate limits.", rich_help_panel=_WORK
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands to the application."""
    group = typer.Typer(rich_markup_mode=None)
    group.callback(invoke_without_command=True, epilog=EPILOG)(cluster)
    group.command("plan", cls=Grouped, epilog=PLAN_EPILOG, context_settings=SETTINGS)(plan)
    group.command("run", cls=Grouped, epilog=RUN_EPILOG)(run)
    group.command(
        "resume",
        cls=Grouped,
        epilog=RESUME_EPILOG,
        help="Go on with a run that was cut off: the same as run.",
    )(run)
    group.command("shard", cls=Grouped, epilog=SHARD_EPILOG)(shard)
    group.command("status", epilog=STATUS_EPILOG)(status)
    group.command("check", cls=Grouped, epilog=CHECK_EPILOG)(check)
    group.command("merge", epilog=MERGE_EPILOG)(merge)
    group.command("report", epilog=REPORT_EPILOG)(report)
    group.command("forget", epilog=FORGET_EPILOG)(forget)
    app.add_typer(group, name="cluster")


def cluster(context: typer.Context) -> None:
    """Haul with many processes: on this machine, on a Ray cluster, or as an array of batch jobs.

    plan lists once and cuts the listing into shards; run has workers haul them, and merge accounts for every key.
    RUN and DEST are on a file system that every worker sees. s3haul help cluster has recipes.
    """
    if context.invoked_subcommand is None:
        streams.put(context.get_help())


def plan(
    ctx: typer.Context,
    source: Source,
    dest: Dest,
    *,
    run: NewRun,
    shard_objects: ShardObjects = 10_000,
    shard_bytes: ShardBytes = "4G",
    node_local: NodeLocal = False,
    profile: flags.Profile = None,
    role_arn: flags.RoleArn = None,
    external_id: flags.ExternalId = None,
    source_profile: flags.SourceProfile = None,
    role_session_name: flags.SessionName = None,
    duration_seconds: flags.Duration = None,
    region: flags.Region = None,
    endpoint_url: flags.EndpointUrl = None,
    sts_endpoint_url: flags.StsEndpointUrl = None,
    ca_bundle: flags.CaBundle = None,
    allow_plain_http: flags.PlainHttp = False,
    no_sign_request: flags.NoSignRequest = False,
    include: flags.Include = None,
    exclude: flags.Exclude = None,
    request_payer: flags.RequestPayer = None,
    expected_bucket_owner: flags.BucketOwner = None,
    page_size: flags.PageSize = 1000,
    sse: flags.Sse = None,
    sse_kms_key_id: flags.SseKey = None,
    require_checksum: flags.RequireChecksum = False,
    existing: flags.ExistingFiles = Existing.VERIFY,
    force_glacier_transfer: flags.ForceGlacier = False,
    concurrency: flags.Concurrency = 256,
    max_rps: flags.MaxRps = None,
    bwlimit: flags.BwLimit = None,
    transport: flags.Transport = Transports.AUTO,
    force: flags.Force = False,
    json: flags.Json = False,
) -> int:
    """List the source once, and cut the listing into shards.

    The plan holds every object by name, ETag and size; limits of the rate are for all workers together. No secret is
    written down: an External ID that is given here must be in S3HAUL_EXTERNAL_ID of every worker.
    """
    given = dict(locals())
    what = parsing.parse_source(
        source,
        recursive=True,
        request_payer=request_payer,
        expected_bucket_owner=expected_bucket_owner,
        page_size=page_size,
    )
    access = access_options(given)
    transfer = TransferOptions(
        filters=filters_in_order(ctx.obj, {"--include": include or (), "--exclude": exclude or ()}),
        sse=sse,
        sse_kms_key_id=sse_kms_key_id,
        require_checksum=require_checksum,
        existing=existing,
        concurrency=concurrency,
        max_rps=max_rps,
        bandwidth=parsing.parse_bwlimit(bwlimit),
        force_glacier_transfer=force_glacier_transfer,
    )
    where = parsing.parse_destination(dest, what, force=force)
    size = parsing.parse_size(shard_bytes, "--shard-bytes")
    with quick_imports():
        from s3haul.cli import cluster_plan  # noqa: PLC0415 - help and usage errors stay fast

    return cluster_plan.plan(
        run,
        what,
        where,
        access=access,
        transfer=transfer,
        size=(shard_objects, size),
        node_local=node_local,
        output=OutputOptions(json=json),
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
    json: flags.Json = False,
) -> int:
    """Have workers haul all shards that are not done, then merge. The same command goes on after a crash.

    A worker that dies or hangs costs time only. A shard that always fails is given up, and the others go on. Exit
    codes are those of s3haul cp; 1 also where a shard was given up.
    """
    with quick_imports():
        from s3haul.cli import cluster_run  # noqa: PLC0415 - help and usage errors stay fast

    where = cluster_run.Where(executor.value, workers, ray_address, local)
    return cluster_run.run(directory, where, attempts, hung_after, OutputOptions(json=json))


def shard(directory: Run, shards: Shards, *, workers: Tasks = None, local: Local = None) -> int:
    """Haul one shard, or every M-th one, in this process: for array jobs, which need no driver.

    It may be repeated at will: a shard that is done is left alone. Limits of the rate are divided by the number of
    tasks: --workers, else M, else the number of shards.
    """
    with quick_imports():
        from s3haul.cli import cluster_run  # noqa: PLC0415 - help and usage errors stay fast

    return cluster_run.shard(directory, shards, workers, local)


def status(directory: Run, *, json: flags.Json = False) -> int:
    """Tell how far a run is, from any machine that sees RUN."""
    from s3haul.cli import cluster_output  # noqa: PLC0415 - help and usage errors stay fast

    return cluster_output.status(directory, json=json)


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
        from s3haul.cli import cluster_check  # noqa: PLC0415 - help and usage errors stay fast

    return cluster_check.run(
        directory, cluster_check.Where(executor.value, None, ray_address, local), json=json
    )


def merge(directory: Run, *, here: Here = False, json: flags.Json = False) -> int:
    """Account for every planned key: audit all shards, and write one manifest and the journal of DEST.

    After that s3haul verify, manifest, status and cp work on DEST as if one process had hauled it.
    """
    with quick_imports():
        from s3haul.cli import cluster_run  # noqa: PLC0415 - help and usage errors stay fast

    return (
        cluster_run.merge_here(directory) if here else cluster_run.merge(directory, OutputOptions(json=json))
    )


def forget(directory: Run, *, node: LostNode) -> int:
    """With --node-local: the disk of a node is lost, so its shards must be hauled again, by resume."""
    from s3haul.cluster.directory import RunDirectory  # noqa: PLC0415 - help stays fast
    from s3haul.cluster.worker import forget_node  # noqa: PLC0415 - same

    found = RunDirectory(directory)
    count = forget_node(found, found.describe(), node)
    streams.put(
        f"{count} shards of {show(node)} are to be hauled again: s3haul cluster resume {show(str(directory))}"
    )
    return 0


def report(directory: Run, *, json: flags.Json = False) -> int:
    """Tell what a run cost: shards, nodes, attempts that were lost, objects that failed."""
    from s3haul.cli import cluster_output  # noqa: PLC0415 - help and usage errors stay fast

    return cluster_output.report(directory, json=json)
