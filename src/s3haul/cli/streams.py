"""Standard streams that may be closed, full or gone: a haul does not depend on somebody reading along.

Writes to stderr never fail; writes to stdout fail as an error that can be read. Nothing here formats but the
colour of marks.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import TextIO

from s3haul.core.text import colour_mark, folded
from s3haul.errors import DestinationError


class ReaderGoneError(Exception):
    """Nobody reads stdout any more, as after `| head`. Not an OSError, of which typer makes exit code 1."""


def occupy_closed() -> None:
    """Open /dev/null where the caller closed a standard stream.

    Its descriptor would go to the next file that is opened, and messages would be written into that.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def escape_unknown() -> None:
    """What stdout cannot encode is written escaped: a key's letters must not end a run in a C locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def is_terminal(stream: TextIO) -> bool:
    """Whether the cursor can be moved there."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colour_allowed(stream: TextIO) -> bool:
    """On a terminal, unless NO_COLOR is set to anything."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def tell(text: str) -> None:
    """Write `text` and a line end to stderr, if somebody is there."""
    with unheard(sys.stderr):
        sys.stderr.write(_for_people(text, sys.stderr) + "\n")
        sys.stderr.flush()


@contextlib.contextmanager
def unheard(stream: TextIO) -> Iterator[None]:
    """A stream that breaks inside (a closed terminal or pipe) is silent from then on, and that is all."""
    try:
        yield
    except OSError:
        silence(stream)


def put(text: str) -> None:
    """Write `text` and a line end to stdout. Raises `ReaderGoneError`, or `DestinationError` for a full disk."""
    with _readable_trouble():
        sys.stdout.write(text + "\n")


def put_bytes(data: bytes | memoryview) -> None:
    """Write all of `data` to stdout at once. Raises as `put`; may be called in any thread."""
    rest = memoryview(data)
    with _readable_trouble():
        while rest:
            rest = rest[os.write(sys.stdout.fileno(), rest) :]


def put_report(text: str) -> None:
    """As `put`; on a terminal folded to its width, with the marks of warnings and errors in colour if allowed."""
    put(_for_people(text, sys.stdout))


def _for_people(text: str, stream: TextIO) -> str:
    if stream.isatty():
        text = folded(text, get_terminal_size((80, 24)).columns)
    return colour_mark(text) if colour_allowed(stream) else text


def flush() -> None:
    """What was `put` so far is written. Raises as `put`."""
    with _readable_trouble():
        sys.stdout.flush()


def silence(stream: TextIO) -> None:
    """Send what is still written to `stream`, its buffer included, to nobody."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


@contextlib.contextmanager
def _readable_trouble() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        silence(sys.stdout)
        raise ReaderGoneError from None
    except OSError as error:
        silence(sys.stdout)
        raise DestinationError(
            f"Cannot write to standard output: {error.strerror}.",
            hint="the files and the journal are in place; look at where the output goes",
        ) from error
