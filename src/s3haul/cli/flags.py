"""The command-line flags, as annotated types shared by the commands, and their way into options.

Flags of the AWS CLI keep their names and meaning. Anything a flag value can be wrong about is said here
as a `UsageError`, before anything is opened.
"""

import re
import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s3haul.access.buckets import check_bucket
from s3haul.cli.completion import profiles
from s3haul.cli.spellings import meant
from s3haul.errors import UsageError
from s3haul.options import DestinationOptions, Existing, RoleOptions, SourceOptions


class LogFormats(StrEnum):
    """How events are written to stderr."""

    TEXT = "text"
    JSON = "json"


class Transports(StrEnum):
    """How objects are asked for: over libcurl, or over aioboto3."""

    AUTO = "auto"
    CURL = "curl"
    SDK = "sdk"


_ACCESS = "Access"
_WHAT = "Selection"
_HOW = "Transfer"
_OUT = "Output"

Source = Annotated[str, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="Bucket, prefix or object.")]
Dest = Annotated[
    str,
    typer.Argument(metavar="DEST", help="Local directory; for one object also a file name, or - for stdout."),
]
OptionalDest = Annotated[
    str | None, typer.Argument(metavar="[DEST]", help="Local directory, to be tried out as well.")
]
State = Annotated[Path, typer.Argument(metavar="DEST", help="A directory that s3haul hauled to.")]

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
        help="External ID that the role's trust policy asks for.",
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
    typer.Option("--role-session-name", help="Shown in the owner's logs.", rich_help_panel=_ACCESS),
]
Duration = Annotated[
    int | None,
    typer.Option("--duration-seconds", help="Length of one session, 900 to 43200.", rich_help_panel=_ACCESS),
]
MfaSerial = Annotated[str | None, typer.Option(help="MFA device of the caller.", rich_help_panel=_ACCESS)]
Region = Annotated[str | None, typer.Option(help="Region; the bucket's is found.", rich_help_panel=_ACCESS)]
EndpointUrl = Annotated[
    str | None, typer.Option(help="S3 endpoint other than AWS's; not that of STS.", rich_help_panel=_ACCESS)
]
StsEndpointUrl = Annotated[
    str | None, typer.Option(help="STS endpoint other than AWS's.", rich_help_panel=_ACCESS)
]
CaBundle = Annotated[str | None, typer.Option(help="PEM file of the CAs to trust.", rich_help_panel=_ACCESS)]
PlainHttp = Annotated[
    bool,
    typer.Option("--allow-plain-http", help="Accept http:// beyond loopback.", rich_help_panel=_ACCESS),
]

OwnerProfile = Annotated[
    str | None,
    typer.Option(
        envvar="S3HAUL_OWNER_PROFILE",
        autocompletion=profiles,
        help="A profile of the data owner (iam:GetRole), only to say why STS refused the role.",
        rich_help_panel=_ACCESS,
    ),
]

CredentialPatience = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long requests wait for a session that STS gives and S3 takes.",
        rich_help_panel=_ACCESS,
    ),
]

Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive", "-r", "-R", help="SOURCE is a prefix: everything below it.", rich_help_panel=_WHAT
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Do haul these; the last match decides.", rich_help_panel=_WHAT),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Do not haul these; the last match decides.", rich_help_panel=_WHAT),
]
RequestPayer = Annotated[
    str | None, typer.Option(metavar="requester", help="Pay for the requests.", rich_help_panel=_WHAT)
]
BucketOwner = Annotated[
    str | None,
    typer.Option("--expected-bucket-owner", help="Account that must own the bucket.", rich_help_panel=_WHAT),
]
PageSize = Annotated[int, typer.Option(min=1, max=1000, help="Keys per listing page.", rich_help_panel=_WHAT)]

Sse = Annotated[
    str | None,
    typer.Option(
        metavar="aws:kms|aws:kms:dsse|AES256", help="Objects must be stored so.", rich_help_panel=_HOW
    ),
]
SseKey = Annotated[
    str | None,
    typer.Option("--sse-kms-key-id", help="Objects must be stored under this key.", rich_help_panel=_HOW),
]
RequireChecksum = Annotated[
    bool,
    typer.Option("--require-checksum", help="An object without a checksum fails.", rich_help_panel=_HOW),
]
ExistingFiles = Annotated[
    Existing, typer.Option(help="Files that no earlier run knows.", rich_help_panel=_HOW)
]
ForceGlacier = Annotated[
    bool, typer.Option("--force-glacier-transfer", help="Try archived objects too.", rich_help_panel=_WHAT)
]

FailIfEmpty = Annotated[
    bool, typer.Option("--fail-if-empty", help="Exit 6 if no object is selected.", rich_help_panel=_WHAT)
]
Concurrency = Annotated[
    int, typer.Option(min=1, max=1024, help="Requests at a time, at most.", rich_help_panel=_HOW)
]
Transport = Annotated[
    Transports,
    typer.Option(help="curl is fast, sdk serves odd endpoints; auto chooses.", rich_help_panel=_HOW),
]
Force = Annotated[
    bool, typer.Option("--force", help="Accept / or the home directory as DEST.", rich_help_panel=_HOW)
]

Dryrun = Annotated[
    bool,
    typer.Option(
        "--dryrun", "--dry-run", help="Show what would be hauled, and its cost.", rich_help_panel=_OUT
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", "--only-show-errors", help="Warnings and errors only.", rich_help_panel=_OUT
    ),
]
NoProgress = Annotated[
    bool, typer.Option("--no-progress", help="No bars and no progress lines.", rich_help_panel=_OUT)
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout as the summary.", rich_help_panel=_OUT)
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", "--debug", help="Say more of what is used.", rich_help_panel=_OUT)
]
LogFormat = Annotated[
    LogFormats, typer.Option(help="Events on stderr as text or JSON lines.", rich_help_panel=_OUT)
]

# Flags of `aws s3 cp` and `aws` that change nothing here: what they ask for is done anyway, or is not done at all.
Moot = Annotated[
    bool,
    typer.Option(
        *("--ignore-glacier-warnings", "--follow-symlinks", "--no-follow-symlinks", "--no-cli-pager"),
        hidden=True,
        allow_from_autoenv=False,
    ),
]
MootValue = Annotated[
    list[str] | None,
    typer.Option(
        *("--checksum-mode", "--source-region", "--cli-read-timeout", "--cli-connect-timeout", "--color"),
        hidden=True,
        allow_from_autoenv=False,
    ),
]
NoOverwrite = Annotated[bool, typer.Option("--no-overwrite", hidden=True, allow_from_autoenv=False)]

_URL = re.compile(r"s3://(?P<bucket>arn:[^/]+[:/]accesspoint[:/][^/]+|[^/]+)(?:/(?P<key>.*))?", re.DOTALL)


def parse_source(
    url: str,
    *,
    recursive: bool,
    request_payer: str | None = None,
    expected_bucket_owner: str | None = None,
    page_size: int = 1000,
) -> SourceOptions:
    """`s3://BUCKET[/PREFIX]`; a bucket, or a prefix that ends in "/", is recursive by itself."""
    match = _URL.fullmatch(url)
    if match is None:
        raise _not_a_source(url)
    if request_payer not in {None, "requester"}:
        raise UsageError("--request-payer takes one value: requester.")
    if expected_bucket_owner is not None and not re.fullmatch(r"\d{12}", expected_bucket_owner, re.ASCII):
        raise UsageError("--expected-bucket-owner takes an account number of 12 digits.")
    if match["bucket"].endswith("--x-s3"):
        raise UsageError(
            "Directory buckets (--x-s3) list their keys without order, which s3haul cannot resume yet.",
            hint="copy the objects to a general purpose bucket first",
        )
    check_bucket(match["bucket"])
    prefix = match["key"] or ""
    recursive = recursive or not prefix or prefix.endswith("/")
    if recursive and prefix and not prefix.endswith("/"):
        prefix += "/"
    return SourceOptions(
        bucket=match["bucket"],
        prefix=prefix,
        recursive=recursive,
        request_payer=request_payer,
        expected_bucket_owner=expected_bucket_owner,
        page_size=page_size,
    )


def _not_a_source(word: str) -> UsageError:
    """A URL of the web may carry a signature, so it is not repeated."""
    said = "A URL of the web" if re.match("https?:", word, re.IGNORECASE) else repr(word)
    did_you_mean = shlex.join(meant(word))
    return UsageError(
        f"{said} is not an S3 source.",
        hint=f"did you mean: {did_you_mean}"
        if did_you_mean
        else "write s3://BUCKET, s3://BUCKET/PREFIX/ or s3://BUCKET/KEY",
    )


def refuse_swapped(source: str, dest: str) -> None:
    """Raises `UsageError` where the arguments stand the other way round, or an upload is meant."""
    if dest.startswith("s3://") and not source.startswith("s3:"):
        raise UsageError(
            "The source is local and the destination is in S3.",
            hint=f"s3haul only downloads: {shlex.join(('s3haul', 'cp', dest, source))}",
        )


def parse_role(
    role_arn: str | None,
    external_id: str | None,
    session_name: str | None,
    duration: int | None,
    mfa: str | None,
) -> RoleOptions | None:
    """The role of the flags, None without --role-arn."""
    if role_arn is None:
        if (session_name, duration, mfa) != (None, None, None):
            raise UsageError(
                "The role's flags need --role-arn.", hint="or put them into the profile of --profile"
            )
        return None
    return RoleOptions(
        role_arn=role_arn,
        external_id=external_id,
        session_name=session_name,
        duration_seconds=3600 if duration is None else duration,
        mfa_serial=mfa,
    )


def parse_existing(existing: Existing, *, no_overwrite: bool) -> Existing:
    """`--no-overwrite` of `aws s3 cp` is `--existing skip`."""
    if no_overwrite and existing is Existing.OVERWRITE:
        raise UsageError("--no-overwrite and --existing overwrite contradict each other.")
    return Existing.SKIP if no_overwrite else existing


def parse_destination(dest: str, source: SourceOptions, *, force: bool) -> DestinationOptions:
    """Where the objects go: a directory, or for one object also a file name, as `aws s3 cp` has it."""
    if not dest:
        raise UsageError("DEST is empty.", hint="name a directory (. is this one); is a variable not set?")
    if dest.startswith("s3://"):
        raise UsageError("The destination must be local.", hint="s3haul only downloads")
    path = Path(dest)
    if _is_stream(path):
        raise UsageError(
            f"{dest} is no place for files.", hint="- as DEST writes one object to standard output"
        )
    if source.recursive or dest.endswith("/") or path.is_dir():
        return DestinationOptions(root=path, force=force)
    return DestinationOptions(root=path.parent, name=path.name, force=force)


def _is_stream(path: Path) -> bool:
    """Whether it is a device, or stands there and is neither a directory nor a file: a FIFO, a socket."""
    if path.parts[:2] == ("/", "dev"):
        return path.parts[:3] != ("/", "dev", "shm")
    try:
        return path.exists() and not (path.is_dir() or path.is_file())
    except OSError:
        return False  # the destination says what is wrong with it


def demand_one_object(source: SourceOptions, *, other_output: bool, filters: bool) -> None:
    """Raises `UsageError` unless the source can go to standard output, and that is free for it."""
    if source.recursive:
        raise UsageError(
            "Standard output takes one object, and the source is a bucket or a prefix.",
            hint="name one key: s3haul cp s3://BUCKET/KEY -",
        )
    if other_output:
        raise UsageError(
            "Standard output takes the object and nothing else.", hint="leave out --json and --dryrun"
        )
    if filters:
        raise UsageError("--include and --exclude choose among objects, and - takes one.")


def filters_in_order(
    argv: Sequence[str], include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> tuple[tuple[bool, str], ...]:
    """`--include` and `--exclude` in the order given, which the parsed lists no longer tell.

    Those of a variable, which is used where the flag is not, go before: first what it excludes.
    """
    found: list[tuple[bool, str]] = []
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if word == "--":
            break
        if flag in {"--include", "--exclude"}:
            found.append((flag == "--include", value if equals else next(words, "")))
    given = {kind for kind, _ in found}
    of_variables = [
        (kind, pattern)
        for kind, patterns in ((False, exclude), (True, include))
        if kind not in given
        for pattern in patterns
    ]
    return (*of_variables, *found)
