"""Every command's help ends with examples, and each of them is a command line that is understood."""

import itertools
import re
import shlex
from collections.abc import Iterator

import pytest

from s3haul.cli import app as application
from s3haul.cli.app import run
from s3haul.cli.commands import COMMANDS, load


def epilogs() -> dict[str, str]:
    """The texts under the help, by command; "" is the program itself."""
    found = {"": application.EPILOG}
    for name in COMMANDS:
        command = load(name)
        found[name] = command.epilog or ""
        for sub, nested in getattr(command, "commands", {}).items():
            found[f"{name} {sub}"] = nested.epilog or ""
    return found


def examples(epilog: str) -> list[str]:
    """The commands of s3haul, without what stands behind a pipe or a redirection."""
    lines = epilog.replace("\\\n", " ").splitlines()
    chunks = itertools.chain.from_iterable(
        re.split(r" [|>] ", line) for line in lines if line.startswith("  ")
    )
    return [chunk.strip() for chunk in chunks if chunk.strip().startswith("s3haul ")]


def all_examples() -> Iterator[str]:
    return itertools.chain.from_iterable(map(examples, epilogs().values()))


@pytest.mark.parametrize("command", epilogs())
def test_every_help_shows_examples_of_its_command(command):
    found = examples(epilogs()[command])
    assert found
    assert any(each.startswith(f"s3haul {command}") for each in found)


@pytest.mark.parametrize("line", dict.fromkeys(all_examples()))
def test_every_example_is_understood(line):
    _, name, *words = shlex.split(line.replace(" ...", ""))
    command = load(name)
    if words and words[0] in getattr(command, "commands", {}):
        name, *words = words
        command = command.commands[name]
    assert not command.make_context(name, words).args


def test_without_arguments_the_program_shows_its_help(capsys):
    assert run([]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Usage: s3haul")
    assert shown.err == ""
    assert "..." not in shown.out.partition("Commands:")[2]
    assert all(len(line) <= 80 for line in shown.out.splitlines())
