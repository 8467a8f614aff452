"""One benchmark from the command line: its options, progress on stderr, and the result on stdout."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from s3haul.api.bench import Planned, RunEnded, bench
from s3haul.api.download import raise_open_files
from s3haul.bench.measure import MEMORY, available
from s3haul.bench.plan import BenchOptions, DestinationKind
from s3haul.bench.result import Report, Run
from s3haul.cli import bench_output, streams
from s3haul.cli.selection import parse_size
from s3haul.concurrency import run_loop
from s3haul.core.text import human_bytes, human_count, human_duration
from s3haul.errors import UsageError
from s3haul.options import AccessOptions, SourceOptions

MAX_CONCURRENCY = 1024
MIN_PART_SIZE = 1 << 20  # bytes


def options_of(
    *,
    destinations: str,
    concurrency: str,
    part_size: str | None,
    repetitions: int,
    max_objects: int,
    max_bytes: str,
    max_time: float,
) -> BenchOptions:
    """The options of these flags. Raises `UsageError`."""
    sizes = () if part_size is None else tuple(_part_size(word) for word in _words(part_size))
    return BenchOptions(
        destinations=_destinations(destinations),
        concurrency=tuple(_requests(word) for word in _words(concurrency)),
        part_sizes=sizes or (None,),
        repetitions=repetitions,
        max_objects=max_objects,
        max_bytes=parse_size("--max-bytes", max_bytes, least=1),
        max_seconds=max_time,
    )


def run(
    access: AccessOptions,
    source: SourceOptions,
    directory: Path,
    options: BenchOptions,
    *,
    form: str,
    quiet: bool,
    dryrun: bool,
) -> int:
    """Measure and show; messages go to stderr, the result to stdout. Raises `S3HaulError`."""
    found: list[Report] = []

    def planned(plan: Planned) -> bool:
        if dryrun or not quiet:
            streams.print_message("\n".join(plan_lines(plan, options)))
        return not dryrun

    def ended(last: RunEnded) -> None:
        if not quiet:
            streams.print_message(run_line(last))

    async def main() -> None:
        report = await bench(source, directory, options, access=access, on_plan=planned, on_run=ended)
        if report is not None:
            found.append(report)

    raise_open_files(max(options.concurrency))
    with _cleaned_up_on_sigterm() as terminated:
        try:
            run_loop(main())
        except KeyboardInterrupt:
            if terminated:
                return 128 + signal.SIGTERM
            raise
    for report in found:
        bench_output.print_report(report, form)
    return 0


def plan_lines(plan: Planned, options: BenchOptions) -> Iterator[str]:
    """The requests and bytes of all runs, before the first one."""
    sample, cost = plan.sample, plan.cost
    objects, size = human_count(len(sample.refs), "object"), human_bytes(sample.bytes)
    yield f"Measuring with {objects}, {size}, in {cost.runs} runs, {human_duration(options.max_seconds)} at most."
    yield f"  requests  about {cost.get_requests:,} GET, {cost.head_requests:,} HEAD; {cost.list_requests:,} LIST so far"
    yield f"  KMS       up to {cost.get_requests + cost.head_requests:,} Decrypt, fewer with Bucket Keys"
    yield f"  transfer  {human_bytes(cost.bytes)} at most; the owner pays, or you with --request-payer"
    if sample.too_large:
        yield f"  left out  {human_count(sample.too_large, 'object')} too large for a run (see --max-bytes)"
    if sample.archived:
        yield f"  left out  {human_count(sample.archived, 'object')} archived"
    for kind in options.destinations:
        if kind not in plan.options.destinations:
            yield f"  left out  {kind.value}, because {MEMORY} has no space for {size}"


def run_line(last: RunEnded) -> str:
    """The result of one run."""
    run, setting = last.run, last.setting
    name = "warming up" if setting is None else bench_output.setting_text(setting)
    return f"  run {last.number} of {last.planned}: {name}: {_rates(run)}"


def _rates(run: Run) -> str:
    gigabits = run.byte_rate * 8 / 1e9
    cut = ", ended by the time limit" if run.cut_short else ""
    failed = f", {run.failed:,} failed" if run.failed else ""
    return f"{run.object_rate:,.0f} objects/s, {gigabits:.2f} Gb/s, {run.cores:.1f} cores{failed}{cut}"


@contextmanager
def _cleaned_up_on_sigterm() -> Iterator[Sequence[int]]:
    """SIGTERM ends the run as Ctrl-C does: files in memory must be removed.
    The list is not empty if it came."""
    received: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        # Not an exception here, which could be lost in a callback: asyncio's handler cancels the task.
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _destinations(text: str) -> tuple[DestinationKind, ...]:
    known = [kind.value for kind in DestinationKind]
    words = list(dict.fromkeys(_words(text)))
    for word in words:
        if word not in known:
            raise UsageError(
                f"--destinations: {word!r} is not a destination.", hint=f"destinations are {', '.join(known)}"
            )
    kinds = tuple(DestinationKind(word) for word in words)
    there = tuple(kind for kind in kinds if available(kind))
    if not there:
        raise UsageError(
            f"--destinations {text}: this system has no files in memory.", hint="--destinations disk"
        )
    return there


def _requests(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and 1 <= int(word) <= MAX_CONCURRENCY):
        raise UsageError(
            f"--concurrency {word!r} is not a number of requests.",
            hint=f"write numbers from 1 to {MAX_CONCURRENCY}: 16,64,256",
        )
    return int(word)


def _part_size(word: str) -> int:
    size = parse_size("--part-size", word)
    if size < MIN_PART_SIZE:
        raise UsageError(f"--part-size {word} is too small.", hint="1MiB is the least")
    return size
