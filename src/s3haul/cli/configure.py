"""`s3haul configure` writes a profile to the AWS configuration file;
`configure show` prints the effective settings.

It converts flags to changes of one profile; `s3haul.aws.config_edit` edits and saves the file.
"""

import json as jsonlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from s3haul.cli import flags, streams
from s3haul.cli.commands import Grouped, load, quick_imports
from s3haul.cli.parsing import access_options
from s3haul.core.text import show as shown

EPILOG = """\b
Examples:
  s3haul configure --profile export --source-profile user-b \\
    --role-arn arn:aws:iam::111111111111:role/export-role --external-id EXTERNAL-ID
  s3haul configure --profile export --duration-seconds 7200 --dryrun
  s3haul configure show --profile export

Access keys are never written: they stay in the source profile. AWS_CONFIG_FILE is used if set. A copy of the previous
version of the file is kept in the same directory.
"""
SHOW_EPILOG = """\b
Examples:
  s3haul configure show --profile export
  s3haul configure show --source-profile user-b --role-arn arn:aws:iam::111111111111:role/export-role --json
"""

# Flags of the access that are not settings of a profile.
_ONLY_FOR_A_RUN = (
    *("sts_endpoint_url", "allow_plain_http", "no_sign_request", "owner_profile", "credential_timeout"),
)
CredentialSource = Annotated[
    str | None,
    typer.Option(
        metavar="Ec2InstanceMetadata|EcsContainer|Environment",
        help="Instead of --source-profile.",
        allow_from_autoenv=False,  # it is no flag of cp
    ),
]
Dryrun = Annotated[bool, typer.Option("--dryrun", help="Show what would change; write nothing.")]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommand to the application."""
    group = typer.Typer(rich_markup_mode=None)
    group.callback(invoke_without_command=True, epilog=EPILOG, context_settings=flags.SETTINGS)(configure)
    group.command("show", cls=Grouped, epilog=SHOW_EPILOG, context_settings=flags.SETTINGS)(show)
    app.add_typer(group, name="configure")


@flags.with_flags(without=_ONLY_FOR_A_RUN)
def configure(
    context: typer.Context,
    *,
    settings: flags.AccessFlags,
    credential_source: CredentialSource = None,
    dryrun: Dryrun = False,
) -> int:
    """Write a profile for the role, or show the effective settings.

    The profile (export, if --profile is not given) is written to the AWS configuration file. Everything else
    in the file stays unchanged, also options of an existing profile that are not given.
    """
    if context.invoked_subcommand is not None:
        return 0
    with quick_imports():
        from s3haul.aws import config_edit  # noqa: PLC0415 - start-up stays fast

    profile = settings.profile or "export"
    given = asdict(settings) | {"credential_source": credential_source}
    given = {
        name: str(value)
        for name, value in given.items()
        if value is not None and name not in ("profile", *_ONLY_FOR_A_RUN)
    }
    edit = config_edit.plan_role_profile(profile, given)
    if edit.warning:
        streams.print_message(f"! {shown(edit.warning)}")
    where = f"profile {shown(profile)} in {shown(str(edit.path))}"
    if not edit.changes:
        streams.print_message(f"{where} has these settings already: nothing to change")
    elif dryrun:
        streams.print_line("\n".join(shown(line) for line in config_edit.diff(edit)))
    else:
        kept = config_edit.save(edit)
        before = f"; the previous version is {shown(str(kept))}" if kept else ""
        streams.print_message(f"{where} was written{before}")
    return 0


@flags.with_flags(without=_ONLY_FOR_A_RUN)
def show(
    context: typer.Context,
    *,
    access: flags.AccessFlags,
    json: flags.Json = False,
) -> int:
    """Print every effective setting and where it comes from: a flag, a variable, or a section of a file.

    Takes the access flags of cp, and also shows S3HAUL_ variables for its other flags. Sends nothing. Only
    the length of the External ID is shown.
    """
    with quick_imports():
        from s3haul.aws.config_file import Origin  # noqa: PLC0415 - start-up stays fast
        from s3haul.aws.settings import Row, effective  # noqa: PLC0415 - same

    params = load("cp").params
    rows = effective(access_options(access))
    shown_already = {param.name for param in context.command.params}
    for name, setting in set_by_variables(params).items():
        if name not in shown_already:
            rows.append(Row(name, setting, Origin.ENVIRONMENT, flags.variable_of(name)))
    for problem in unknown_variables(params):
        streams.print_message(f"! {shown(problem)}")
    if json:
        streams.print_line(jsonlib.dumps({"schema": 1, "settings": [asdict(row) for row in rows]}))
        return 0
    for row in rows:
        value = "not set" if row.value is None else shown(row.value)
        place = f"{row.origin.value}: {shown(row.where)}" if row.where else row.origin.value
        streams.print_line(f"{row.name:<18} {value:<48} {place}")
    return 0


def set_by_variables(params: list[Any], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The flags in `params` that an environment variable sets, with their values."""
    names = (param.name for param in params if getattr(param, "allow_from_autoenv", False))
    return {name: environ[flags.variable_of(name)] for name in names if environ.get(flags.variable_of(name))}


def unknown_variables(params: list[Any], environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A message for each S3HAUL_ variable that does not belong to a flag."""
    known = [param.name.upper() for param in params if getattr(param, "allow_from_autoenv", False)]
    for name in sorted(environ):
        flag = name.removeprefix(f"{flags.PREFIX}_")
        if flag != name and flag not in known:
            near = get_close_matches(flag, known, n=1, cutoff=0.75)
            guess = f"; did you mean {flags.variable_of(near[0])} ?" if near else ""
            yield f"{name} has no effect: there is no such flag{guess}"
