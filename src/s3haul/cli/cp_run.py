"""One run from the command line: calls the API, shows its events, returns the exit code.

`run` copies into files, `write_to_stdout` writes one object to standard output.
"""

import json
import signal
import sys
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from s3haul.api.download import download, raise_open_files
from s3haul.aws.session import OpenStore, open_store
from s3haul.cli import streams
from s3haul.cli.errors import machine_limit
from s3haul.cli.listeners import Exporter, LogFile, display, summarise, together
from s3haul.cli.selection import source_warnings
from s3haul.cli.summary import Summary
from s3haul.concurrency import run_loop
from s3haul.core.stats import Stats
from s3haul.engine.context import read_context
from s3haul.engine.stream import NAME as STDOUT
from s3haul.engine.stream import stream_object
from s3haul.errors import S3HaulError, SourceError
from s3haul.events import Event, Noted
from s3haul.models import Verdict
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions
from s3haul.progress import Quiet

if TYPE_CHECKING:  # as in `summary`
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
    """Copy, print the summary to stdout, and return the exit code.
    Raises the error that ended the run early."""
    stats, started = Stats(), time.monotonic()
    port, address = output.metrics_port, output.metrics_address
    exported = None if port is None else Exporter(stats, source, address, port)
    listener = together(exported, log and log.begin(stats), display(stats, output))
    if exported is not None:
        listener.observe(exported.note)

    def opened(store: OpenStore) -> None:
        listener.observe(Noted(_access_note(store, verbose=output.verbose)))
        for remark in source_warnings(source, transfer.filters, where):
            stats.observe(remark)
            listener.observe(remark)

    async def main() -> None:
        await download(
            source,
            where,
            access=access,
            transfer=transfer,
            on_event=listener.observe,
            on_open=opened,
            on_timing=exported.requests.observe if exported else None,
            stats=stats,
            handle_signals=True,
        )

    raise_open_files(transfer.concurrency)
    try:
        error = what_ended(main())
    finally:
        listener.close()
    seconds = time.monotonic() - started
    error, findings = explained(access, source, transfer, stats, error)
    summary = Summary(
        stats=stats,
        error=error,
        seconds=seconds,
        url=source.url,
        root=str(where.root),
        findings=findings,
    )
    summarise(log, summary)
    try:
        _print(summary, output)
    finally:
        if error is not None:
            raise error
    check_not_empty(transfer, stats.selected)
    return summary.exit_code


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
    from s3haul.cli.check import explain_run  # noqa: PLC0415 - only needed after an access error

    return explain_run(access, source, transfer, stats, error)


def write_to_stdout(
    access: AccessOptions, source: SourceOptions, transfer: TransferOptions, log: LogFile | None = None
) -> int:
    """Write one object to standard output; prints nothing else if all is well. Returns the exit code,
    raises the error that ended the run.

    There is no state to save, so a signal ends the process at once, as for any filter.
    """
    # Python would raise KeyboardInterrupt and print a traceback;
    # the default action ends the process silently.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stats, started = Stats(), time.monotonic()
    shown = Quiet(stats, sys.stderr, colour=streams.colour_allowed(sys.stderr))
    listener = together(log and log.begin(stats), shown)

    def emit(event: Event) -> None:
        stats.observe(event)
        listener.observe(event)

    async def main() -> None:
        async with open_store(access, source, transfer, on_event=emit) as opened:
            ctx = read_context(opened.store, source, opened.transfer, emit, credentials=opened.credentials)
            await stream_object(ctx, streams.write_bytes)

    error, findings = explained(access, source, transfer, stats, what_ended(main()))
    seconds = time.monotonic() - started
    summary = Summary(
        stats=stats, error=error, seconds=seconds, url=source.url, root=STDOUT, findings=findings
    )
    summarise(log, summary)
    if error is not None:
        raise error
    if stats.exit_code:
        streams.print_message("\n".join(summary.lines()))
    elif stats.verdicts[Verdict.SIZE_ONLY]:
        streams.print_message("! size-only: S3 stores no checksum for the object that s3haul can compute")
    return stats.exit_code


def _access_note(opened: OpenStore, *, verbose: bool) -> str:
    """Identity and endpoint. Always printed, because an endpoint from the environment decides
    where data comes from."""
    why = f", transport {opened.transport}: {opened.transport_reason}" if verbose else ""
    return f"{opened.identity} at {opened.endpoint} ({opened.region}){why}"


def _print(summary: Summary, output: OutputOptions) -> None:
    """A run for whose summary there is no reader succeeds like any other."""
    if streams.is_closed():
        return
    if output.json:
        streams.print_line(json.dumps(summary.as_object()))
    elif not output.quiet and summary.is_worth_printing:
        streams.print_report("\n".join(summary.lines()))
    else:
        for line in summary.failures():
            streams.print_message(line)
    streams.flush()


def check_not_empty(transfer: TransferOptions, selected: int) -> None:
    """Raise `SourceError` if --fail-if-empty is given and nothing is selected."""
    if transfer.fail_if_empty and not selected:
        raise SourceError("No object is selected, and --fail-if-empty is given.", id="S3H-S3-19")
