"""`s3haul help [TOPIC]`: the longer texts that ship with the package, one page per diagnosis id, the flags of a command.

Tables are generated from the code that they describe, so they cannot drift from it.
"""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Annotated

import typer

from s3haul.cli import streams
from s3haul.cli.commands import COMMANDS, load
from s3haul.cli.completion import topics
from s3haul.diagnose.reasons import REASONS
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import UsageError
from s3haul.preflight.statements import EXAMPLE, statement_of

TOPICS = (
    *("compatibility", "exit-codes", "errors", "filters", "resume", "large-objects", "names"),
    *("manifest", "json", "threat-model", "conventions", "measuring", "metrics", "dashboard"),
)

_UNTITLED = {
    "errors": "The pages of all error ids",
    "dashboard": "A Grafana dashboard of these metrics, to be imported there",
}

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
) -> int:
    """Longer texts on a topic, the flags of a command, or the page of an error id."""
    if topic is None:
        streams.put("\n".join(overview()))
    elif topic in COMMANDS and topic not in TOPICS:
        load(topic).main(
            ["--help"],
            prog_name=f"s3haul {topic}",
            standalone_mode=False,
            help_option_names=["-h", "--help"],
        )
    else:
        streams.put(topic_text(topic))
    return 0


def overview() -> Iterator[str]:
    """What can be asked for, a line each."""
    yield "Topics: s3haul help TOPIC"
    for topic in TOPICS:
        title = _UNTITLED.get(topic) or topic_text(topic).partition("\n")[0]
        yield f"  {topic:<14} {title}"
    yield "Flags of a command: s3haul help COMMAND"
    yield f"  {', '.join(COMMANDS)}"
    yield "What an error means and who fixes it: s3haul help ID, such as S3H-KMS-01"


def topic_text(topic: str) -> str:
    """The text of one topic or error id. Raises `UsageError` for an unknown one."""
    if topic.upper().startswith("S3H-"):
        return _page(topic.upper())
    if topic == "errors":
        return "\n\n".join(_page(each) for each in sorted(DIAGNOSES))
    if topic not in TOPICS:
        raise UsageError(f"There is no help on {topic!r}.", hint=f"topics: {', '.join(TOPICS)}")
    name = "dashboard.json" if topic == "dashboard" else f"{topic}.md"
    return (resources.files("s3haul.cli") / "topics" / name).read_text("utf-8").rstrip()


def _page(error_id: str) -> str:
    page = DIAGNOSES.get(error_id)
    if page is None:
        raise UsageError(f"There is no page on {error_id}.", hint="s3haul help errors lists the ids")
    lines = [f"{error_id}  {page.title}", f"  who fixes it: {page.who}", f"  fix: {page.fix}"]
    statement = statement_of(error_id, EXAMPLE)
    if statement:
        lines.append(f"  statement: {json.dumps(statement)}")
    slugs = [slug for slug, reason in REASONS.items() if reason.id == error_id]
    if slugs:
        lines.append(f"  objects with the reason {' or '.join(slugs)} in the manifest have this trouble")
    return "\n".join(lines)
