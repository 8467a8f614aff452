"""`s3haul report`: writes one page about a destination, from its journal, or the same as JSON or Markdown."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s3haul.cli import flags, streams
from s3haul.cli.parsing import is_stream
from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.core.text import human_bytes, show
from s3haul.errors import UsageError

if TYPE_CHECKING:  # help stays fast
    from s3haul.report.content import Report

EPILOG = """\b
Examples:
  s3haul report ./data
  s3haul report ./data -o report.md
  s3haul report ./data -o - --format json | jq .objects

Without -o the report is in DEST/.s3haul, and replaces the one before.
"""


class Formats(StrEnum):
    """The format of the report."""

    HTML = "html"
    JSON = "json"
    MARKDOWN = "markdown"


SUFFIXES = {".html": Formats.HTML, ".htm": Formats.HTML, ".json": Formats.JSON, ".md": Formats.MARKDOWN}
_SUFFIX = {Formats.HTML: ".html", Formats.JSON: ".json", Formats.MARKDOWN: ".md"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("report", epilog=EPILOG)(report)


def report(
    dest: flags.State,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write it; - is stdout. Default: DEST/.s3haul/report.html",
        ),
    ] = None,
    form: Annotated[
        Formats | None, typer.Option("--format", help="Default: by the suffix of FILE; html if it has none.")
    ] = None,
) -> int:
    """Write a page about DEST: what is here, how it was verified, what is missing and why, and all runs.

    The page is one file that needs neither network nor JavaScript. Works during a run, too.
    """
    from s3haul.disk.root import holder_of  # noqa: PLC0415 - help stays fast
    from s3haul.report.content import gather  # noqa: PLC0415 - same

    if output is None:
        form = form or Formats.HTML
        output = str(dest / STATE_DIRECTORY / f"report{_SUFFIX[form]}")
    form = form or _form_of(output)
    if is_stream(Path(output)):  # it would be replaced by a file
        raise UsageError(f"{output} is not a file.", hint="-o - writes the report to standard output")
    found = gather(dest, under_way=holder_of(dest) is not None)
    text = _written_as(form, found)
    if output == "-":
        streams.print_line(text.removesuffix("\n"))
        return 0
    _replace(Path(output), text)
    streams.print_line(f"{show(output)}: {_said(found)}; {human_bytes(len(text.encode()))}")
    return 0


def _form_of(output: str) -> Formats:
    """By the suffix. Raises `UsageError` for one of another format."""
    suffix = Path(output).suffix.lower()
    if suffix and suffix not in SUFFIXES:
        raise UsageError(
            f"A report cannot be written as {suffix}.",
            hint=f"end FILE with {', '.join(SUFFIXES)}, or choose one with --format",
        )
    return SUFFIXES.get(suffix, Formats.HTML)


def _written_as(form: Formats, found: "Report") -> str:
    match form:
        case Formats.HTML:
            from s3haul.report.page import html  # noqa: PLC0415 - only what is asked for

            return html(found)
        case Formats.JSON:
            from s3haul.report.content import as_object  # noqa: PLC0415 - same

            return json.dumps(as_object(found)) + "\n"
        case Formats.MARKDOWN:
            from s3haul.report.text import markdown  # noqa: PLC0415 - same

            return "\n".join(markdown(found)) + "\n"


def _said(found: "Report") -> str:
    return ", ".join(
        f"{amount.objects:,} {state}"
        for state, amount in found.states.items()
        if amount.objects or state == "done"
    )


def _replace(path: Path, text: str) -> None:
    from s3haul.disk.new_file import new_file  # noqa: PLC0415 - same

    try:
        with new_file(path) as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"The report cannot be written to {path}: {error.strerror}.", hint="name another file by -o"
        ) from None
