"""`--log-file`: writes all messages of a run to a file, each line with its time.

The lines are those that stderr gets without a terminal, or the events with --log-format json; at the end the summary or
the error. Lines are appended, and only the owner may read the file. If it cannot be written, the run continues.
"""

import io
import json
import os
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from s3haul import __version__
from s3haul.cli import streams
from s3haul.cli.errors import error_lines, pasteable
from s3haul.cli.render import Ending, error_object
from s3haul.core.stats import Stats
from s3haul.core.text import show
from s3haul.errors import S3HaulError, UsageError
from s3haul.events import Event
from s3haul.progress import LOG_SCHEMA, JsonLines, Lines, Listener

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class LogFile:
    """The open file. After `begin` it is a listener for events."""

    def __init__(self, path: Path, *, as_json: bool) -> None:
        try:
            raw = open(os.open(path, _FLAGS, 0o600), "wb")  # noqa: PTH123, SIM115 - closed by `end`
        except OSError as error:
            raise UsageError(
                f"The log file {path} cannot be opened: {error.strerror}.", hint="give another --log-file"
            ) from None
        kind = _Plain if as_json else _Stamped
        self._stream = kind(raw, encoding="utf-8", errors="backslashreplace", newline="\n")
        self._path = path
        self._json = as_json
        self._listener: Listener | None = None
        self._broken = False

    def begin(self, stats: Stats) -> None:
        """Prepare for the events of a run; `stats` counts them."""
        self._listener = JsonLines(stats, self._stream) if self._json else Lines(stats, self._stream)

    def observe(self, event: Event) -> None:
        if self._listener is not None:
            listener = self._listener
            self._guarded(lambda: listener.observe(event))

    def close(self) -> None:
        """The progress has ended. The file stays open for the summary, until `end`."""

    def tell(self, kind: str, fields: dict[str, Any], lines: Iterable[str]) -> None:
        """Write the fields as an event, or the lines as text."""

        def write() -> None:
            if self._json:
                record = {"schema": LOG_SCHEMA, "time": round(time.time(), 3), "event": kind}
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
            streams.tell(f"! The log file {show(str(self._path))} ends here: {error.strerror}")
            with suppress(OSError):
                self._stream.close()


class _Plain(io.TextIOWrapper):
    """JSON lines, which contain their time."""


class _Stamped(io.TextIOWrapper):
    """Text lines: writes the time before each line. Each line must be written with one call."""

    def write(self, text: str, /) -> int:
        return super().write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}")


@contextmanager
def opened_log(path: Path | None, argv: Sequence[str], *, as_json: bool) -> Iterator[LogFile | None]:
    """The log of one run: it begins with the command line, and ends with the error, if any. None without a path."""
    if path is None:
        yield None
        return
    log = LogFile(path, as_json=as_json)
    words = pasteable(argv)
    log.tell(
        "command",
        {"version": __version__, "arguments": words},
        [f"s3haul {__version__}: {show(shlex.join(words))}"],
    )
    try:
        yield log
    except S3HaulError as error:
        log.tell("error", error_object(error) or {}, error_lines(error))
        raise
    finally:
        log.end()


def summarise(log: LogFile | None, ending: Ending) -> None:
    """Write the summary to the log."""
    if log is not None:
        log.tell("summary", ending.as_object(), ending.lines())


class Both:
    """Passes events to the log first, then to a listener."""

    def __init__(self, log: LogFile, listener: Listener) -> None:
        self._log, self._listener = log, listener

    def observe(self, event: Event) -> None:
        self._log.observe(event)
        self._listener.observe(event)

    def close(self) -> None:
        self._listener.close()


def with_log(listener: Listener, log: LogFile | None, stats: Stats) -> Listener:
    """The listener, combined with the log if there is one."""
    if log is None:
        return listener
    log.begin(stats)
    return Both(log, listener)
