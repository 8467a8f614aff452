"""The dry run: lists the source, shows one line per object and the estimate,
and writes the plan for `cp --plan`.

Nothing is written to DEST, and no object is read.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from s3haul.api.download import identity_of, object_source
from s3haul.aws.session import open_store
from s3haul.cli import streams
from s3haul.cli.cp_run import check_not_empty
from s3haul.cli.listeners import LogFile, status_line, together
from s3haul.cli.selection import source_warnings
from s3haul.cli.summary import SUMMARY_SCHEMA
from s3haul.concurrency import run_loop
from s3haul.core.estimates import Costs, Prices, costs
from s3haul.core.filters import nothing_selected
from s3haul.core.stats import Stats
from s3haul.core.text import human_bytes, human_count, human_duration, show
from s3haul.disk import check_root, free_space_for
from s3haul.disk.new_file import new_file
from s3haul.engine.context import read_context
from s3haul.engine.dry_run import Estimate, Fetched
from s3haul.engine.dry_run import preview as fetched_objects
from s3haul.engine.target import natural_path
from s3haul.errors import DestinationError
from s3haul.events import Emit, Warned
from s3haul.journal import Reader
from s3haul.journal.database import is_there, journal_path, refuse_other_bucket
from s3haul.models import ObjectRef
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions
from s3haul.progress import Quiet
from s3haul.sources.lists import plan_end, plan_head, plan_line

LINK = 125_000_000  # bytes a second: 1 Gbit/s, if there is no rate of earlier runs
Add = Callable[[ObjectRef], None]


def run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    where: DestinationOptions,
    output: OutputOptions,
    *,
    log: LogFile | None = None,
) -> int:
    """List, print the objects and the estimate to stdout, and return the exit code.
    Refuses a destination that a run would refuse."""
    check_root(where.root, force=where.force)
    space = free_space_for(where.root)
    estimate = Estimate(free_bytes=space.bytes, free_files=space.inodes)
    stats = Stats()
    shown = Quiet(stats, sys.stderr, colour=streams.colour_allowed(sys.stderr))
    listener = together(log and log.begin(stats), shown)

    def listed(_seconds: float) -> str:
        return f"listed {human_count(estimate.objects, 'object')}, {human_bytes(estimate.bytes)}"

    def each(fetched: Fetched) -> None:
        if not (output.quiet or output.json):
            _print_objects(fetched, source, where)
        if output.plan is not None:
            for ref, _ in fetched:
                add(ref)
        status.update(listed)

    # No status line if the objects themselves are printed on the same terminal.
    status_shown = output.progress and not output.quiet and not (sys.stdout.isatty() and not output.json)
    with (
        status_line(shown=status_shown) as status,
        opened_plan(output.plan, source) as add,
        _earlier_runs(where.root, source) as (journal, past_rate),
    ):
        run_loop(
            _estimate(
                access,
                source,
                transfer,
                where,
                emit=listener.observe,
                estimate=estimate,
                journal=journal,
                each=each,
            )
        )
    if not estimate.objects and not estimate.unusable:
        listener.observe(Warned(nothing_selected(transfer.filters, estimate.filtered), "S3H-S3-19"))
    _put_estimate(estimate, past_rate, output, log)
    if output.plan is not None and not (output.quiet or output.json):
        planned = estimate.objects - estimate.archived - estimate.unchanged - estimate.taken
        streams.print_line(f"  plan      {show(str(output.plan))}: {human_count(planned, 'object')}")
    check_not_empty(transfer, estimate.objects)
    return 0


@contextmanager
def _earlier_runs(root: Path, source: SourceOptions) -> Iterator[tuple[Reader | None, float | None]]:
    """The journal, and the bytes per second of earlier runs, if any."""
    journal = journal_path(root)
    if not is_there(journal):
        yield None, None
        return
    with Reader(journal) as reader:
        if not reader.is_empty:
            refuse_other_bucket(reader.source.bucket, source.bucket, journal)
            reader.refuse_nested(identity_of(source, ""))
        yield reader, _past_rate(reader)


def _print_objects(fetched: Fetched, source: SourceOptions, where: DestinationOptions) -> None:
    for ref, shadowed in fetched:
        name = f"{where.root}/{where.name or natural_path(ref, source.base, shadowed=shadowed)}"
        streams.print_line(f"(dryrun) download: s3://{source.bucket}/{show(ref.plain_key)} to {show(name)}")


async def _estimate(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    where: DestinationOptions,
    *,
    emit: Emit,
    estimate: Estimate,
    journal: Reader | None,
    each: Callable[[Fetched], None],
) -> None:
    """List the source and fill the estimate; `each` gets the objects that would be
    fetched, batch by batch."""
    async with (
        open_store(access, source, transfer, on_event=emit) as opened,
        object_source(access, source, transfer, emit) as objects,
    ):
        for remark in source_warnings(source, transfer.filters, where):
            emit(remark)
        ctx = read_context(
            opened.store, source, opened.transfer, emit, credentials=opened.credentials, objects=objects
        )
        async with aclosing(fetched_objects(ctx, estimate, journal)) as batches:
            async for batch in batches:
                each(batch)


@contextmanager
def opened_plan(path: Path | None, source: SourceOptions) -> Iterator[Add]:
    """A function that adds an object to the plan. Without a path it does nothing; the file gets its name when
    it is complete. Raises `DestinationError`."""
    if path is None:
        yield lambda _ref: None
        return
    count = 0
    try:
        with new_file(path) as file:
            file.write(plan_head(source.bucket, source.prefix) + "\n")

            def add(ref: ObjectRef) -> None:
                nonlocal count
                count += 1
                file.write(plan_line(ref) + "\n")

            yield add
            file.write(plan_end(count) + "\n")
    except OSError as error:
        raise DestinationError(
            f"Cannot write the plan {path}: {error.strerror}.", hint="name another file"
        ) from None


def _past_rate(reader: Reader) -> float | None:
    """Bytes per second of earlier runs in this journal; None if they took less than a second in total."""
    seconds = sum(run.ended - run.started for run in reader.runs() if run.ended is not None)
    fetched = sum(count.fetched for count in reader.counts())
    return fetched / seconds if fetched and seconds >= 1.0 else None


def _put_estimate(
    estimate: Estimate, past_rate: float | None, output: OutputOptions, log: LogFile | None
) -> None:
    lines, found = list(estimate_lines(estimate, past_rate)), estimate_object(estimate, past_rate)
    if log is not None:
        log.record("estimate", found, lines)
    if output.json:
        streams.print_line(json.dumps({"schema": SUMMARY_SCHEMA, **found}))
    elif not output.quiet:
        streams.print_report("\n".join(lines))
    else:
        for said in _warnings(estimate):
            streams.print_message(f"! {said}")


@lru_cache(maxsize=1)
def prices() -> Prices:
    """The list prices that come with the package."""
    return Prices.of(json.loads((resources.files("s3haul.cli") / "prices.json").read_text("utf-8")))


def money(estimate: Estimate) -> Costs:
    """The costs without Bucket Keys: each GET and HEAD is a KMS call."""
    return costs(estimate.list_requests, estimate.reads, estimate.sizes, estimate.kms_calls, prices())


def estimate_object(estimate: Estimate, past_rate: float | None) -> dict[str, Any]:
    """`seconds` is at the rate of earlier runs, or else at 1 Gbit/s;
    `costs` are in the currency of the prices."""
    table = prices()
    rate = past_rate or LINK
    return {
        **asdict(estimate),
        "classes": {
            name: {"objects": objects, "bytes": size} for name, (objects, size) in estimate.classes.items()
        },
        "largest": [{"key": key, "size": size} for size, key in estimate.largest],
        "kms_calls": estimate.kms_calls,
        "seconds": round(estimate.needed_bytes / rate, 1),
        "rate": round(rate),
        "rate_of": "earlier runs" if past_rate else "1 Gbit/s",
        "costs": {**money(estimate)._asdict(), "currency": table.currency},
        "prices": {"as_of": table.as_of, "region": table.region},
    }


def estimate_lines(estimate: Estimate, past_rate: float | None) -> Iterator[str]:
    """What would be copied, with requests, time and costs."""
    return (f"(dryrun) {line}" for line in _lines(estimate, past_rate))


def _lines(estimate: Estimate, past_rate: float | None) -> Iterator[str]:
    objects = human_count(estimate.objects, "object")
    yield f"{objects}, {human_bytes(estimate.bytes)}; {human_count(estimate.filtered)} filtered"
    if len(estimate.classes) > 1:
        yield from _table(estimate)
    if estimate.archived:
        share = estimate.archived_bytes / estimate.bytes if estimate.bytes else 0.0
        yield (
            f"{human_count(estimate.archived)} of them are archived and would be skipped:"
            f" {human_bytes(estimate.archived_bytes)}, {share:.0%} of the bytes"
        )
    if estimate.vanished:
        yield f"{human_count(estimate.vanished, 'more object')} of the list are no longer in the bucket"
    for count, what in (
        (estimate.unchanged, "are already here, according to the journal"),
        (estimate.taken, "would fail: their path has the file of another object (S3H-DST-14)"),
        (estimate.encoded, "get another name on disk (s3haul help names)"),
    ):
        if count:
            yield f"{human_count(count)} of them {what}"
    for size, key in estimate.largest[:3]:
        yield f"largest: {human_bytes(size)} {show(key)}"
    yield from _requests(estimate)
    yield f"space: {human_bytes(estimate.needed_bytes)} to fetch, {human_bytes(estimate.free_bytes)} free"
    if estimate.needed_bytes:
        seconds = human_duration(estimate.needed_bytes / (past_rate or LINK))
        basis = f"the {human_bytes(past_rate)}/s of earlier runs" if past_rate else "1 Gbit/s"
        yield f"time: about {seconds} at {basis}"
        yield _money_line(money(estimate))
    yield from (f"! {said}" for said in _warnings(estimate))


def _warnings(estimate: Estimate) -> Iterator[str]:
    if estimate.unusable:
        yield f"{human_count(estimate.unusable)} of the listing's entries name no object and would fail (S3H-INT-04)"
    if said := estimate.room.warning():
        yield said


def _requests(estimate: Estimate) -> Iterator[str]:
    attributes = (
        f", {estimate.attributes_requests:,} GetObjectAttributes" if estimate.attributes_requests else ""
    )
    most = f" to {estimate.most_get_requests:,}" if estimate.most_get_requests > estimate.get_requests else ""
    yield (
        f"requests: {estimate.list_requests:,} LIST, {estimate.get_requests:,}{most} GET,"
        f" {estimate.head_requests:,} HEAD{attributes};"
        f" up to {estimate.kms_calls:,} KMS Decrypt (fewer with Bucket Keys)"
    )
    if estimate.part_heads:
        yield f"s3:GetObjectAttributes for the role would save {estimate.part_heads:,} of the HEAD requests"


def _table(estimate: Estimate) -> Iterator[str]:
    yield f"  {'storage class':<20} {'objects':>13} {'bytes':>10}"
    for name, (objects, size) in sorted(estimate.classes.items()):
        yield f"  {show(name):<20} {objects:>13,} {human_bytes(size):>10}"


def _money_line(found: Costs) -> str:
    table = prices()
    return (
        f"money: up to ${found.within:,.2f} (requests ${found.requests:,.2f}, KMS ${found.kms:,.2f}, retrieval"
        f" ${found.retrieval:,.2f}), and up to ${found.transfer_out:,.2f} if the bytes leave AWS;"
        f" list prices of {table.region}, {table.as_of}"
    )
