"""One run from the command line: call the API, show what it tells, end with its exit code."""

import json
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from s3haul.api.calls import calls_for
from s3haul.api.download import download
from s3haul.aws.session import OpenStore, open_store
from s3haul.cli import render, streams
from s3haul.cli.errors import machine_limit
from s3haul.cli.logfile import LogFile, summarise, with_log
from s3haul.cli.render import Ending
from s3haul.cli.source_warnings import source_warnings
from s3haul.core.filters import nothing_selected
from s3haul.core.stats import Stats
from s3haul.core.text import human_bytes, human_count, show
from s3haul.disk import free_space_for
from s3haul.engine.dry_run import Done, Estimate
from s3haul.engine.dry_run import preview as foresee
from s3haul.engine.loop import run_loop
from s3haul.errors import S3HaulError, SourceError
from s3haul.events import Event, Noted, Warned
from s3haul.journal import Reader
from s3haul.journal.location import journal_path
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
    """Haul; prints the summary on stdout and returns the exit code. Raises what ended the run early."""
    stats, started = Stats(), time.monotonic()
    listener = with_log(_listener(stats, output), log, stats)

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
    """Run it: what ended it early, if anything did."""
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
    """What a look at the access chain makes of a refusal, if there was one."""
    if error is None and not stats.failed:
        return None, ()
    from s3haul.cli.examine import explain_run  # noqa: PLC0415 - a run that was not refused needs none of it

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
    """Who calls, where to: always said, since an endpoint from the environment decides where data comes from."""
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

    async def main(done: Done) -> None:
        async with open_store(access, source, transfer, on_event=listener.observe) as opened:
            for remark in source_warnings(source, transfer.filters):
                listener.observe(remark)
            calls = calls_for(opened, source, listener.observe)
            async for ref, path in foresee(calls, estimate, done):
                if not (output.quiet or output.json):
                    name = f"{where.root}/{where.name or path}"
                    streams.put(f"(dryrun) download: s3://{source.bucket}/{show(ref.key)} to {show(name)}")
                with streams.unheard(sys.stderr):
                    status.update(seen)

    def seen(_seconds: float) -> str:
        return f"listed {human_count(estimate.objects, 'object')}, {human_bytes(estimate.bytes)}"

    past_rate = None
    with ExitStack() as stack:
        status = stack.enter_context(_status(output))
        if journal.is_file():
            reader = stack.enter_context(Reader(journal))
            past_rate = _past_rate(reader)
            run_loop(main(reader.done))
        else:
            run_loop(main(lambda _first, _last: ()))
    if not estimate.objects:
        with streams.unheard(sys.stderr):
            listener.observe(Warned(nothing_selected(transfer.filters, estimate.filtered), "S3H-S3-19"))
    lines = list(render.estimate_lines(estimate, past_rate))
    if log is not None:
        log.tell("estimate", asdict(estimate), lines)
    if output.json:
        streams.put(json.dumps({"schema": render.SUMMARY_SCHEMA, **asdict(estimate)}))
    else:
        streams.put_report("\n".join(lines))
    _check_not_empty(transfer, estimate.objects)
    return 0


@contextmanager
def _status(output: OutputOptions) -> Iterator[Status]:
    """A line about the listing, where its objects are not printed on the same terminal anyway."""
    shown = output.progress and not output.quiet and not (sys.stdout.isatty() and not output.json)
    status = Status(sys.stderr, terminal=streams.is_terminal(sys.stderr), shown=shown)
    try:
        yield status
    finally:
        with streams.unheard(sys.stderr):
            status.close()


def _past_rate(reader: Reader) -> float | None:
    """Bytes per second over the runs that this journal knows; None where they are too short to tell."""
    seconds = sum(run.ended - run.started for run in reader.runs() if run.ended is not None)
    fetched = sum(count.fetched for count in reader.counts())
    return fetched / seconds if fetched and seconds >= 1.0 else None


def _check_not_empty(transfer: TransferOptions, selected: int) -> None:
    """Raises `SourceError` for --fail-if-empty."""
    if transfer.fail_if_empty and not selected:
        raise SourceError("No object is selected, and --fail-if-empty is given.", id="S3H-S3-19")
