"""The command-line flags, as annotated types that the commands share. `parsing` converts their values to options.

Flags of the AWS CLI keep their names and meaning. Every flag of `cp` can also be set by an environment variable,
`S3HAUL_<FLAG>`; the command line has precedence.
"""

import os
import re
from collections.abc import Callable, Collection
from enum import StrEnum
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from s3haul.options import Existing

PREFIX = "S3HAUL"
SETTINGS = {"auto_envvar_prefix": PREFIX}
_AWS_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
_AWS_SECTION = re.compile(r"^\[\s*(?:profile\s+)?[\"']?([^\]\"'\s]+)[\"']?\s*\]", re.MULTILINE)


class LogFormats(StrEnum):
    """How events are written to stderr."""

    TEXT = "text"
    JSON = "json"


class Transports(StrEnum):
    """How requests are sent: with libcurl, or with aioboto3."""

    AUTO = "auto"
    CURL = "curl"
    SDK = "sdk"


def profiles(incomplete: str) -> list[str]:
    """For completion by a shell: the AWS profiles that begin with `incomplete`.

    Reads only the section lines of the files: an SDK would be too slow for every TAB.
    """
    found = set()
    for variable, usual in _AWS_FILES:
        try:
            text = Path(os.environ.get(variable) or usual).expanduser().read_text("utf-8", "replace")
        except (OSError, RuntimeError):  # RuntimeError: there is no home directory
            continue
        found |= set(_AWS_SECTION.findall(text))
    return sorted(name for name in found if name.startswith(incomplete))


_ACCESS = "Access"
_HOW = "Transfer"
_OUT = "Output"

Source = Annotated[str, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="Bucket, prefix or object.")]
Dest = Annotated[
    str,
    typer.Argument(metavar="DEST", help="Local directory; for one object also a file name, or - for stdout."),
]
OptionalDest = Annotated[str | None, typer.Argument(metavar="[DEST]", help="Local directory to test, too.")]
State = Annotated[Path, typer.Argument(metavar="DEST", help="A directory that s3haul copied to.")]

Profile = Annotated[
    str | None,
    typer.Option(help="Profile of the AWS configuration.", autocompletion=profiles, rich_help_panel=_ACCESS),
]
RoleArn = Annotated[str | None, typer.Option(help="Role to assume.", rich_help_panel=_ACCESS)]
ExternalId = Annotated[
    str | None,
    typer.Option(
        envvar="S3HAUL_EXTERNAL_ID",
        show_envvar=True,
        help="External ID that the role's trust policy requires.",
        rich_help_panel=_ACCESS,
    ),
]
SourceProfile = Annotated[
    str | None,
    typer.Option(
        help="Profile whose credentials assume --role-arn.",
        autocompletion=profiles,
        rich_help_panel=_ACCESS,
    ),
]
SessionName = Annotated[
    str | None,
    typer.Option(
        "--role-session-name", help="Session name, visible in the owner's logs.", rich_help_panel=_ACCESS
    ),
]
Duration = Annotated[
    int | None,
    typer.Option(
        "--duration-seconds", help="Length of one session in seconds, 900 to 43200.", rich_help_panel=_ACCESS
    ),
]
MfaSerial = Annotated[str | None, typer.Option(help="MFA device of the caller.", rich_help_panel=_ACCESS)]
Region = Annotated[
    str | None,
    typer.Option(help="AWS region; the region of the bucket is detected.", rich_help_panel=_ACCESS),
]
EndpointUrl = Annotated[
    str | None, typer.Option(help="S3 endpoint other than AWS; not used for STS.", rich_help_panel=_ACCESS)
]
StsEndpointUrl = Annotated[
    str | None, typer.Option(help="STS endpoint other than AWS.", rich_help_panel=_ACCESS)
]
CaBundle = Annotated[str | None, typer.Option(help="PEM file of the CAs to trust.", rich_help_panel=_ACCESS)]
PlainHttp = Annotated[
    bool,
    typer.Option("--allow-plain-http", help="Allow http:// to other machines.", rich_help_panel=_ACCESS),
]

# The access flags that most commands have, with their defaults.
_SHARED: dict[str, tuple[Any, Any]] = {
    "profile": (Profile, None),
    "role_arn": (RoleArn, None),
    "external_id": (ExternalId, None),
    "source_profile": (SourceProfile, None),
    "role_session_name": (SessionName, None),
    "duration_seconds": (Duration, None),
    "mfa_serial": (MfaSerial, None),
    "region": (Region, None),
    "endpoint_url": (EndpointUrl, None),
    "sts_endpoint_url": (StsEndpointUrl, None),
    "ca_bundle": (CaBundle, None),
    "allow_plain_http": (PlainHttp, False),
}
Access = dict[str, Any]


def with_access_flags(*, without: Collection[str] = ()) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a command the shared access flags in place of its parameter `access`, which gets their values by name."""
    flags = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _SHARED.items()
        if name not in without
    ]

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def with_access(**values: Any) -> int:
            return command(access={flag.name: values.pop(flag.name) for flag in flags}, **values)

        own = signature(command)
        parameters = [
            each for one in own.parameters.values() for each in (flags if one.name == "access" else [one])
        ]
        vars(with_access)["__signature__"] = own.replace(parameters=parameters)
        return with_access

    return decorate


NoSignRequest = Annotated[
    bool,
    typer.Option(
        "--no-sign-request", help="Read a public bucket without credentials.", rich_help_panel=_ACCESS
    ),
]
OwnerProfile = Annotated[
    str | None,
    typer.Option(
        envvar="S3HAUL_OWNER_PROFILE",
        autocompletion=profiles,
        help="Profile of the data owner (needs iam:GetRole), to find out why STS refused the role.",
        rich_help_panel=_ACCESS,
    ),
]

CredentialPatience = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long requests wait for a valid session of the role.",
        rich_help_panel=_ACCESS,
    ),
]


Sse = Annotated[
    str | None,
    typer.Option(
        metavar="aws:kms|aws:kms:dsse|AES256", help="Objects must have this encryption.", rich_help_panel=_HOW
    ),
]
SseKey = Annotated[
    str | None,
    typer.Option("--sse-kms-key-id", help="Objects must be encrypted with this key.", rich_help_panel=_HOW),
]
RequireChecksum = Annotated[
    bool,
    typer.Option("--require-checksum", help="Objects without a checksum fail.", rich_help_panel=_HOW),
]
ExistingFiles = Annotated[
    Existing, typer.Option(help="What to do with files that no earlier run wrote.", rich_help_panel=_HOW)
]

Concurrency = Annotated[
    int, typer.Option(min=1, max=1024, help="Maximum number of parallel requests.", rich_help_panel=_HOW)
]
Transport = Annotated[
    Transports,
    typer.Option(help="curl is faster, sdk supports special endpoints; auto chooses.", rich_help_panel=_HOW),
]
Force = Annotated[
    bool, typer.Option("--force", help="Allow / or the home directory as DEST.", rich_help_panel=_HOW)
]

Dryrun = Annotated[
    bool,
    typer.Option(
        "--dryrun",
        "--dry-run",
        help="Show what would be copied, and how many requests it needs.",
        rich_help_panel=_OUT,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", "--only-show-errors", help="Print only warnings and errors.", rich_help_panel=_OUT
    ),
]
NoProgress = Annotated[
    bool, typer.Option("--no-progress", help="No progress bars or lines.", rich_help_panel=_OUT)
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object on stdout.", rich_help_panel=_OUT)
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", "--debug", help="Print more details.", rich_help_panel=_OUT)
]
LogFormat = Annotated[
    LogFormats, typer.Option(help="Events on stderr as text or JSON lines.", rich_help_panel=_OUT)
]

LogFile = Annotated[
    Path | None,
    typer.Option(help="Append all messages to this file, with times.", rich_help_panel=_OUT),
]

MetricsPort = Annotated[
    int | None,
    typer.Option(
        min=0, max=65535, help="Serve Prometheus metrics of the run on this port.", rich_help_panel=_OUT
    ),
]
MetricsAddress = Annotated[
    str,
    typer.Option(
        help="Address of the metrics; everybody who can connect to it can read them.", rich_help_panel=_OUT
    ),
]

# Flags of `aws s3 cp` and `aws` that are accepted and change nothing.
Ignored = Annotated[
    bool,
    typer.Option(
        *("--ignore-glacier-warnings", "--follow-symlinks", "--no-follow-symlinks", "--no-cli-pager"),
        hidden=True,
        allow_from_autoenv=False,
    ),
]
IgnoredValue = Annotated[
    list[str] | None,
    typer.Option(
        *("--checksum-mode", "--source-region", "--cli-read-timeout", "--cli-connect-timeout", "--color"),
        hidden=True,
        allow_from_autoenv=False,
    ),
]
NoOverwrite = Annotated[bool, typer.Option("--no-overwrite", hidden=True, allow_from_autoenv=False)]


def variable_of(flag: str) -> str:
    """The environment variable of a flag; `flag` is the name of its Python parameter."""
    return f"{PREFIX}_{flag.upper()}"


def is_typed(ctx: Any, flag: str) -> bool:
    """Whether the flag is on the command line. If a variable sets it, it is also set for commands that cannot use it."""
    return getattr(ctx.get_parameter_source(flag), "name", "") == "COMMANDLINE"
