"""The man page, made from the command line itself and from the help texts: `make man` writes man/s3haul.1.

Text in, roff out. No date: the same sources make the same bytes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s3haul import __version__
from s3haul.cli.commands import COMMANDS, load
from s3haul.cli.help_topics import TOPICS, topic_text

PAGE = Path(__file__).parents[1] / "man" / "s3haul.1"
SUMMARY = "copy an SSE-KMS bucket of another account to local disk, verified and resumable"


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH S3HAUL 1 "" "s3haul {__version__}" "User Commands"'
    yield from _section("NAME", f"s3haul \\- {SUMMARY}")
    yield from _section("SYNOPSIS", ".B s3haul\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR] ...")
    yield ".SH COMMANDS"
    for name, summary in COMMANDS.items():
        yield from (".TP", f".B s3haul {name}", escaped(summary))
    for name in COMMANDS:
        yield from _command(name, load(name))
    yield from _section("EXIT STATUS", _verbatim(topic_text("exit-codes").partition("\n\n")[2]))
    yield from _section("ENVIRONMENT", _environment())
    yield from _section("FILES", _files())
    yield from _section(
        "SEE ALSO",
        f"\\fBs3haul help\\fR \\fITOPIC\\fR, where TOPIC is one of {escaped(', '.join(TOPICS))}, a command or"
        " the id of an error.",
    )


def _section(title: str, text: str) -> Iterator[str]:
    yield f".SH {title}"
    yield text


def _command(name: str, command: Any) -> Iterator[str]:
    """One command, with those below it."""
    context = command.make_context(name, [], resilient_parsing=True)
    yield f'.SH "s3haul {name}"'
    yield escaped(" ".join((command.help or "").split("\f")[0].split()))
    yield from _parameters(context, command)
    for sub, nested in getattr(command, "commands", {}).items():
        yield f'.SS "s3haul {name} {sub}"'
        yield escaped(" ".join((nested.help or "").split()))
        yield from _parameters(nested.make_context(sub, [], resilient_parsing=True), nested)
    if command.epilog:
        yield _verbatim(command.epilog.replace("\b\n", ""))


def _parameters(context: Any, command: Any) -> Iterator[str]:
    for param in command.get_params(context):
        if record := param.get_help_record(context):
            yield from (".TP", f".B {escaped(record[0])}", escaped(record[1]))


def _verbatim(text: str) -> str:
    return f".PP\n.nf\n{escaped(text.strip())}\n.fi"


def _environment() -> str:
    return (
        "Each option of \\fBcp\\fR and \\fBcheck\\fR can be given by a variable: \\fB\\-\\-role\\-arn\\fR as"
        " \\fBS3HAUL_ROLE_ARN\\fR. Variables of AWS (\\fBAWS_PROFILE\\fR, \\fBAWS_CA_BUNDLE\\fR and others) mean what"
        " they mean to the AWS CLI. \\fBNO_COLOR\\fR switches colours off."
    )


def _files() -> str:
    return (
        ".TP\n.I ~/.aws/config\nProfiles, as the AWS CLI reads them.\n"
        ".TP\n.I DEST/.s3haul\nThe journal of the runs on DEST, and what is being written."
    )


def escaped(text: str) -> str:
    """Any text as roff that prints it."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
