"""Converts the values of flags to options. Invalid values raise `UsageError`, before anything is opened."""

import re
import shlex
from pathlib import Path

from s3haul.cli.spellings import meant
from s3haul.core.rate import parse_rate
from s3haul.errors import UsageError
from s3haul.options import DestinationOptions, Existing, RoleOptions, SourceOptions
from s3haul.policies.buckets import check_bucket

_POINT = r"arn:[^/]+(?:(?<=outpost)/[^/]+)?[:/]accesspoint[:/][^/]+"
_URL = re.compile(rf"s3://(?P<bucket>{_POINT}|[^/]+)(?:/(?P<key>.*))?", re.DOTALL)


def parse_source(
    url: str,
    *,
    recursive: bool,
    request_payer: str | None = None,
    expected_bucket_owner: str | None = None,
    page_size: int = 1000,
) -> SourceOptions:
    """Parse `s3://BUCKET[/PREFIX]`. A bucket, or a prefix that ends with "/", implies --recursive."""
    match = _URL.fullmatch(url)
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
    did_you_mean = shlex.join(meant(word))
    return UsageError(
        f"{shown} is not an S3 source.",
        hint=f"did you mean: {did_you_mean}"
        if did_you_mean
        else "write s3://BUCKET, s3://BUCKET/PREFIX/ or s3://BUCKET/KEY",
    )


def refuse_swapped(source: str, dest: str) -> None:
    """Raise `UsageError` if the arguments are swapped, or an upload is intended."""
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
    """The role given by flags; None without --role-arn."""
    if role_arn is None:
        if (session_name, duration, mfa) != (None, None, None):
            raise UsageError("Flags of the role need --role-arn.", hint="or set them in the profile")
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


def parse_bwlimit(text: str | None) -> int | None:
    """`--bwlimit` in bytes per second; None if not given."""
    rate = None if text is None else parse_rate(text)
    if text is not None and rate is None:
        raise UsageError(
            f"--bwlimit {text!r} is not a rate.",
            hint="write 500K, 10MB/s (bytes) or 80Mb/s (bits); a K is 1,024",
        )
    return rate


def parse_size(text: str, flag: str) -> int:
    """A number of bytes. Raises `UsageError`, which names the flag."""
    size = None if text.endswith("/s") else parse_rate(text)
    if size is None:
        raise UsageError(f"{flag} {text!r} is no size.", hint="write 8M, 8MiB or 4GiB; a K is 1,024")
    return size


def parse_destination(dest: str, source: SourceOptions, *, force: bool) -> DestinationOptions:
    """The destination: a directory, or for one object also a file name, as in `aws s3 cp`."""
    if not dest:
        raise UsageError(
            "DEST is empty.", hint="give a directory (. is the current one); is a variable not set?"
        )
    if dest.startswith("s3://"):
        raise UsageError("The destination must be local.", hint="s3haul only downloads")
    path = Path(dest)
    if _is_stream(path):
        raise UsageError(
            f"{dest} is not a directory or file.", hint="- as DEST writes one object to standard output"
        )
    if source.recursive or dest.endswith("/") or path.is_dir():
        return DestinationOptions(root=path, force=force)
    return DestinationOptions(root=path.parent, name=path.name, force=force)


def _is_stream(path: Path) -> bool:
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
