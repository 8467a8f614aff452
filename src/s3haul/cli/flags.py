"""The command-line flags, as annotated types shared by the commands, and their way into options.

Flags of the AWS CLI keep their names and meaning. Anything a flag value can be wrong about is said here
as a `UsageError`, before anything is opened.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s3haul.core.rate import parse_rate
from s3haul.errors import JournalError, UsageError
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
_WHAT = "What to haul"
_OUT = "Output"

Source = Annotated[str, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="Bucket, prefix or object.")]
Dest = Annotated[str, typer.Argument(metavar="DEST", help="Local directory, or file name for one object.")]
OptionalDest = Annotated[
    str | None, typer.Argument(metavar="[DEST]", help="Local directory, to be tried out as well.")
]
State = Annotated[Path, typer.Argument(metavar="DEST", help="A directory that s3haul hauled to.")]

Profile = Annotated[
    str | None, typer.Option(help="Profile of the AWS configuration.", rich_help_panel=_ACCESS)
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
    typer.Option(help="Profile whose credentials assume --role-arn.", rich_help_panel=_ACCESS),
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
    str | None, typer.Option(help="S3 (and STS) endpoint other than AWS.", rich_help_panel=_ACCESS)
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
    bool, typer.Option("--recursive", help="SOURCE is a prefix: everything below it.", rich_help_panel=_WHAT)
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
        metavar="aws:kms|aws:kms:dsse|AES256", help="Objects must be stored so.", rich_help_panel=_WHAT
    ),
]
SseKey = Annotated[
    str | None,
    typer.Option("--sse-kms-key-id", help="Objects must be stored under this key.", rich_help_panel=_WHAT),
]
RequireChecksum = Annotated[
    bool,
    typer.Option("--require-checksum", help="An object without a checksum fails.", rich_help_panel=_WHAT),
]
ExistingFiles = Annotated[
    Existing, typer.Option(help="Files that no earlier run knows.", rich_help_panel=_WHAT)
]
ForceGlacier = Annotated[
    bool, typer.Option("--force-glacier-transfer", help="Try archived objects too.", rich_help_panel=_WHAT)
]

FailIfEmpty = Annotated[
    bool, typer.Option("--fail-if-empty", help="Exit 6 if no object is selected.", rich_help_panel=_WHAT)
]
Concurrency = Annotated[
    int, typer.Option(min=1, max=1024, help="Requests at a time, at most.", rich_help_panel=_WHAT)
]
MaxRps = Annotated[
    float | None,
    typer.Option(
        "--max-rps", min=0.01, metavar="N", help="Requests a second, at most.", rich_help_panel=_WHAT
    ),
]
BwLimit = Annotated[
    str | None,
    typer.Option(
        "--bwlimit",
        metavar="RATE",
        help="Bytes a second, at most: 500K, 10MB/s, 80Mb/s.",
        rich_help_panel=_WHAT,
    ),
]
Transport = Annotated[
    Transports,
    typer.Option(help="curl is fast, sdk serves odd endpoints; auto chooses.", rich_help_panel=_WHAT),
]
Force = Annotated[
    bool, typer.Option("--force", help="Accept / or the home directory as DEST.", rich_help_panel=_WHAT)
]

Dryrun = Annotated[
    bool, typer.Option("--dryrun", help="Show what would be hauled, and its cost.", rich_help_panel=_OUT)
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
    bool, typer.Option("--verbose", "-v", help="Say more of what is used.", rich_help_panel=_OUT)
]
LogFormat = Annotated[
    LogFormats, typer.Option(help="Events on stderr as text or JSON lines.", rich_help_panel=_OUT)
]

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
        raise UsageError(
            f"{url!r} is not an S3 source.", hint="write s3://BUCKET, s3://BUCKET/PREFIX/ or s3://BUCKET/KEY"
        )
    if request_payer not in {None, "requester"}:
        raise UsageError("--request-payer takes one value: requester.")
    if expected_bucket_owner is not None and not re.fullmatch(r"\d{12}", expected_bucket_owner, re.ASCII):
        raise UsageError("--expected-bucket-owner takes an account number of 12 digits.")
    if match["bucket"].endswith("--x-s3"):
        raise UsageError(
            "Directory buckets (--x-s3) list their keys without order, which s3haul cannot resume yet.",
            hint="copy the objects to a general purpose bucket first",
        )
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


def parse_bwlimit(text: str | None) -> int | None:
    """`--bwlimit` in bytes a second; None where it is not given."""
    rate = None if text is None else parse_rate(text)
    if text is not None and rate is None:
        raise UsageError(
            f"--bwlimit {text!r} is no rate.",
            hint="write 500K, 10MB/s (bytes) or 80Mb/s (bits); a K is 1,024",
        )
    return rate


def parse_destination(dest: str, source: SourceOptions, *, force: bool) -> DestinationOptions:
    """Where the objects go: a directory, or for one object also a file name, as `aws s3 cp` has it."""
    if not dest:
        raise UsageError("DEST is empty.", hint="name a directory (. is this one); is a variable not set?")
    if dest.startswith("s3://"):
        raise UsageError("The destination must be local.", hint="s3haul only downloads")
    path = Path(dest)
    if source.recursive or dest.endswith("/") or path.is_dir():
        return DestinationOptions(root=path, force=force)
    return DestinationOptions(root=path.parent, name=path.name, force=force)


def journal_of(dest: Path) -> Path:
    """The journal of a destination. Raises `JournalError` where nothing was hauled."""
    path = dest / ".s3haul" / "journal.sqlite3"
    if not path.is_file():
        raise JournalError(
            f"There is no journal in {dest}.", hint="name the directory that s3haul cp hauled to"
        )
    return path


def filters_in_order(argv: Sequence[str]) -> tuple[tuple[bool, str], ...]:
    """`--include` and `--exclude` in the order given, which the parsed lists no longer tell."""
    found: list[tuple[bool, str]] = []
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if word == "--":
            break
        if flag in {"--include", "--exclude"}:
            found.append((flag == "--include", value if equals else next(words, "")))
    return tuple(found)
