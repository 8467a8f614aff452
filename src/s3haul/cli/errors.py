"""Formats errors for people: a few lines, the exit code, and the command to resume.

All text from outside is escaped with `show`. Returns lines; the commands print them.
"""

import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

from s3haul.core.text import command_line, show
from s3haul.diagnose.table import DIAGNOSES, YOU
from s3haul.errors import NO_THREAD, DestinationError, InterruptedRunError, S3HaulError


def machine_limit(error: BaseException) -> DestinationError | None:
    """The error to show if the system refused a thread or memory, or if the current directory does not exist
    any more; None for any other exception."""
    if isinstance(error, MemoryError):
        return DestinationError(
            "This process cannot get more memory (ulimit -v, or the limit of its container).",
            hint="lower --concurrency, or give it more memory; the same command resumes",
            id="S3H-DST-11",
        )
    if isinstance(error, RuntimeError) and NO_THREAD in str(error):
        soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        limit = "unlimited" if soft == resource.RLIM_INFINITY else soft
        return DestinationError(
            f"No more threads can be started (ulimit -u is {limit}).",
            hint="raise ulimit -u, pids.max of the container, or its memory; the same command resumes",
            id="S3H-DST-11",
        )
    if isinstance(error, FileNotFoundError) and not _has_current_directory():
        return DestinationError(
            "The current directory does not exist any more.", hint="change to a directory that exists"
        )
    return None


def _has_current_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def exit_code_of(error: S3HaulError) -> int:
    """128 + the number of the signal that ended the run; for other errors the code of their class."""
    return error.code if isinstance(error, InterruptedRunError) else error.exit_code


def error_lines(error: S3HaulError) -> Iterator[str]:
    """What happened, the message of the service, what to do, where to read more."""
    yield f"x {_sentence(show(error.message).removesuffix('.'))}   [{error.id}]"
    if error.said:
        yield f"  AWS said: {show(error.said)}"
    if error.seen:
        yield f"  Seen: {show(error.seen)}"
    if (who := error.who or DIAGNOSES[error.id].who) != YOU:
        yield f"  Who fixes it: {who}"
    if error.hint:
        yield f"  Fix: {show(error.hint)}"
    yield f"  More: s3haul help {error.id}"


def resume_line(argv: Sequence[str]) -> str:
    """The command to resume, ready to paste. The user must fill in the External ID, which is not shown."""
    return f"  Resume: s3haul {command_line(pasteable(argv))}"


def pasteable(argv: Sequence[str]) -> list[str]:
    """The command line without the External ID, so that it can be shown."""
    words = list(argv)
    for index, word in enumerate(words):
        if word.startswith("--external-id="):
            words[index] = "--external-id=EXTERNAL-ID"
        elif index and words[index - 1] == "--external-id":
            words[index] = "EXTERNAL-ID"
    return words


def _sentence(message: str) -> str:
    """The message with a capital first letter, unless its first word is a name such as
    `role_arn`, or a path."""
    first = message.partition(" ")[0]
    return message[:1].upper() + message[1:] if first.isalpha() else message
