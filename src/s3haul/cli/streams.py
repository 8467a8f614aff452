"""Writes to standard streams, which may be closed or full: a run must not depend on a reader.

After `prepare`, errors of stderr are ignored, and errors of stdout become an `S3HaulError`. Text is not
formatted here, except that a terminal gets folded lines, coloured marks, and no control characters of data
(`print_data`).
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import Any, TextIO

from s3haul.core.text import colour_mark, folded, key_octets, show
from s3haul.errors import DestinationError

STDOUT = 1  # the descriptor, and the name of the stream that `prepare` opens on it if it is closed


class ReaderGoneError(Exception):
    """The reader of stdout has ended, as with `| head`. Not an OSError,
    because typer would exit with code 1."""


class _Stdout(io.BufferedWriter):
    """Standard output whose errors are `ReaderGoneError` and `DestinationError`,
    also for what typer prints."""

    def write(self, data: Any, /) -> int:
        with _translated():
            return super().write(data)

    def flush(self) -> None:
        with _translated():
            super().flush()


class _Stderr(io.BufferedWriter):
    """Standard error, which is silent after its first error (a closed terminal or pipe)."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            _redirect_to_null(self)
            return len(data)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _redirect_to_null(self)


def prepare() -> None:
    """Replace standard streams that the caller closed, and `sys.stdout` and `sys.stderr`,
    so that their errors are handled.

    If a closed stream is not replaced, the next file that is opened gets its descriptor, and messages are
    written into that file. Characters that stdout cannot encode are escaped: otherwise a key could end a run
    in a C locale.
    """
    # Read-only for stdout: a write is an error then (EBADF), as if it were still closed.
    for number, name, mode, flag in (
        (0, "stdin", "r", os.O_RDONLY),
        (STDOUT, "stdout", "w", os.O_RDONLY),
        (2, "stderr", "w", os.O_WRONLY),
    ):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flag)  # gets the lowest free number, which is this one
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    sys.stdout, sys.stderr = _rewritten(sys.stdout, _Stdout), _rewritten(sys.stderr, _Stderr)


def _rewritten(stream: TextIO, writer: type[io.BufferedWriter]) -> TextIO:
    """The stream with another writer below; unchanged if it is no file."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, lines = stream.encoding, stream.line_buffering or stream.write_through
    buffer = stream.detach()
    raw = (
        buffer.detach() if isinstance(buffer, io.BufferedWriter) else buffer
    )  # PYTHONUNBUFFERED has no buffer
    return io.TextIOWrapper(writer(raw), encoding=encoding, errors="backslashreplace", line_buffering=lines)


def is_closed() -> bool:
    """Whether the caller closed stdout."""
    return getattr(sys.stdout, "name", "") == STDOUT


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal on which the cursor can be moved."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colour_allowed(stream: TextIO) -> bool:
    """True on a terminal, unless NO_COLOR is set."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def print_message(text: str) -> None:
    """Write `text` and a line end to stderr."""
    sys.stderr.write(_for_terminal(text, sys.stderr) + "\n")
    sys.stderr.flush()


def print_line(text: str) -> None:
    """Write `text` and a line end to stdout. Raises `ReaderGoneError`,
    or `DestinationError` for a full disk."""
    sys.stdout.write(text + "\n")


def print_data(line: str) -> None:
    """Write a line for programs, with a line end, to stdout: the very bytes of the keys in it; on a terminal,
    text that `show` made harmless. Raises as `print_line`."""
    if sys.stdout.isatty():
        print_line(show(line))
    else:
        sys.stdout.buffer.write(key_octets(line) + b"\n")


def write_bytes(data: bytes | memoryview) -> None:
    """Write all of `data` to stdout without buffering. Raises as `print_line`;
    may be called in any thread."""
    rest = memoryview(data)
    with _translated():
        while rest:
            rest = rest[os.write(sys.stdout.fileno(), rest) :]


def print_report(text: str) -> None:
    """As `print_line`; on a terminal folded to its width, with the marks of warnings and errors
    in colour if allowed."""
    print_line(_for_terminal(text, sys.stdout))


def _for_terminal(text: str, stream: TextIO) -> str:
    if stream.isatty():
        text = folded(text, get_terminal_size((80, 24)).columns)
    return colour_mark(text) if colour_allowed(stream) else text


def flush() -> None:
    """Write everything that is still buffered for stdout. Raises as `print_line`."""
    sys.stdout.flush()


def _redirect_to_null(stream: TextIO | io.BufferedWriter) -> None:
    """Redirect `stream` to /dev/null, including what is still in its buffer:
    else Python fails again at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _redirect_to_null(sys.stdout)
        raise ReaderGoneError from None
    except OSError as error:
        _redirect_to_null(sys.stdout)
        if error.errno == errno.EBADF:
            raise DestinationError(
                "Standard output is closed.", hint="send it to a file or a program"
            ) from None
        raise DestinationError(
            f"Cannot write to standard output: {error.strerror}.",
            hint="files and journal are complete; check where standard output is written to",
        ) from error
