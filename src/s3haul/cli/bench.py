"""`s3haul bench`: measures how fast a bucket can be copied to this machine, and finds the bottleneck.

Converts flags to options; `bench_run` measures, `bench_output` shows the result.
Two results are compared without network.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from s3haul.cli import flags
from s3haul.cli.commands import Grouped, quick_imports
from s3haul.cli.flags import Transports
from s3haul.cli.parsing import access_options, source_options
from s3haul.errors import UsageError

EPILOG = """\b
Examples:
  s3haul bench s3://BUCKET --profile export
  s3haul bench s3://BUCKET/2024/ --profile export --dir /data --max-bytes 8GiB
  s3haul bench s3://BUCKET --profile export --concurrency 32,128,512 --destinations null --json > before.json
  s3haul bench --compare before.json after.json
  s3haul bench s3://BUCKET --profile export --html > bench.html
  s3haul bench s3://BUCKET --profile export --dryrun

Before it starts it prints how many requests and bytes it needs. It leaves no files behind. More: s3haul help measuring.
"""
# Some have the name of a flag of `cp`, but another type: variables of these are not used.
_MEASURE: dict[str, Any] = {"rich_help_panel": "Measurement", "allow_from_autoenv": False}

Source = Annotated[
    str | None, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="Bucket or prefix to measure with.")
]
Compare = Annotated[
    tuple[Path, Path] | None,
    typer.Option(metavar="A.json B.json", help="Compare two results of --json.", **_MEASURE),
]
Destinations = Annotated[str, typer.Option(help="Where files are written: null, memory, disk.", **_MEASURE)]
Concurrency = Annotated[
    str, typer.Option(metavar="N,...", help="Numbers of parallel requests to try.", **_MEASURE)
]
PartSize = Annotated[
    str | None,
    typer.Option(metavar="SIZE,...", help="Sizes of range requests to try, for large objects.", **_MEASURE),
]
Repetitions = Annotated[int, typer.Option(min=1, max=100, help="Runs with each setting.", **_MEASURE)]
Directory = Annotated[Path, typer.Option("--dir", help="A directory on the disk to measure.", **_MEASURE)]
MaxObjects = Annotated[int, typer.Option(min=1, help="Maximum objects of one run.", **_MEASURE)]
MaxBytes = Annotated[str, typer.Option(metavar="SIZE", help="Maximum bytes of all runs.", **_MEASURE)]
MaxTime = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="Maximum time of all runs.", **_MEASURE)
]
Dryrun = Annotated[
    bool,
    typer.Option(
        "--dryrun", "--dry-run", help="Show what it would cost, and stop.", rich_help_panel="Output"
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="The result as one JSON object on stdout.", rich_help_panel="Output")
]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="The result as Markdown on stdout.", rich_help_panel="Output")
]
Html = Annotated[
    bool, typer.Option("--html", help="The result as an HTML page on stdout.", rich_help_panel="Output")
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("bench", cls=Grouped, epilog=EPILOG, context_settings=flags.SETTINGS)(bench)


@flags.with_flags(without=("owner_profile", "credential_timeout"))
def bench(
    source: Source = None,
    *,
    compare: Compare = None,
    destinations: Destinations = "null,memory,disk",
    concurrency: Concurrency = "16,64,256",
    part_size: PartSize = None,
    repetitions: Repetitions = 3,
    dir: Directory = Path(),  # noqa: A002 - the flag's name
    max_objects: MaxObjects = 5000,
    max_bytes: MaxBytes = "4GiB",
    max_time: MaxTime = 120.0,
    access: flags.AccessFlags,
    part: flags.SourceFlags,
    transport: flags.Transport = Transports.AUTO,
    dryrun: Dryrun = False,
    quiet: flags.Quiet = False,
    json: Json = False,
    markdown: Markdown = False,
    html: Html = False,
) -> int:
    """Measure how fast a bucket can be copied to this machine, and find the bottleneck."""
    forms = [name for name, asked in (("json", json), ("markdown", markdown), ("html", html)) if asked]
    if len(forms) > 1:
        raise UsageError(f"--{forms[0]} and --{forms[1]} are two forms of one result.", hint="leave one out")
    form = forms[0] if forms else "text"
    if compare is not None:
        if source is not None:
            raise UsageError("--compare takes two results and no source.")
        from s3haul.cli.bench_output import print_comparison  # noqa: PLC0415 - help stays fast

        print_comparison(*compare, form)
        return 0
    if source is None:
        raise UsageError("bench needs a source.", hint="s3haul bench s3://BUCKET/PREFIX --profile PROFILE")
    what = source_options(source, part)
    who = access_options(access, transport)
    with quick_imports():
        from s3haul.cli import bench_run  # noqa: PLC0415 - help and usage errors stay fast

    options = bench_run.options_of(
        destinations=destinations,
        concurrency=concurrency,
        part_size=part_size,
        repetitions=repetitions,
        max_objects=max_objects,
        max_bytes=max_bytes,
        max_time=max_time,
    )
    return bench_run.run(who, what, dir, options, form=form, quiet=quiet, dryrun=dryrun)
