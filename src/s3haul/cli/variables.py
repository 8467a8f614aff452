"""`S3HAUL_<FLAG>`: each flag of a haul, given by an environment variable. A flag on the command line wins."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

PREFIX = "S3HAUL"
SETTINGS = {"auto_envvar_prefix": PREFIX}


def name_of(flag: str) -> str:
    """The variable of a flag, which is given as Python names it."""
    return f"{PREFIX}_{flag.upper()}"


def is_typed(ctx: Any, flag: str) -> bool:
    """Whether the flag stands on the command line. One of a variable is for every command, whatever that does with it."""
    return getattr(ctx.get_parameter_source(flag), "name", "") == "COMMANDLINE"


def given(params: list[Any], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The flags among `params` that a variable sets, with the value."""
    names = (param.name for param in params if getattr(param, "allow_from_autoenv", False))
    return {name: environ[name_of(name)] for name in names if environ.get(name_of(name))}


def unknown(params: list[Any], environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """What is wrong with the variables that look like ours and set nothing."""
    known = [name_of(param.name) for param in params if getattr(param, "allow_from_autoenv", False)]
    for name in sorted(environ):
        if name.startswith(f"{PREFIX}_") and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.8)
            yield f"{name} sets no flag{f': did you mean {near[0]} ?' if near else ''}"
