"""`S3HAUL_<FLAG>`: every flag of `cp` can be set by an environment variable. The command line has precedence."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

PREFIX = "S3HAUL"
SETTINGS = {"auto_envvar_prefix": PREFIX}


def name_of(flag: str) -> str:
    """The environment variable of a flag; `flag` is the name of its Python parameter."""
    return f"{PREFIX}_{flag.upper()}"


def is_typed(ctx: Any, flag: str) -> bool:
    """Whether the flag stands on the command line. One of a variable is for every command, whatever that does with it."""
    return getattr(ctx.get_parameter_source(flag), "name", "") == "COMMANDLINE"


def given(params: list[Any], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The flags in `params` that an environment variable sets, with their values."""
    names = (param.name for param in params if getattr(param, "allow_from_autoenv", False))
    return {name: environ[name_of(name)] for name in names if environ.get(name_of(name))}


def unknown(params: list[Any], environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A message for each S3HAUL_ variable that does not belong to a flag."""
    flags = [param.name.upper() for param in params if getattr(param, "allow_from_autoenv", False)]
    for name in sorted(environ):
        flag = name.removeprefix(f"{PREFIX}_")
        if flag != name and flag not in flags:
            near = get_close_matches(flag, flags, n=1, cutoff=0.75)
            guess = f"; did you mean {name_of(near[0])} ?" if near else ""
            yield f"{name} has no effect: there is no such flag{guess}"
