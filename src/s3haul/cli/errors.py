"""Errors made readable: five lines at most, the exit code, and the command that goes on.

Everything that came from outside passes through `show`. Returns lines; printing is the commands'.
"""

import resource
import shlex
from collections.abc import Iterator, Sequence

from s3haul.core.text import show
from s3haul.diagnose.table import DIAGNOSES, YOU
from s3haul.errors import NO_THREAD, DestinationError, InterruptedRunError, S3HaulError


def machine_limit(error: BaseException) -> DestinationError | None:
    """The error for a machine that gives no more threads or memory, if it is that."""
    if isinstance(error, MemoryError):
        return DestinationError(
            "There is no memory left for this process (ulimit -v, or the limit of its container).",
            hint="lower --concurrency, or give it more memory; the same command resumes",
            id="S3H-DST-11",
        )
    if isinstance(error, RuntimeError) and NO_THREAD in str(error):
        soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        limit = "unlimited" if soft == resource.RLIM_INFINITY else soft
        return DestinationError(
            f"No further thread can be started (ulimit -u is {limit}).",
            hint="raise ulimit -u, pids.max of the container, or its memory; the same command resumes",
            id="S3H-DST-11",
        )
    return None


def exit_code_of(error: S3HaulError) -> int:
    """Signals end with 128 + their number, everything else with the code of its class."""
    return error.code if isinstance(error, InterruptedRunError) else error.exit_code


def error_lines(error: S3HaulError) -> Iterator[str]:
    """What happened, the service's own words, what to do, where to read on."""
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
    """The command that goes on, to be pasted; an External ID in it is left for the user to fill in."""
    return f"  Resume: s3haul {show(shlex.join(pasteable(argv)))}"


def pasteable(argv: Sequence[str]) -> list[str]:
    """The command line, to be shown: without the External ID."""
    words = list(argv)
    for index, word in enumerate(words):
        if word.startswith("--external-id="):
            words[index] = "--external-id=EXTERNAL-ID"
        elif index and words[index - 1] == "--external-id":
            words[index] = "EXTERNAL-ID"
    return words


def _sentence(message: str) -> str:
    """With a capital letter, unless it begins with a name (`role_arn`, a path) that must stay as it is."""
    first = message.partition(" ")[0]
    return message[:1].upper() + message[1:] if first.isalpha() else message
