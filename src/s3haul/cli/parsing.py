"""From the command line to the options that the API takes: SOURCE, DEST and the flags of a command.

Invalid values raise `UsageError`. Nothing is opened. A bucket may be written as in consoles, browsers,
policies and other tools: then the error names the right arguments. Everything in a web URL except bucket and
key is dropped, because it may be a signature or a password.
"""

import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from s3haul.cli.flags import (
    AccessFlags,
    FilterFlags,
    LogFormats,
    OutputFlags,
    SelectionFlags,
    SourceFlags,
    TransferFlags,
    Transports,
)
from s3haul.cli.selection import (
    conditions,
    filters_in_order,
    if_given,
    is_reconciled,
    parse_size,
    parse_span,
    with_versions,
)
from s3haul.core.limits import parse_rate
from s3haul.errors import UsageError
from s3haul.options import (
    AccessOptions,
    DestinationOptions,
    Existing,
    OutputOptions,
    RoleOptions,
    SourceOptions,
    TransferOptions,
)
from s3haul.policies.buckets import BUCKET_URL, check_bucket

_NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_BARE = re.compile(rf"{_NAME}(?:/.*)?", re.DOTALL)
_ARN = re.compile(rf"arn:aws[a-z-]*:s3:::({_NAME}(?:/.*)?)", re.DOTALL)
_SCHEME = re.compile(r"s3[an]?:/*([^/].*)", re.IGNORECASE | re.DOTALL)
_REMOTE = re.compile(rf"\w[\w-]*:({_NAME}(?:/.*)?)", re.DOTALL)  # as in rclone
_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3[a-z0-9.-]*\.amazonaws\.com(?:\.cn)?")
_CONSOLE = re.compile(r"/s3/(?:buckets|object)/([^/]+)")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)  # RFC 3986, 3.1
_SSE = ("aws:kms", "aws:kms:dsse", "AES256")
_NO_SELECTION = SelectionFlags()


def access_options(access: AccessFlags, transport: Transports = Transports.AUTO) -> AccessOptions:
    """Who sends the requests, and to where."""
    if access.no_sign_request and (access.role_arn or access.source_profile):
        raise UsageError("--no-sign-request and a role contradict each other.")
    same = _same_fields(AccessOptions, access)
    return AccessOptions(**same, role=role_options(access), transport=transport.value)


def role_options(access: AccessFlags) -> RoleOptions | None:
    """The role given by flags; None without --role-arn."""
    if access.role_arn is None:
        if (access.role_session_name, access.duration_seconds, access.mfa_serial) != (None, None, None):
            raise UsageError("Flags of the role need --role-arn.", hint="or set them in the profile")
        return None
    return RoleOptions(
        role_arn=access.role_arn,
        external_id=access.external_id,
        session_name=access.role_session_name,
        duration_seconds=3600 if access.duration_seconds is None else access.duration_seconds,
        mfa_serial=access.mfa_serial,
    )


def source_options(url: str, part: SourceFlags, selection: SelectionFlags = _NO_SELECTION) -> SourceOptions:
    """What to copy: the URL, and the flags that name a part or a version of it."""
    return with_versions(parse_source(url, **asdict(part)), selection, time.time())


def transfer_options(
    argv: Sequence[str],
    source: SourceOptions,
    filters: FilterFlags,
    transfer: TransferFlags,
    selection: SelectionFlags = _NO_SELECTION,
) -> TransferOptions:
    """Which objects, and how they are fetched. `argv` has the order of the patterns."""
    if transfer.sse is not None and transfer.sse not in _SSE:
        raise UsageError(f"--sse takes {', '.join(_SSE)}.")
    converted = {
        "filters": filters_in_order(argv, filters),
        "conditions": conditions(filters, time.time()),
        "existing": _existing(transfer),
        "bandwidth": None if transfer.bwlimit is None else parse_bwlimit(transfer.bwlimit),
        "retry_timeout": parse_span("--retry-timeout", transfer.retry_timeout),
        "max_transfer": if_given(parse_size, "--max-transfer", selection.max_transfer),
        "max_duration": if_given(parse_span, "--max-duration", selection.max_duration),
        "reconcile": is_reconciled(source, selection),
    }
    same = _same_fields(TransferOptions, selection) | _same_fields(TransferOptions, transfer)
    return TransferOptions(**same | converted)


def output_options(output: OutputFlags) -> OutputOptions:
    """What is shown, and where it is written."""
    return OutputOptions(
        **_same_fields(OutputOptions, output),
        progress=not output.no_progress,
        json_log=output.log_format is LogFormats.JSON,
        plan=output.save_plan,
    )


def _existing(transfer: TransferFlags) -> Existing:
    """`--no-overwrite` of `aws s3 cp` is `--existing skip`."""
    if transfer.no_overwrite and transfer.existing is Existing.OVERWRITE:
        raise UsageError("--no-overwrite and --existing overwrite contradict each other.")
    return Existing.SKIP if transfer.no_overwrite else transfer.existing


def parse_bwlimit(text: str) -> int:
    """`--bwlimit` in bytes per second."""
    rate = parse_rate(text)
    if rate is None:
        raise UsageError(
            f"--bwlimit {text!r} is not a rate.",
            hint="write 500K, 10MB/s (bytes) or 80Mb/s (bits); a K is 1,024",
        )
    return rate


def _same_fields(options: type[Any], flags: Any) -> dict[str, Any]:
    """The flags that have the name of a field of the options."""
    return {field.name: getattr(flags, field.name) for field in fields(options) if hasattr(flags, field.name)}


def parse_source(
    url: str,
    *,
    recursive: bool,
    request_payer: str | None = None,
    expected_bucket_owner: str | None = None,
    page_size: int = 1000,
) -> SourceOptions:
    """Parse `s3://BUCKET[/PREFIX]`. A bucket, or a prefix that ends with "/", implies --recursive."""
    match = BUCKET_URL.fullmatch(url)
    if match is None:
        raise _not_a_source(url)
    if request_payer not in {None, "requester"}:
        raise UsageError("--request-payer takes one value: requester.")
    if expected_bucket_owner is not None and not re.fullmatch(r"\d{12}", expected_bucket_owner, re.ASCII):
        raise UsageError("--expected-bucket-owner takes an account number of 12 digits.")
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
    """A web URL may contain a signature, so the message does not show it."""
    shown = "A web URL" if re.match("https?:", word, re.IGNORECASE) else repr(word)
    did_you_mean = shlex.join(suggestion(word))
    return UsageError(
        f"{shown} is not an S3 source.",
        hint=f"did you mean: {did_you_mean}"
        if did_you_mean
        else "write s3://BUCKET, s3://BUCKET/PREFIX/ or s3://BUCKET/KEY",
    )


def suggestion(word: str) -> list[str]:
    """`s3://BUCKET[/KEY]`, with the flags that belong to it; empty if the word cannot be interpreted."""
    if re.match(r"https?://", word, re.IGNORECASE):
        return _of_web(urlsplit(word))
    for form in (_ARN, _SCHEME, _REMOTE):
        if found := form.fullmatch(word):
            return ["s3://" + found[1].removesuffix("*")]
    return ["s3://" + word] if _BARE.fullmatch(word) else []


def _of_web(url: SplitResult) -> list[str]:
    host, path = url.hostname or "", unquote(url.path)
    if "console." in host:
        bucket = _CONSOLE.fullmatch(path.rstrip("/"))
        prefix = parse_qs(url.query).get("prefix", [""])[0]
        return [f"s3://{bucket[1]}/{prefix}"] if bucket else []
    at_aws = _HOST.fullmatch(host)
    bucket_and_key = f"{at_aws['bucket']}{path}" if at_aws and at_aws["bucket"] else path.lstrip("/")
    if not bucket_and_key:
        return []
    place = url.netloc.rpartition("@")[2]
    endpoint = [] if at_aws else ["--endpoint-url", f"{url.scheme}://{place}"]
    return [f"s3://{bucket_and_key}", *endpoint]


def refuse_swapped(source: str, dest: str) -> None:
    """Raise `UsageError` if the arguments are swapped, or an upload is intended."""
    if dest.startswith("s3://") and not source.startswith("s3:"):
        raise UsageError(
            "The source is local and the destination is in S3.",
            hint=f"s3haul only downloads: {shlex.join(('s3haul', 'cp', dest, source))}",
        )


def parse_destination(dest: str, source: SourceOptions, *, force: bool) -> DestinationOptions:
    """The destination: a directory, or for one object also a file name, as in `aws s3 cp`."""
    if not dest:
        raise UsageError(
            "DEST is empty.", hint="give a directory (. is the current one); is a variable not set?"
        )
    if _URL.match(dest):
        raise UsageError(
            "The destination must be a local path, not a URL.", hint="s3haul only downloads, to a local disk"
        )
    path = Path(dest)
    if is_stream(path):
        raise UsageError(
            f"{dest} is not a directory or file.", hint="- as DEST writes one object to standard output"
        )
    if source.recursive or dest.endswith("/") or _is_directory(path):
        return DestinationOptions(root=path, force=force)
    return DestinationOptions(root=path.parent, name=path.name, force=force)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # opening the destination will report the error


def is_stream(path: Path) -> bool:
    """Whether it is a device, or exists and is neither a directory nor a file (a FIFO, a socket)."""
    if path.parts[:2] == ("/", "dev"):
        return path.parts[:3] != ("/", "dev", "shm")
    try:
        return path.exists() and not (path.is_dir() or path.is_file())
    except OSError:
        return False  # opening the destination will report the error


def demand_one_object(source: SourceOptions, *, other_output: bool, filters: bool) -> None:
    """Raise `UsageError` unless the source is one object, and nothing else is written to standard output."""
    if source.recursive:
        raise UsageError(
            "Only one object can be written to standard output, but the source is a bucket or a prefix.",
            hint="give one key: s3haul cp s3://BUCKET/KEY -",
        )
    if other_output:
        raise UsageError("Standard output is needed for the object.", hint="leave out --json and --dryrun")
    if filters:
        raise UsageError(
            "Filters cannot be used with - as DEST: it takes one object.", hint="leave the filters out"
        )
