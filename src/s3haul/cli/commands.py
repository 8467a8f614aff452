"""The commands by name. Each has its own module, which is imported only if the command is called.

Imports are most of the start-up time, so running one command, or listing all, does not import the others.
"""

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Listed(NamedTuple):
    """The module of a command (in this package, with a function `register`), and the first line of its help."""

    module: str
    summary: str


COMMANDS = {
    "cp": Listed("cp", "Copy objects to local disk, verified and resumable."),
    "check": Listed("check", "Test access and destination, and find the cause of errors."),
    "policy": Listed("policy", "Print the policies that both accounts need, or check them (lint)."),
    "configure": Listed(
        "configure",
        "Write a profile for the role, or show the effective settings.",
    ),
    "status": Listed("status", "Show the progress of a run, or how the last run ended."),
    "manifest": Listed("manifest", "Print the outcome of every listed key, as JSON lines on stdout."),
    "verify": Listed(
        "verify",
        "Compare every downloaded file with its checksum, without network.",
    ),
    "demo": Listed("demo", "Try s3haul with an embedded AWS, without an AWS account."),
    "help": Listed(
        "help_topics",
        "Show the help on a topic, a command, or an error id.",
    ),
}


class Grouped(TyperCommand):
    """A command whose help groups the flags, and does not show their environment variables."""

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
    """A command group that knows only names and summaries, until one of its commands is called or completed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=listed.summary) for name, listed in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> Any:
    """Import the command of this name, with its flags."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    import_module(f"s3haul.cli.{COMMANDS[name].module}").register(app)
    return typer.main.get_group(app).commands[name]
