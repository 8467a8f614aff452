"""Formats errors of the command-line parser like all other errors: what is wrong, what to do, where to read more."""

import re
import shlex
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import typer

from s3haul.cli.commands import COMMANDS
from s3haul.cli.errors import error_lines, pasteable
from s3haul.cli.habits import COMMANDS as FOREIGN_COMMANDS
from s3haul.cli.habits import FLAGS as FOREIGN_FLAGS
from s3haul.core.text import show
from s3haul.errors import UsageError

EXAMPLES = 2


def refusal(error: typer.TyperException, argv: Sequence[str]) -> Iterator[str]:
    """The lines for an exception of typer. Its classes are private, so attributes distinguish the kinds of error."""
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context else "s3haul"
    message = error.format_message().partition(" Did you mean")[0].partition(" (Possible options")[0]
    hint, usage = None, message.startswith("Missing argument")
    if flag := getattr(error, "option_name", None):
        near = list(getattr(error, "possibilities", None) or ())
        hint = FOREIGN_FLAGS.get(flag) or (f"did you mean: {', '.join(near)}" if near else None)
    elif message.startswith("No such command"):
        hint = _instead_of(argv)
    elif message.startswith("Got unexpected extra") and any(
        word in argv for word in ("--include", "--exclude")
    ):
        hint = "quote patterns, or the shell replaces them by file names: --exclude '*'"
    *lines, more = error_lines(
        UsageError(message, hint=hint or f"{command} --help lists its arguments and flags")
    )
    if usage:
        lines = [*lines[:1], *_usage(context)]
    yield from (*lines, more)


def _instead_of(argv: Sequence[str]) -> str:
    """A hint for an unknown command: what to use instead."""
    word, *rest = argv
    answer = FOREIGN_COMMANDS.get(word)
    if answer is None:
        near = get_close_matches(word, COMMANDS)
        return f"did you mean: {', '.join(near)}" if near else f"commands: {', '.join(COMMANDS)}"
    if isinstance(answer, str):
        return answer
    if word == "s3":
        rest = rest[1:]
    if not rest or rest[-1].startswith("s3://"):
        rest = [*(rest or ["s3://BUCKET"]), "./data"]
    command = shlex.join(["s3haul", *answer.words, *pasteable(rest)])
    return f"{command}   ({answer.said})" if answer.said else command


def _usage(context: Any) -> Iterator[str]:
    words = " ".join(context.command.collect_usage_pieces(context))
    yield f"  Usage: {context.command_path} {re.sub('[{}]', '', words)}"
    examples = re.findall(r"^  s3haul (?:.*\\\n)*.*$", context.command.epilog or "", re.MULTILINE)
    yield from (f"    {show(example.strip())}" for example in examples[:EXAMPLES])
