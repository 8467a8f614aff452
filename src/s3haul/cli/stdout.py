"""`s3haul cp s3://BUCKET/KEY -`: writes one object to standard output, and all messages to stderr.

There is no state to save, so a signal ends the process at once, as for any filter.
"""

import signal
import sys
import time

from s3haul.aws.session import open_store
from s3haul.cli import streams
from s3haul.cli.haul import explained, what_ended
from s3haul.cli.logfile import LogFile, summarise, with_log
from s3haul.cli.render import Ending
from s3haul.core.stats import Stats
from s3haul.engine.context import read_context
from s3haul.engine.stream import NAME, stream_object
from s3haul.events import Event
from s3haul.models import Verdict
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.progress import Quiet


def run(
    access: AccessOptions, source: SourceOptions, transfer: TransferOptions, log: LogFile | None = None
) -> int:
    """Write the object; prints nothing if all is well. Returns the exit code, raises the error that ended the run."""
    # Python would raise KeyboardInterrupt and print a traceback; the default action ends the process silently.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stats, started = Stats(), time.monotonic()
    listener = with_log(Quiet(stats, sys.stderr, colour=streams.colour_allowed(sys.stderr)), log, stats)

    def emit(event: Event) -> None:
        stats.observe(event)
        with streams.unheard(sys.stderr):
            listener.observe(event)

    async def main() -> None:
        async with open_store(access, source, transfer, on_event=emit) as opened:
            ctx = read_context(opened.store, source, opened.transfer, emit, credentials=opened.credentials)
            await stream_object(ctx, streams.put_bytes)

    error, findings = explained(access, source, transfer, stats, what_ended(main()))
    url = f"s3://{source.bucket}/{source.prefix}"
    seconds = time.monotonic() - started
    ending = Ending(stats=stats, error=error, seconds=seconds, url=url, root=NAME, findings=findings)
    summarise(log, ending)
    if error is not None:
        raise error
    if stats.exit_code:
        streams.tell("\n".join(ending.lines()))
    elif stats.verdicts[Verdict.SIZE_ONLY]:
        streams.tell("! size-only: S3 stores no checksum for the object that s3haul can compute")
    return stats.exit_code
