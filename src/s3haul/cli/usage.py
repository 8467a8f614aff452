"""Errors of the command-line parser, formatted like all other errors: what is wrong,
what to do, where to read more.

For a command or flag of aws s3, s5cmd, rclone, gsutil and similar tools the hint says
what to use here instead.
"""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import typer

from s3haul.cli.commands import COMMANDS
from s3haul.cli.errors import error_lines, pasteable
from s3haul.cli.flags import variable_of
from s3haul.core.text import show
from s3haul.diagnose.table import fill_placeholders
from s3haul.errors import UsageError

EXAMPLES = 2
_NO_UPLOAD = "s3haul only downloads"
_RESUMES = "give the same s3haul cp command again: it resumes"
_PARALLEL = "not needed: the number of parallel requests adapts itself; --concurrency N limits it"
_EXISTING = "--existing verify|overwrite|skip sets what to do with existing files"
_TRUSTS = "s3haul always verifies certificates, to protect credentials and data: give your authority with --ca-bundle"
_UPLOAD_FLAG = f"{_NO_UPLOAD}: leave it out"
_ALWAYS = "leave it out: s3haul cp always does this"
_PROGRESS = "leave it out: progress is always shown; -q and --no-progress switch it off"


class Replacement(NamedTuple):
    """The words that replace the command, before the user's other arguments; and a remark."""

    words: tuple[str, ...]
    remark: str = ""


_CP = Replacement(("cp",))
_SYNC = Replacement(("cp",), "it downloads only what is new or changed, and deletes nothing")
_LIST = Replacement(("cp", "--dryrun"), "it lists and counts, and downloads nothing")

FOREIGN_COMMANDS: dict[str, Replacement | str] = {
    **dict.fromkeys(("s3", "copy", "get", "download", "clone", "fetch", "haul"), _CP),
    **dict.fromkeys(("sync", "mirror", "rsync"), _SYNC),
    **dict.fromkeys(("ls", "list", "lsf", "tree", "du", "size", "plan"), _LIST),
    **dict.fromkeys(("cat", "pipe"), "s3haul cp s3://BUCKET/KEY - writes one object to standard output"),
    **dict.fromkeys(("resume", "continue", "retry"), _RESUMES),
    **dict.fromkeys(("put", "upload", "mv", "move", "rm", "del", "delete", "purge", "mb", "rb"), _NO_UPLOAD),
    "version": "s3haul --version",
    **dict.fromkeys(("doctor", "whoami", "login", "auth", "test", "ping"), "s3haul check s3://BUCKET"),
    **dict.fromkeys(("config", "init", "setup"), "s3haul configure"),
    **dict.fromkeys(("log", "audit"), "s3haul manifest DEST"),
    **dict.fromkeys(("completion", "autocomplete"), "s3haul --install-completion"),
}

FOREIGN_FLAGS = {
    **dict.fromkeys(("--no-verify-ssl", "--no-check-certificate", "--insecure", "-k"), _TRUSTS),
    **dict.fromkeys(("--delete", "--delete-after", "--delete-excluded"), "s3haul never deletes a file"),
    "--no-sign-request": "s3haul cp, bench and cluster plan have it; without credentials there is no access to check",
    **dict.fromkeys(
        (
            *("--numworkers", "--transfers", "--checkers", "--workers", "--jobs", "-j", "--threads"),
            *("--max-concurrent-requests", "--multi-thread-streams", "-c", "-m"),
        ),
        _PARALLEL,
    ),
    **dict.fromkeys(
        ("--part-size", "-p", "--multipart-chunksize", "--chunk-size", "--buffer-size"),
        "leave it out: the sizes of requests adapt (s3haul help large-objects)",
    ),
    **dict.fromkeys(("--no-clobber", "--ignore-existing", "--skip-existing"), "--existing skip"),
    **dict.fromkeys(("--overwrite", "--ignore-times"), "--existing overwrite"),
    **dict.fromkeys(
        ("--size-only", "--exact-timestamps", "--update", "-u", "--if-size-differ", "--if-source-newer"),
        f"leave it out: files are compared with the stored checksum; {_EXISTING}",
    ),
    **dict.fromkeys(("--resume", "--continue", "--checksum", "--verify", "--check", "--parents"), _ALWAYS),
    **dict.fromkeys(
        ("--retries", "--retry-count", "--low-level-retries", "--max-retries"),
        "--retry-timeout TIME limits how long requests are retried, AWS_MAX_ATTEMPTS the attempts",
    ),
    **dict.fromkeys(("--timeout", "--read-timeout", "--contimeout"), "--stall-timeout SECONDS"),
    "--case-conflict": "leave it out: two keys never get one file (s3haul help S3H-DST-10)",
    **dict.fromkeys(("--progress", "-P", "--show-progress", "--stats"), _PROGRESS),
    **dict.fromkeys(
        ("--log-level", "--log", "-vv", "--vv"), "-v prints more, --log-format json prints all events"
    ),
    **dict.fromkeys(("--output", "--format", "--query"), "--json prints the summary as one JSON object"),
    **dict.fromkeys(
        ("--sse-c", "--sse-c-key", "--sse-c-copy-source"),
        "s3haul does not support SSE-C (customer-provided keys)",
    ),
    **dict.fromkeys(
        ("--versions", "--s3-versions"),
        "--all-versions takes all, --at TIME those of a moment (s3haul help sources)",
    ),
    "--s3-version-at": "--at TIME",
    "--point-in-time": "--at TIME",
    "--rewind": "--at TIME",
    "--max-age": "--newer-than TIME",
    "--min-age": "--older-than TIME",
    "--filter-include-regex": "--regex PATTERN",
    "--manifest-file": "--files-from FILE (s3haul help sources)",
    **dict.fromkeys(
        (
            *("--acl", "--grants", "--content-type", "--metadata", "--cache-control"),
            *("--website-redirect", "--content-disposition", "--content-encoding", "--content-language"),
            *("--expires", "--metadata-directive", "--copy-props", "--expected-size", "--guess-mime-type"),
            *("--no-guess-mime-type", "--checksum-algorithm", "--tagging"),
        ),
        _UPLOAD_FLAG,
    ),
    **dict.fromkeys(("--filter", "--filter-from"), "--include and --exclude (s3haul help filters)"),
}


def usage_error_lines(error: typer.TyperException, argv: Sequence[str]) -> Iterator[str]:
    """The lines for an exception of typer. Its classes are private,
    so attributes distinguish the kinds of error."""
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context else "s3haul"
    if command == "s3haul" and argv[0] in COMMANDS:  # a flag without its value has no context
        command = f"s3haul {argv[0]}"
    message = error.format_message().partition(" Did you mean")[0].partition(" (Possible options")[0]
    hint, usage = None, message.startswith("Missing argument")
    if flag := getattr(error, "option_name", None):
        near = list(getattr(error, "possibilities", None) or ())
        hint = FOREIGN_FLAGS.get(flag) or (f"did you mean: {', '.join(near)}" if near else None)
        if command == "s3haul":
            hint = _behind_the_command(argv) or hint
    elif (variable := _variable_of(error, argv)) is not None:
        hint = f"the value is that of the environment variable {variable}"
    elif message.startswith("No such command"):
        commands = "" if context.parent is None else ", ".join(context.command.commands)
        hint = f"commands: {command} {commands}" if commands else _instead_of(argv)
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
        url = next((shlex.quote(each) for each in rest if each.startswith("s3://")), "")
        return fill_placeholders(answer, {"s3://BUCKET/KEY": url, "s3://BUCKET": url})
    if word == "s3":
        rest = rest[1:]
    if not rest or rest[-1].startswith("s3://"):
        rest = [*(rest or ["s3://BUCKET"]), "./data"]
    elif answer is _LIST:  # it has no DEST
        source = next((number for number, each in enumerate(rest) if each.startswith("s3://")), len(rest) - 1)
        rest.insert(source + 1, "./data")
    command = shlex.join(["s3haul", *answer.words, *pasteable(rest)])
    return f"{command}   ({answer.remark})" if answer.remark else command


def _variable_of(error: typer.TyperException, argv: Sequence[str]) -> str | None:
    """The variable that has the wrong value of a flag; None if the flag was typed."""
    param: Any = getattr(error, "param", None)
    if param is None or any(word.partition("=")[0] in param.opts for word in argv):
        return None
    variable = variable_of(param.name)
    return variable if variable in os.environ else None


def _behind_the_command(argv: Sequence[str]) -> str | None:
    """A hint for flags in front of the command, as in `aws --profile P s3 cp`;
    None if there is no command."""
    at = next((number for number, word in enumerate(argv) if word in COMMANDS), None)
    if at is None:
        return None
    flags = argv[: at - 1] if argv[at - 1] == "s3" else argv[:at]
    return f"flags follow the command: {shlex.join(['s3haul', *pasteable([*argv[at:], *flags])])}"


def _usage(context: Any) -> Iterator[str]:
    words = " ".join(context.command.collect_usage_pieces(context))
    yield f"  Usage: {context.command_path} {re.sub('[{}]', '', words)}"
    examples = re.findall(r"^  s3haul (?:.*\\\n)*.*$", context.command.epilog or "", re.MULTILINE)
    yield from (f"    {show(example.strip())}" for example in examples[:EXAMPLES])
