"""`s3haul help [TOPIC]`: the longer texts that ship with the package, one page per diagnosis id, the flags of a command.

Tables are generated from the code that they describe, so they cannot drift from it.
"""

import json
from importlib import resources
from typing import Annotated

import typer

from s3haul.cli import streams
from s3haul.cli.commands import COMMANDS, load
from s3haul.cli.completion import topics
from s3haul.cli.reliability import reliability_text
from s3haul.diagnose.reasons import REASONS
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import UsageError
from s3haul.preflight.statements import EXAMPLE, statement_of

TOPICS = (
    *("compatibility", "exit-codes", "errors", "filters", "resume", "large-objects", "names"),
    *("manifest", "json", "threat-model", "reliability"),
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("help")(help_topic)


def help_topic(
    topic: Annotated[
        str | None, typer.Argument(help="A topic, a command or an error id.", autocompletion=topics)
    ] = None,
) -> int:
    """Longer texts on a topic, the flags of a command, or the page of an error id."""
    if topic is None:
        streams.put(f"Topics: {', '.join(TOPICS)}; commands: {', '.join(COMMANDS)}; or an error id.")
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


def topic_text(topic: str) -> str:
    """The text of one topic or error id. Raises `UsageError` for an unknown one."""
    if topic.upper().startswith("S3H-"):
        return _page(topic.upper())
    if topic == "errors":
        return "\n\n".join(_page(each) for each in sorted(DIAGNOSES))
    if topic == "reliability":
        return reliability_text()
    if topic not in TOPICS:
        raise UsageError(f"There is no help on {topic!r}.", hint=f"topics: {', '.join(TOPICS)}")
    return (resources.files("s3haul.cli") / "topics" / f"{topic}.md").read_text("utf-8").rstrip()


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
