"""One run from the command line: open what it needs, run the engine, show it, end with its exit code.

The order matters: the destination is opened and locked before any call to AWS, so that a full or locked
disk costs no request; the journal is the engine's.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from s3haul.aws.session import OpenStore, open_store
from s3haul.cli import render, streams
from s3haul.cli.render import Ending
from s3haul.cli.trouble import machine_limit
from s3haul.core.filters import nothing_selected
from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.core.tally import Tally
from s3haul.core.text import human_bytes, human_count, show
from s3haul.core.tuner import Tuner
from s3haul.disk import Destination, free_space_for
from s3haul.engine.context import Calls
from s3haul.engine.gate import Gate
from s3haul.engine.limits import limited
from s3haul.engine.loop import run_loop
from s3haul.engine.preview import Done, Estimate
from s3haul.engine.preview import preview as foresee
from s3haul.engine.run import Job, haul
from s3haul.errors import DestinationError, S3HaulError, SourceError
from s3haul.events import Event, Noted, Warned
from s3haul.journal import Reader, SourceIdentity
from s3haul.options import AccessOptions, DestinationOptions, OutputOptions, SourceOptions, TransferOptions
from s3haul.progress import Bars, JsonLines, Lines, Listener, Quiet, Status

if TYPE_CHECKING:  # as in `render`
    from s3haul.core.judgement import Finding

FILES_PER_REQUEST = 2  # a connection and a file
SPARE_FILES = 128  # kept directories, the journal, the libraries


def run(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    where: DestinationOptions,
    output: OutputOptions,
) -> int:
    """Haul; prints the summary on stdout and returns the exit code. Raises what ended the run early."""
    tally, started = Tally(), time.monotonic()
    error: S3HaulError | None = None
    transfer = _within_open_files(transfer)
    with ExitStack() as stack:
        destination = stack.enter_context(closing(Destination.open(where.root, force=where.force)))
        destination.lock()
        listener = _listener(tally, output)
        stack.callback(_close, listener)

        def emit(event: Event) -> None:
            tally.observe(event)
            with streams.unheard(sys.stderr):
                listener.observe(event)

        async def main() -> None:
            async with open_store(access, source, transfer, on_event=emit) as opened:
                emit(Noted(_access_note(opened, verbose=output.verbose)))
                job = Job(
                    store=opened.store,
                    credentials=opened.credentials,
                    destination=destination,
                    source=source,
                    identity=SourceIdentity(source.bucket, source.base, opened.effective.endpoint),
                    options=_as_configured(transfer, opened),
                    file_name=where.name,
                )
                await haul(job, tally, emit)

        try:
            run_loop(main())
        except S3HaulError as raised:
            error = raised
        except (RuntimeError, MemoryError) as raised:
            error = machine_limit(raised)
            if error is None:
                raise
    seconds = time.monotonic() - started
    error, findings = _explained(access, source, transfer, tally, error)
    ending = Ending(
        tally=tally,
        error=error,
        seconds=seconds,
        url=_url(source),
        root=str(where.root),
        findings=findings,
    )
    try:
        _print_summary(ending, output)
    finally:
        if error is not None:
            raise error
    _check_not_empty(transfer, tally.selected)
    return ending.exit_code


def _explained(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    tally: Tally,
    error: S3HaulError | None,
) -> "tuple[S3HaulError | None, tuple[Finding, ...]]":
    """What a look at the access chain makes of a refusal, if there was one."""
    if error is None and not tally.failed:
        return None, ()
    from s3haul.cli.examine import explain_run  # noqa: PLC0415 - a run that was not refused needs none of it

    return explain_run(access, source, transfer, tally, error)


def _within_open_files(transfer: TransferOptions) -> TransferOptions:
    """Raise the soft limit of open files as far as it goes; lower the concurrency if that is too little.

    A connection that finds no descriptor fails as if the server could not be reached.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_PER_REQUEST * transfer.concurrency + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return transfer
    fitting = (soft - SPARE_FILES) // FILES_PER_REQUEST
    if fitting < 1:
        raise DestinationError(
            f"This process may open {soft} files only.",
            hint="raise ulimit -n to 256 or more",
            id="S3H-DST-08",
        )
    streams.tell(f"! Only {soft} files may be open: {fitting} requests at a time (see ulimit -n)")
    return replace(transfer, concurrency=fitting)


def _as_configured(transfer: TransferOptions, opened: OpenStore) -> TransferOptions:
    """With what the AWS configuration says of transfers."""
    settings = opened.effective.settings
    bandwidth = transfer.bandwidth or settings.max_bandwidth
    return replace(transfer, max_attempts=settings.max_attempts, bandwidth=bandwidth)


def _listener(tally: Tally, output: OutputOptions) -> Listener:
    colour = streams.colour_allowed(sys.stderr)
    if output.json_log:
        return JsonLines(tally, sys.stderr)
    if output.quiet or not output.progress:
        return Quiet(tally, sys.stderr, colour=colour, notes=not output.quiet)
    if streams.is_terminal(sys.stderr):
        return Bars(tally, sys.stderr, colour=colour)
    return Lines(tally, sys.stderr, colour=colour)


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
) -> int:
    """The dry run: one line per object on stdout, then the estimate. Nothing is written to DEST."""
    space = free_space_for(where.root)
    estimate = Estimate(free_bytes=space.bytes, free_files=space.inodes)
    listener = Quiet(Tally(), sys.stderr, colour=streams.colour_allowed(sys.stderr))
    journal = where.root / STATE_DIRECTORY / "journal.sqlite3"

    async def main(done: Done) -> None:
        async with open_store(access, source, transfer, on_event=listener.observe) as opened:
            calls = Calls(
                store=limited(opened.store, transfer),
                credentials=opened.credentials,
                source=source,
                options=_as_configured(transfer, opened),
                gate=Gate(Tuner(ceiling=transfer.concurrency)),
                emit=listener.observe,
            )
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
    if output.json:
        streams.put(json.dumps(asdict(estimate)))
    else:
        streams.put_report("\n".join(render.estimate_lines(estimate, past_rate)))
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
