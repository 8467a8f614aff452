"""The commands by name, with the first line of their help. The module of a command (in this package, with
`register`) is imported when the command is called.

Imports take most of the start-up time, so listing the commands, or running one, imports none of the others.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from s3haul.errors import UsageError

COMMANDS = {
    "cp": "Copy objects to local disk, verified and resumable.",
    "check": "Test access and destination, and find the cause of errors.",
    "policy": "Print the policies that both accounts need, or check them (lint).",
    "configure": "Write a profile for the role, or show the effective settings.",
    "status": "Show the progress of a run, or how the last run ended.",
    "limit": "Change the limits of the run that works on DEST; they apply within two seconds.",
    "manifest": "Print the result of every listed key, as JSON lines, CSV or Parquet on stdout.",
    "restore": "Print a plan that restores the archived objects which a run on DEST skipped.",
    "verify": "Compare every downloaded file with its checksum, without network.",
    "bench": "Measure how fast a bucket can be copied to this machine, and find the bottleneck.",
    "report": "Write a page about DEST: what is here, how it was verified, what is missing and why, and all runs.",
    "cluster": "Copy with many processes: on this machine, on a Ray cluster, or as an array of batch jobs.",
    "demo": "Try s3haul with an embedded AWS, without an AWS account.",
    "help": "Show the help on a topic, a command, or an error id.",
}
_OTHER_MODULES = {"help": "help_topics", "limit": "status"}


class Grouped(TyperCommand):
    """A command whose help groups the flags by panel, and does not show the variable of each."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)
        for param in params:
            param.show_envvar = False
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raises `UsageError` for an empty value: it is usually that of a variable that is not set, and a run
        without the flag could send requests to another endpoint, or demand less of the objects."""
        rest: list[str] = super().parse_args(ctx, args)
        for param in self.params:
            if param.param_type_name == "option" and ctx.params.get(param.name) == "" != param.default:
                raise UsageError(
                    f"{param.opts[0]} is empty.", hint="is a variable not set? Otherwise leave the flag out"
                )
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                default = "Arguments" if param.param_type_name == "argument" else "Other"
                groups.setdefault(getattr(param, "rich_help_panel", None) or default, []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


class Commands(TyperGroup):
    """A group whose commands are names and summaries until one of them is called or completed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=summary) for name, summary in COMMANDS.items()}

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as in the base class
        """The whole summaries, over several lines if they are long."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in self.commands.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> Any:
    """The command of this name, with its flags."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    import_module(f"s3haul.cli.{_OTHER_MODULES.get(name, name)}").register(app)
    return typer.main.get_group(app).commands[name]


@contextmanager
def quick_imports() -> Iterator[None]:
    """For the AWS SDK and the modules that use it: imports inside take 25 % less time,
    without the garbage collector.

    Modules are never freed, so there is nothing to collect. `gc.freeze` also excludes them from later
    collections, of which the first one alone would take 10 ms.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
