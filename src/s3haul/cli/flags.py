"""The command-line flags: one class for each group of flags that commands share, and types of single flags.

A command takes a class as one parameter, and `with_flags` gives it the flags of the class. `parsing` converts
their values to options. Flags of the AWS CLI for downloads keep their names and meaning. Every flag of `cp`
can also be set by an environment variable, `S3HAUL_<FLAG>`; the command line has precedence.
"""

import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from s3haul.options import Existing

PREFIX = "S3HAUL"
SETTINGS = {"auto_envvar_prefix": PREFIX}
_AWS_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
_AWS_SECTION = re.compile(r"^\[\s*(?:profile\s+)?[\"']?([^\]\"'\s]+)[\"']?\s*\]", re.MULTILINE)

# A flag in a group of the help.
_access = partial(typer.Option, rich_help_panel="Access")
_selection = partial(typer.Option, rich_help_panel="Selection")
_transfer = partial(typer.Option, rich_help_panel="Transfer")
_output = partial(typer.Option, rich_help_panel="Output")
_hidden = partial(typer.Option, hidden=True, allow_from_autoenv=False)


class LogFormats(StrEnum):
    """How events are written to stderr."""

    TEXT = "text"
    JSON = "json"


class Transports(StrEnum):
    """How requests are sent: with libcurl, or with aioboto3."""

    AUTO = "auto"
    CURL = "curl"
    SDK = "sdk"


class ListFormats(StrEnum):
    """The formats of `--files-from`."""

    KEYS = "keys"
    CSV = "csv"
    MANIFEST = "manifest"
    BATCH_REPORT = "batch-report"


class Encodings(StrEnum):
    """The encodings of keys in a list."""

    RAW = "raw"
    URL = "url"


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


Source = Annotated[str, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="Bucket, prefix or object.")]
Dest = Annotated[
    str,
    typer.Argument(metavar="DEST", help="Local directory; for one object also a file name, or - for stdout."),
]
OptionalDest = Annotated[str | None, typer.Argument(metavar="[DEST]", help="Local directory to test, too.")]
State = Annotated[Path, typer.Argument(metavar="DEST", help="A directory that s3haul copied to.")]
ExternalId = Annotated[
    str | None,
    _access(
        envvar="S3HAUL_EXTERNAL_ID",
        show_envvar=True,
        help="External ID that the role's trust policy requires.",
    ),
]
RequestPayer = Annotated[str | None, _selection(metavar="requester", help="Pay for the requests.")]
Transport = Annotated[
    Transports, _transfer(help="curl is faster, sdk supports special endpoints; auto chooses.")
]
Force = Annotated[bool, _transfer("--force", help="Allow / or the home directory as DEST.")]
Quiet = Annotated[
    bool, _output("--quiet", "-q", "--only-show-errors", help="Print only warnings and errors.")
]
Json = Annotated[bool, _output("--json", help="Print the result as one JSON object on stdout.")]


@dataclass(frozen=True, kw_only=True)
class AccessFlags:
    """Credentials and endpoints."""

    profile: Annotated[
        str | None, _access(help="Profile of the AWS configuration.", autocompletion=profiles)
    ] = None
    role_arn: Annotated[str | None, _access(help="Role to assume.")] = None
    source_profile: Annotated[
        str | None, _access(help="Profile whose credentials assume --role-arn.", autocompletion=profiles)
    ] = None
    external_id: ExternalId = None
    role_session_name: Annotated[str | None, _access(help="Session name, visible in the owner's logs.")] = (
        None
    )
    duration_seconds: Annotated[
        int | None, _access(help="Length of one session in seconds, 900 to 43200.")
    ] = None
    mfa_serial: Annotated[str | None, _access(help="MFA device of the caller.")] = None
    region: Annotated[str | None, _access(help="AWS region; the region of the bucket is detected.")] = None
    endpoint_url: Annotated[str | None, _access(help="S3 endpoint other than AWS; not used for STS.")] = None
    sts_endpoint_url: Annotated[str | None, _access(help="STS endpoint other than AWS.")] = None
    ca_bundle: Annotated[str | None, _access(help="PEM file of the CAs to trust.")] = None
    allow_plain_http: Annotated[
        bool, _access("--allow-plain-http", help="Allow http:// to other machines.")
    ] = False
    no_sign_request: Annotated[
        bool, _access("--no-sign-request", help="Read a public bucket without credentials.")
    ] = False
    owner_profile: Annotated[
        str | None,
        _access(
            envvar="S3HAUL_OWNER_PROFILE",
            autocompletion=profiles,
            help="Profile of the data owner (needs iam:GetRole), to find out why STS refused the role.",
        ),
    ] = None
    credential_timeout: Annotated[
        float,
        _access(min=0, metavar="SECONDS", help="How long requests wait for a valid session of the role."),
    ] = 900.0


@dataclass(frozen=True, kw_only=True)
class SourceFlags:
    """Which part of the bucket, and how it is listed."""

    recursive: Annotated[
        bool, _selection("--recursive", "-r", "-R", help="SOURCE is a prefix: copy everything below it.")
    ] = False
    request_payer: RequestPayer = None
    expected_bucket_owner: Annotated[str | None, _selection(help="Account that must own the bucket.")] = None
    page_size: Annotated[int, _selection(min=1, max=1000, help="Keys per listing page.")] = 1000


@dataclass(frozen=True, kw_only=True)
class FilterFlags:
    """Patterns of keys, whose order is only in the command line, and other conditions. All must be true."""

    include: Annotated[
        list[str] | None, _selection(metavar="PATTERN", help="Copy these; the last match decides.")
    ] = None
    exclude: Annotated[
        list[str] | None, _selection(metavar="PATTERN", help="Do not copy these; the last match decides.")
    ] = None
    include_from: Annotated[
        list[str] | None,
        _selection(metavar="FILE", help="Like --include, with one pattern per line of this file."),
    ] = None
    exclude_from: Annotated[
        list[str] | None,
        _selection(metavar="FILE", help="Like --exclude, with one pattern per line of this file."),
    ] = None
    min_size: Annotated[
        str | None, _selection(metavar="SIZE", help="Objects of this size or larger: 1, 10MB.")
    ] = None
    max_size: Annotated[str | None, _selection(metavar="SIZE", help="Objects of this size or smaller.")] = (
        None
    )
    newer_than: Annotated[
        str | None, _selection(metavar="TIME", help="Objects modified since: 7d, 36h, 2026-01-31.")
    ] = None
    older_than: Annotated[str | None, _selection(metavar="TIME", help="Objects modified before.")] = None
    storage_class: Annotated[
        list[str] | None,
        _selection(metavar="CLASS", help="Objects in this storage class: STANDARD, GLACIER, ..."),
    ] = None
    regex: Annotated[
        list[str] | None,
        _selection(metavar="PATTERN", help="Keys in which this regular expression matches."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class SelectionFlags:
    """Versions and lists of objects, and the limits of a run."""

    files_from: Annotated[
        str | None, _selection(metavar="FILE", help="Only the objects in this list; - reads it from stdin.")
    ] = None
    files_format: Annotated[
        ListFormats, _selection(help="Format of --files-from; see s3haul help sources.")
    ] = ListFormats.KEYS
    files_encoding: Annotated[
        Encodings | None, _selection(help="Encoding of its keys: raw, or url (default for CSV).")
    ] = None
    inventory: Annotated[
        str | None,
        _selection(
            metavar="MANIFEST", help="Objects of an S3 Inventory report: its manifest.json, local or s3://."
        ),
    ] = None
    plan: Annotated[str | None, _selection(metavar="FILE", help="Objects of this plan (--save-plan).")] = None
    version_id: Annotated[str | None, _selection(metavar="ID", help="This version of the one object.")] = None
    at: Annotated[
        str | None, _selection(metavar="TIME", help="The versions of this time: 36h, 7d, 2026-01-31T12:00Z.")
    ] = None
    all_versions: Annotated[
        bool, _selection("--all-versions", help="Every version of every key, each in its own file.")
    ] = False
    reconcile: Annotated[
        bool, _selection("--reconcile", help="List again at the end: what was added, changed, deleted?")
    ] = False
    fail_if_empty: Annotated[bool, _selection("--fail-if-empty", help="Exit 6 if no object is selected.")] = (
        False
    )
    max_transfer: Annotated[
        str | None, _transfer(metavar="SIZE", help="Stop before more than this is downloaded.")
    ] = None
    max_duration: Annotated[str | None, _transfer(metavar="TIME", help="Stop after 30m, 8h, ...")] = None


@dataclass(frozen=True, kw_only=True)
class TransferFlags:
    """How objects are fetched and checked."""

    sse: Annotated[
        str | None,
        _transfer(metavar="aws:kms|aws:kms:dsse|AES256", help="Objects must have this encryption."),
    ] = None
    sse_kms_key_id: Annotated[str | None, _transfer(help="Objects must be encrypted with this key.")] = None
    require_checksum: Annotated[
        bool, _transfer("--require-checksum", help="Objects without a checksum fail.")
    ] = False
    existing: Annotated[Existing, _transfer(help="What to do with files that no earlier run wrote.")] = (
        Existing.VERIFY
    )
    no_overwrite: Annotated[bool, _hidden("--no-overwrite")] = False
    force_glacier_transfer: Annotated[
        bool, _transfer("--force-glacier-transfer", help="Try archived objects too.")
    ] = False
    concurrency: Annotated[int, _transfer(min=1, max=1024, help="Maximum number of parallel requests.")] = 256
    list_concurrency: Annotated[
        int,
        _transfer(
            min=1, max=1024, help="Maximum number of parallel list requests; 1 keeps the order of keys."
        ),
    ] = 32
    max_rps: Annotated[
        float | None, _transfer(min=0.01, metavar="N", help="Maximum requests per second.")
    ] = None
    max_kms_rps: Annotated[
        float | None,
        _transfer(min=0.01, metavar="N", help="Maximum requests per second that cost a KMS call."),
    ] = None
    bwlimit: Annotated[
        str | None, _transfer(metavar="RATE", help="Maximum bytes per second: 500K, 10MB/s, 80Mb/s.")
    ] = None
    retry_timeout: Annotated[
        str, _transfer(metavar="TIME", help="End the run after this time without any success: 90s, 15m, 2h.")
    ] = "15m"
    stall_timeout: Annotated[
        float,
        _transfer(
            *("--stall-timeout", "--cli-read-timeout"),
            min=1,
            metavar="SECONDS",
            help="Send a request again that receives (almost) nothing for so long.",
        ),
    ] = 60.0


@dataclass(frozen=True, kw_only=True)
class OutputFlags:
    """What is printed and written, besides the files."""

    dryrun: Annotated[
        bool,
        _output("--dryrun", "--dry-run", help="Show what would be copied, and how many requests it needs."),
    ] = False
    save_plan: Annotated[
        Path | None, _output(metavar="FILE", help="Write the plan of --dryrun, for --plan.")
    ] = None
    quiet: Quiet = False
    no_progress: Annotated[bool, _output("--no-progress", help="No progress bars or lines.")] = False
    verbose: Annotated[bool, _output("--verbose", "-v", "--debug", help="Print more details.")] = False
    json: Json = False
    log_format: Annotated[LogFormats, _output(help="Events on stderr as text or JSON lines.")] = (
        LogFormats.TEXT
    )
    log_file: Annotated[Path | None, _output(help="Append all messages to this file, with times.")] = None
    metrics_port: Annotated[
        int | None, _output(min=0, max=65535, help="Serve Prometheus metrics of the run on this port.")
    ] = None
    metrics_address: Annotated[
        str, _output(help="Address of the metrics; everybody who can connect to it can read them.")
    ] = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class IgnoredFlags:
    """Flags of `aws s3 cp` and `aws` that are accepted and change nothing."""

    ignored: Annotated[
        bool,
        _hidden("--ignore-glacier-warnings", "--follow-symlinks", "--no-follow-symlinks", "--no-cli-pager"),
    ] = False
    ignored_value: Annotated[
        list[str] | None,
        _hidden(*("--checksum-mode", "--source-region", "--cli-connect-timeout", "--color")),
    ] = None


def with_flags(*, without: Collection[str] = ()) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a command, in place of each parameter whose type is a class of flags, the flags themselves.

    A flag that is named in `without` is left out: its field has the default.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        own = signature(command)
        groups = {
            name: {
                flag.name: Parameter(
                    flag.name, Parameter.KEYWORD_ONLY, default=flag.default, annotation=flag.type
                )
                for flag in fields(each.annotation)
                if flag.name not in without
            }
            for name, each in own.parameters.items()
            if is_dataclass(each.annotation)
        }

        @wraps(command)
        def flat(**values: Any) -> int:
            for name, flags in groups.items():
                given = {flag: values.pop(flag) for flag in flags}
                values[name] = own.parameters[name].annotation(**given)
            return command(**values)

        parameters = [
            one
            for name, each in own.parameters.items()
            for one in (groups[name].values() if name in groups else [each])
        ]
        # typer reads the parameters from here.
        vars(flat)["__signature__"] = own.replace(parameters=parameters)
        return flat

    return decorate


def variable_of(flag: str) -> str:
    """The environment variable of a flag; `flag` is the name of its Python parameter."""
    return f"{PREFIX}_{flag.upper()}"


def is_typed(ctx: Any, flag: str) -> bool:
    """Whether the flag is on the command line. If a variable sets it,
    it is also set for commands that cannot use it."""
    return getattr(ctx.get_parameter_source(flag), "name", "") == "COMMANDLINE"
