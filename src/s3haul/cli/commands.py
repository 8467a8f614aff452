"""The commands by name, each in a module of its own that is imported when it is called.

A start costs what it imports: listing the commands, or running one, loads none of the others.
"""

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Listed(NamedTuple):
    """Where a command is (a module beside this one, with `register`), and the first line of its help."""

    module: str
    summary: str


COMMANDS = {
    "cp": Listed("cp", "Copy objects to local disk: verified, resumable, every key accounted for."),
    "check": Listed(
        "check", "Check access and destination, step by step, and name what is wrong, who fixes it and how."
    ),
    "policy": Listed(
        "policy", "Print the policies of both accounts, or find what is wrong with them (lint)."
    ),
    "configure": Listed(
        "configure",
        "Write the role's profile into the AWS configuration file, or tell what is in effect (show).",
    ),
    "status": Listed(
        "status", "Tell how far the run on DEST is, also while it goes on, or how the last one ended."
    ),
    "limit": Listed(
        "limit", "Change the limits of the run that is under way on DEST; it follows within a second or two."
    ),
    "manifest": Listed("manifest", "Print what became of every listed key, as JSON lines on stdout."),
    "verify": Listed(
        "verify",
        "Re-read every hauled file and compare it with the checksum that S3 stored. Needs no network.",
    ),
    "demo": Listed(
        "demo", "Haul a KMS-encrypted bucket of an embedded AWS through a role with an External ID."
    ),
    "help": Listed(
        "help_topics",
        "Longer texts on a topic, the flags of a command, or the page of an error id.",
    ),
}


class Grouped(TyperCommand):
    """A command whose help groups its flags by their panels, without the variable of each."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)
        for param in params:
            param.show_envvar = False
        return params

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                usual = "Arguments" if param.param_type_name == "argument" else "Other"
                groups.setdefault(getattr(param, "rich_help_panel", None) or usual, []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


class Commands(TyperGroup):
    """A group whose commands are names and summaries until one of them is called or completed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=listed.summary) for name, listed in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> Any:
    """The command of this name, with its flags."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    import_module(f"s3haul.cli.{COMMANDS[name].module}").register(app)
    return typer.main.get_group(app).commands[name]
