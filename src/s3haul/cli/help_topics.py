"""`s3haul help [TOPIC]`: prints the text of a topic, the page of a diagnosis id, or the flags of a command.

The pages of ids are generated from the code; tests compare the texts of topics with the code.
"""

import csv
import json
from collections.abc import Iterator
from importlib import resources
from textwrap import wrap
from typing import Annotated, NamedTuple

import typer

from s3haul.aws.sdk_settings import SDK_SETTINGS
from s3haul.cli import streams
from s3haul.cli.commands import COMMANDS, load
from s3haul.diagnose.causes import EXAMPLE, statement_of
from s3haul.diagnose.reasons import REASONS
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import UsageError

_FILES = resources.files("s3haul.cli")
_TEXTS = {text.name.partition(".")[0]: text for text in (_FILES / "topics").iterdir()}
_SCHEMAS = {f"schema-{text.name.partition('.')[0]}": text for text in (_FILES / "schemas").iterdir()}
SCHEMA_TOPICS = sorted(_SCHEMAS)
TOPICS = sorted({*_TEXTS, "errors", "settings"})  # these two are generated


def topics(incomplete: str) -> list[str]:
    """What `s3haul help` takes that begins with `incomplete`: for the shell."""
    return sorted(
        name for name in {*TOPICS, *SCHEMA_TOPICS, *COMMANDS, *DIAGNOSES} if name.startswith(incomplete)
    )


_UNTITLED = {
    "errors": "The pages of all error ids",
    "reliability": "What can go wrong, what happens then, and its test",
    "dashboard": "A Grafana dashboard of the metrics",
}

_RELIABILITY_HEADINGS = {
    "P": "What s3haul promises",
    "F": "What can go wrong, and what a run does then",
    "S": "Attacks and accidents, and the protection against them",
}
_RELIABILITY_FOOT = """\
Each row names its test, below tests/ of the source. A simulator executes whole runs in virtual time, with faults,
cancellations, kills and power losses from a seed: make simulate SEED=7. make torture runs 20,000 seeds, kills real runs at
random times and tests outages; make torture-disk kills them at every system call, and simulates power losses of an ext4
disk. The results are in benchmarks/reliability.md."""

EPILOG = """\b
Examples:
  s3haul help
  s3haul help names
  s3haul help cp
  s3haul help S3H-KMS-01
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("help", epilog=EPILOG)(help_topic)


def help_topic(
    topic: Annotated[
        str | None, typer.Argument(help="A topic, a command or an error id.", autocompletion=topics)
    ] = None,
    subcommand: Annotated[
        list[str] | None, typer.Argument(help="Of the command: s3haul help cluster plan.")
    ] = None,
) -> int:
    """Show the help on a topic, a command, or an error id."""
    more = subcommand or []
    if topic is None:
        streams.print_line("\n".join(overview()))
    elif topic in COMMANDS and (more or topic not in TOPICS):
        load(topic).main(
            [*more, "--help"],
            prog_name=f"s3haul {topic}",
            standalone_mode=False,
            help_option_names=["-h", "--help"],
        )
    else:
        streams.print_line(topic_text(" ".join((topic, *more))))
    return 0


def overview() -> Iterator[str]:
    """All topics, commands and kinds of ids."""
    yield "Topics: s3haul help TOPIC"
    for topic in TOPICS:
        title = _UNTITLED.get(topic) or topic_text(topic).partition("\n")[0]
        yield f"  {topic:<14} {title}"
    yield "Flags of a command: s3haul help COMMAND"
    yield from wrap(", ".join(COMMANDS), 78, initial_indent="  ", subsequent_indent="  ")
    yield "What an error means and who fixes it: s3haul help ID, such as S3H-KMS-01"


def topic_text(topic: str) -> str:
    """The text of one topic or error id. Raises `UsageError` for an unknown one."""
    if topic.upper().startswith("S3H-"):
        return _page(topic.upper())
    if topic == "errors":
        return "\n\n".join(_page(each) for each in sorted(DIAGNOSES))
    if topic == "reliability":
        return _reliability()
    if topic == "settings":
        return _settings()
    text = _TEXTS.get(topic) or _SCHEMAS.get(topic)
    if text is None:
        raise UsageError(f"There is no help on {topic!r}.", hint=f"topics: {', '.join(TOPICS)}")
    return text.read_text("utf-8").rstrip()


def _settings() -> str:
    lines = [_ABOUT_SETTINGS]
    for one in SDK_SETTINGS:
        variable = f" ({one.variable})" if one.variable else ""
        lines += [f"  {one.key}{variable}", f"      {one.does}"]
    return "\n".join(lines)


_ABOUT_SETTINGS = """Settings of the AWS SDKs: variable and effect of each

A flag has precedence over a variable, a variable over the profile; an empty variable is not set. A value that a setting
cannot have ends the run before anything is sent. A setting that is not used causes one warning (S3H-CFG-09). s3.NAME
is written below s3 =, indented. `s3haul configure show` prints the effective values and where they come from.
"""


def _page(error_id: str) -> str:
    page = DIAGNOSES.get(error_id)
    if page is None:
        raise UsageError(f"There is no error id {error_id}.", hint="s3haul help errors lists all ids")
    lines = [f"{error_id}  {page.title}", f"  who fixes it: {page.who}", f"  fix: {page.fix}"]
    statement = statement_of(error_id, EXAMPLE)
    if statement:
        lines.append(f"  statement: {json.dumps(statement)}")
    slugs = [slug for slug, reason in REASONS.items() if reason.id == error_id]
    if slugs:
        lines.append(f"  in the manifest, objects with this error have the reason {' or '.join(slugs)}")
    return "\n".join(lines)


class ReliabilityRow(NamedTuple):
    """One row of the table: what can go wrong, what s3haul does then, and the test for it,
    as FILE::FUNCTION below tests/.

    `promise` is the id of the promise that it belongs to, "-" for the promises themselves.
    """

    id: str
    promise: str
    problem: str
    does: str
    test: str


def reliability_rows() -> list[ReliabilityRow]:
    """All rows of the reliability table."""
    text = (resources.files("s3haul.cli") / "topics" / "reliability.tsv").read_text("utf-8")
    return [ReliabilityRow(*fields) for fields in csv.reader(text.splitlines(), delimiter="\t")]


def _reliability() -> str:
    """The table for people."""
    return "\n".join(_reliability_lines())


def _reliability_lines() -> Iterator[str]:
    kind = ""
    for row in reliability_rows():
        if row.id[0] != kind:
            if kind:
                yield ""
            kind = row.id[0]
            yield f"{_RELIABILITY_HEADINGS[kind]}:"
        promise = "" if row.promise == "-" else f" ({row.promise})"
        file, _, test = row.test.partition("::")
        yield f"  {row.id:<4}{row.problem}{promise}"
        yield f"      {row.does}"
        yield f"      {file}: {test.removeprefix('test_').replace('_', ' ')}"
    yield ""
    yield _RELIABILITY_FOOT
