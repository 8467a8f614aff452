"""What listens to the events of a run: the display on stderr, the log file (`--log-file`),
the metrics (`--metrics-port`).

The log file has the lines that stderr gets without a terminal, or the events with --log-format json, each
with its time; then the summary or the error. Lines are appended, and only the owner may read the file. If it
cannot be written, the run continues.
"""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TextIO

from s3haul import __version__
from s3haul.cli import streams
from s3haul.cli.errors import error_lines, pasteable
from s3haul.cli.summary import Summary, error_object
from s3haul.core.stats import Stats
from s3haul.core.text import command_line, human_duration, iso_time, show
from s3haul.errors import S3HaulError, UsageError
from s3haul.events import Event, Noted
from s3haul.options import OutputOptions, SourceOptions
from s3haul.progress import (
    DRAW_INTERVAL,
    LINE_INTERVAL,
    LOG_SCHEMA,
    Bars,
    Clock,
    JsonLines,
    Lines,
    Listener,
    Quiet,
    Screen,
    write_line,
)

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


def display(stats: Stats, output: OutputOptions) -> Listener:
    """The listener that writes to stderr."""
    colour = streams.colour_allowed(sys.stderr)
    if output.json_log:
        return JsonLines(stats, sys.stderr)
    if output.quiet or not output.progress:
        return Quiet(stats, sys.stderr, colour=colour, notes=not output.quiet)
    if streams.is_terminal(sys.stderr):
        return Bars(stats, sys.stderr, colour=colour)
    return Lines(stats, sys.stderr, colour=colour)


class StatusLine:
    """One line about work without events, such as `verify`: redrawn on a terminal,
    else printed every ten seconds.

    Nothing is shown during the first second.
    """

    def __init__(
        self, stream: TextIO, *, terminal: bool, clock: Clock = time.monotonic, shown: bool = True
    ) -> None:
        self._shown = shown
        self._stream = stream
        self._screen = Screen(stream) if terminal else None
        self._clock = clock
        self._started = clock()
        self._next = self._started + (1.0 if terminal else LINE_INTERVAL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def update(self, text: Callable[[float], str]) -> None:
        """Show `text(seconds so far)` if it is time."""
        now = self._clock()
        if now < self._next or not self._shown:
            return
        line = text(now - self._started)
        self._next = now + (DRAW_INTERVAL if self._screen else LINE_INTERVAL)
        if self._screen:
            self._screen.draw([line[: self._screen.columns - 1]])
        else:
            write_line(self._stream, f"{human_duration(now - self._started)}: {line}")

    def say(self, line: str) -> None:
        """Print a line permanently."""
        if self._screen:
            self._screen.say(line)
        else:
            write_line(self._stream, line)

    def close(self) -> None:
        """Remove the line from a terminal."""
        if self._screen:
            self._screen.draw([])


def status_line(*, shown: bool = True) -> StatusLine:
    """A status line on stderr."""
    return StatusLine(sys.stderr, terminal=streams.is_terminal(sys.stderr), shown=shown)


class _All:
    """Passes events to all listeners in their order, and closes the last one first."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def observe(self, event: Event) -> None:
        for each in self._listeners:
            each.observe(event)

    def close(self) -> None:
        with ExitStack() as stack:
            for each in self._listeners:
                stack.callback(each.close)


def together(*listeners: Listener | None) -> Listener:
    """One listener for all that are not None."""
    present = [each for each in listeners if each is not None]
    return present[0] if len(present) == 1 else _All(present)


class LogFile:
    """The open file. After `begin` it is a listener for events."""

    def __init__(self, path: Path, *, as_json: bool) -> None:
        try:
            raw = open(os.open(path, _FLAGS, 0o600), "wb")  # noqa: PTH123, SIM115 - closed by `end`
        except OSError as error:
            raise UsageError(
                f"The log file {path} cannot be opened: {error.strerror}.", hint="give another --log-file"
            ) from None
        kind = io.TextIOWrapper if as_json else _Stamped  # JSON lines contain their time
        self._stream = kind(raw, encoding="utf-8", errors="backslashreplace", newline="\n")
        self._path = path
        self._json = as_json
        self._listener: Listener | None = None
        self._broken = False

    def begin(self, stats: Stats) -> Self:
        """Prepare for the events of a run; `stats` counts them. Returns itself, as a listener."""
        self._listener = JsonLines(stats, self._stream) if self._json else Lines(stats, self._stream)
        return self

    def observe(self, event: Event) -> None:
        if self._listener is not None:
            listener = self._listener
            self._guarded(lambda: listener.observe(event))

    def close(self) -> None:
        """The progress has ended. The file stays open for the summary, until `end`."""

    def record(self, kind: str, fields: dict[str, Any], lines: Iterable[str]) -> None:
        """Write the fields as an event, or the lines as text."""

        def write() -> None:
            if self._json:
                record = {"schema": LOG_SCHEMA, "time": iso_time(time.time()), "event": kind}
                self._stream.write(json.dumps(record | fields) + "\n")
            else:
                for line in lines:
                    self._stream.write(line + "\n")
            self._stream.flush()

        self._guarded(write)

    def end(self) -> None:
        self._guarded(self._stream.close)

    def _guarded(self, write: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            write()
        except OSError as error:
            self._broken = True
            streams.print_message(f"! The log file {show(str(self._path))} ends here: {error.strerror}")
            with suppress(OSError):
                self._stream.close()


class _Stamped(io.TextIOWrapper):
    """Text lines: writes the time before each line. Each line must be written with one call."""

    def write(self, text: str, /) -> int:
        return super().write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}")


@contextmanager
def opened_log(path: Path | None, argv: Sequence[str], *, as_json: bool) -> Iterator[LogFile | None]:
    """The log of one run: it begins with the command line, and ends with the error,
    if any. None without a path."""
    if path is None:
        yield None
        return
    log = LogFile(path, as_json=as_json)
    words = pasteable(argv)
    log.record(
        "command",
        {"version": __version__, "arguments": words},
        [f"s3haul {__version__}: {command_line(words)}"],
    )
    try:
        yield log
    except S3HaulError as error:
        log.record("error", error_object(error) or {}, error_lines(error))
        raise
    finally:
        log.end()


def summarise(log: LogFile | None, summary: Summary) -> None:
    """Write the summary to the log."""
    if log is not None:
        log.record("summary", summary.as_object(), summary.lines())


class Exporter:
    """Serves the metrics of a run (`--metrics-port`) until it is closed. A listener.

    `requests` gets the time of each request from the transport. Raises `UsageError` if the extra is not
    installed, or the address cannot be used.
    """

    def __init__(self, stats: Stats, source: SourceOptions, address: str, port: int) -> None:
        try:
            from s3haul import metrics  # noqa: PLC0415 - an extra, and 100 ms
        except ImportError:
            raise UsageError(
                "--metrics-port needs the Prometheus client library, which is not installed.",
                hint="pip install 's3haul[metrics]'",
            ) from None
        self._collector = metrics.RunCollector(stats, source)
        registry = metrics.registry_of(self._collector)
        self.requests = metrics.RequestMetrics(registry)
        try:
            self._endpoint = metrics.Endpoint(registry, address, port)
        except OSError as error:
            raise UsageError(
                f"The metrics cannot be served at {address} port {port}: {error.strerror or error}.",
                hint="another --metrics-port, 0 for any free one; --metrics-address names an address of this machine",
            ) from None

    @property
    def note(self) -> Noted:
        return Noted(f"Metrics at {self._endpoint.url}")

    def observe(self, event: Event) -> None:
        self._collector.observe(event)

    def close(self) -> None:
        self._endpoint.close()
