"""One run from the command line: calls the API, shows its events, returns the exit code."""

import json
import sys
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from s3haul.api.download import download
from s3haul.api.objects import object_source
from s3haul.aws.session import OpenStore, open_store
from s3haul.cli import estimate as shown
from s3haul.cli import streams
from s3haul.cli.errors import machine_limit
from s3haul.cli.exporting import exporter, with_metrics
from s3haul.cli.logfile import LogFile, summarise, with_log
from s3haul.cli.plan_file import opened_plan
from s3haul.cli.render import SUMMARY_SCHEMA, Ending
from s3haul.cli.source_warnings import source_warnings
from s3haul.core.filters import nothing_selected
from s3haul.core.stats import Stats
from s3haul.core.text import human_bytes, human_count, show
from s3haul.disk import free_space_for
from s3haul.engine.context import read_context
from s3haul.engine.dry_run import Done, Estimate, done_of
from s3haul.engine.dry_run import preview as foresee
from s3haul.engine.loop import run_loop
from s3haul.errors import S3HaulError, SourceError
from s3haul.events import Emit, Event, Noted, Warned
from s3haul.journal import Reader
from s3haul.journal.database import journal_path
from s3haul.models import ObjectRef, SafePath
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions
from s3haul.progress import Bars, JsonLines, Lines, Listener, Quiet, Status

if TYPE_CHECKING:  # as in `render`
    from s3haul.diagnose.causes import Finding


def run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    where: DestinationOptions,
    output: OutputOptions,
    *,
    log: LogFile | None = None,
) -> int:
    """Copy, print the summary to stdout, and return the exit code. Raises the error that ended the run early."""
    stats, started = Stats(), time.monotonic()
    exported = exporter(stats, source, output)
    listener = with_metrics(with_log(_listener(stats, output), log, stats), exported)

    def tell(event: Event) -> None:
        with streams.unheard(sys.stderr):
            listener.observe(event)

    def opened(store: OpenStore) -> None:
        tell(Noted(_access_note(store, verbose=output.verbose)))
        for remark in source_warnings(source, transfer.filters):
            stats.observe(remark)
            tell(remark)

    async def main() -> None:
        await download(
            source,
            where,
            access=access,
            transfer=transfer,
            on_event=tell,
            on_open=opened,
            on_timing=exported.on_timing if exported else None,
            stats=stats,
            handle_signals=True,
        )

    try:
        error = what_ended(main())
    finally:
        _close(listener)
    seconds = time.monotonic() - started
    error, findings = explained(access, source, transfer, stats, error)
    ending = Ending(
        stats=stats,
        error=error,
        seconds=seconds,
        url=_url(source),
        root=str(where.root),
        findings=findings,
    )
    summarise(log, ending)
    try:
        _print_summary(ending, output)
    finally:
        if error is not None:
            raise error
    _check_not_empty(transfer, stats.selected)
    return ending.exit_code


def what_ended(main: Coroutine[None, None, None]) -> S3HaulError | None:
    """Run the coroutine. Returns the error that ended it early, or None."""
    try:
        run_loop(main)
    except S3HaulError as error:
        return error
    except (RuntimeError, MemoryError) as error:
        limit = machine_limit(error)
        if limit is None:
            raise
        return limit
    return None


def explained(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    stats: Stats,
    error: S3HaulError | None,
) -> "tuple[S3HaulError | None, tuple[Finding, ...]]":
    """The error and findings with their cause, which a check finds if access was refused."""
    if error is None and not stats.failed:
        return None, ()
    from s3haul.cli.examine import explain_run  # noqa: PLC0415 - only needed after an access error

    return explain_run(access, source, transfer, stats, error)


def _listener(stats: Stats, output: OutputOptions) -> Listener:
    colour = streams.colour_allowed(sys.stderr)
    if output.json_log:
        return JsonLines(stats, sys.stderr)
    if output.quiet or not output.progress:
        return Quiet(stats, sys.stderr, colour=colour, notes=not output.quiet)
    if streams.is_terminal(sys.stderr):
        return Bars(stats, sys.stderr, colour=colour)
    return Lines(stats, sys.stderr, colour=colour)


def _close(listener: Listener) -> None:
    with streams.unheard(sys.stderr):
        listener.close()


def _access_note(opened: OpenStore, *, verbose: bool) -> str:
    """Identity and endpoint. Always printed, because an endpoint from the environment decides where data comes from."""
    effective = opened.effective
    why = f", transport {opened.transport}: {opened.transport_reason}" if verbose else ""
    return f"{effective.identity} at {effective.endpoint} ({effective.region}){why}"


def _print_summary(ending: Ending, output: OutputOptions) -> None:
    if output.json:
        streams.put(json.dumps(ending.as_object()))
    elif not output.quiet and ending.tells_something:
        streams.put_report("\n".join(ending.lines()))
    streams.flush()


def _url(source: SourceOptions) -> str:
    return f"s3://{source.bucket}/{source.prefix}"


def _nothing_is_done(_refs: Sequence[ObjectRef]) -> Collection[tuple[str, str, int]]:
    """As `Done`, without a journal."""
    return ()


async def _foresee(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    *,
    emit: Emit,
    estimate: Estimate,
    done: Done,
    each: Callable[[ObjectRef, SafePath], None],
    update: Callable[[], None],
) -> None:
    """Add up the estimate; `each` gets every object that would be fetched, `update` is called after every batch."""
    async with (
        open_store(access, source, transfer, on_event=emit) as opened,
        object_source(access, source, transfer, emit) as objects,
    ):
        for remark in source_warnings(source, transfer.filters):
            emit(remark)
        ctx = read_context(
            opened.store, source, opened.transfer, emit, credentials=opened.credentials, objects=objects
        )
        async with aclosing(foresee(ctx, estimate, done)) as batches:
            async for batch in batches:
                for ref, path in batch:
                    each(ref, path)
                update()


def preview(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    where: DestinationOptions,
    output: OutputOptions,
    *,
    log: LogFile | None = None,
) -> int:
    """The dry run: one line per object on stdout, then the estimate. Nothing is written to DEST."""
    space = free_space_for(where.root)
    estimate = Estimate(free_bytes=space.bytes, free_files=space.inodes)
    stats = Stats()
    listener = with_log(Quiet(stats, sys.stderr, colour=streams.colour_allowed(sys.stderr)), log, stats)
    journal = journal_path(where.root)

    def tell(ref: ObjectRef, path: SafePath) -> None:
        if not (output.quiet or output.json):
            name = f"{where.root}/{where.name or path}"
            streams.put(f"(dryrun) download: s3://{source.bucket}/{show(ref.plain_key)} to {show(name)}")

    def seen(_seconds: float) -> str:
        return f"listed {human_count(estimate.objects, 'object')}, {human_bytes(estimate.bytes)}"

    def each(ref: ObjectRef, path: SafePath) -> None:
        tell(ref, path)
        add(ref)

    def update() -> None:
        with streams.unheard(sys.stderr):
            status.update(seen)

    past_rate, done = None, _nothing_is_done
    with ExitStack() as stack:
        status = stack.enter_context(_status(output))
        add = stack.enter_context(opened_plan(output.plan, source))
        if journal.is_file():
            reader = stack.enter_context(Reader(journal))
            past_rate = _past_rate(reader)
            done = partial(done_of, reader)
        run_loop(
            _foresee(
                access,
                source,
                transfer,
                emit=listener.observe,
                estimate=estimate,
                done=done,
                each=each,
                update=update,
            )
        )
    if not estimate.objects and not estimate.unusable:
        with streams.unheard(sys.stderr):
            listener.observe(Warned(nothing_selected(transfer.filters, estimate.filtered), "S3H-S3-19"))
    _put_estimate(estimate, past_rate, output, log)
    _check_not_empty(transfer, estimate.objects)
    return 0


def _put_estimate(
    estimate: Estimate, past_rate: float | None, output: OutputOptions, log: LogFile | None
) -> None:
    lines, found = list(shown.lines(estimate, past_rate)), shown.as_object(estimate, past_rate)
    if log is not None:
        log.tell("estimate", found, lines)
    if output.json:
        streams.put(json.dumps({"schema": SUMMARY_SCHEMA, **found}))
    else:
        streams.put_report("\n".join(lines))


@contextmanager
def _status(output: OutputOptions) -> Iterator[Status]:
    """A status line about the listing, unless the objects themselves are printed on the same terminal."""
    shown = output.progress and not output.quiet and not (sys.stdout.isatty() and not output.json)
    status = Status(sys.stderr, terminal=streams.is_terminal(sys.stderr), shown=shown)
    try:
        yield status
    finally:
        with streams.unheard(sys.stderr):
            status.close()


def _past_rate(reader: Reader) -> float | None:
    """Bytes per second of earlier runs in this journal; None if they took less than a second in total."""
    seconds = sum(run.ended - run.started for run in reader.runs() if run.ended is not None)
    fetched = sum(count.fetched for count in reader.counts())
    return fetched / seconds if fetched and seconds >= 1.0 else None


def _check_not_empty(transfer: TransferOptions, selected: int) -> None:
    """Raise `SourceError` if --fail-if-empty is given and nothing is selected."""
    if transfer.fail_if_empty and not selected:
        raise SourceError("No object is selected, and --fail-if-empty is given.", id="S3H-S3-19")
