"""From the flags of a command to the options that the API takes. Invalid values raise `UsageError`, before anything is
opened.

Each function takes the flags by name. A command that does not have a flag gets the default of the option.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from s3haul.cli import selection
from s3haul.cli.flags import LogFormats
from s3haul.cli.locations import parse_source
from s3haul.core.limits import parse_rate
from s3haul.errors import UsageError
from s3haul.options import AccessOptions, Existing, OutputOptions, RoleOptions, SourceOptions, TransferOptions

_SSE = ("aws:kms", "aws:kms:dsse", "AES256")
_FILTERS = ("include", "exclude", "include_from", "exclude_from")


def access_options(given: Mapping[str, Any]) -> AccessOptions:
    """Who sends the requests, and to where."""
    if given.get("no_sign_request") and (given["role_arn"] or given["source_profile"]):
        raise UsageError("--no-sign-request and a role contradict each other.")
    role = parse_role(
        given["role_arn"],
        given["external_id"],
        given["role_session_name"],
        given["duration_seconds"],
        given.get("mfa_serial"),
    )
    converted: dict[str, Any] = {"role": role}
    if "transport" in given:
        converted["transport"] = given["transport"].value
    return AccessOptions(**_fields_of(AccessOptions, given) | converted)


def source_options(given: Mapping[str, Any]) -> SourceOptions:
    """What to copy: the URL, and the flags that name a part or a version of it."""
    source = parse_source(
        given["source"],
        recursive=given["recursive"],
        request_payer=given["request_payer"],
        expected_bucket_owner=given["expected_bucket_owner"],
        page_size=given.get("page_size", 1000),
    )
    return selection.with_versions(
        source,
        version_id=given.get("version_id"),
        at=given.get("at"),
        all_versions=given.get("all_versions", False),
        now=time.time(),
    )


def transfer_options(given: Mapping[str, Any], argv: Sequence[str], source: SourceOptions) -> TransferOptions:
    """Which objects, and how they are fetched. `argv` has the order of the filters."""
    sse = given.get("sse")
    if sse is not None and sse not in _SSE:
        raise UsageError(f"--sse takes {', '.join(_SSE)}.")
    filters = {f"--{name.replace('_', '-')}": given.get(name) or () for name in _FILTERS}
    listed = given.get("files_from") or given.get("plan")
    converted: dict[str, Any] = {
        "filters": selection.filters_in_order(argv, filters),
        "conditions": selection.conditions(given, time.time()),
        "existing": parse_existing(
            given.get("existing", Existing.VERIFY), no_overwrite=given.get("no_overwrite", False)
        ),
        "bandwidth": parse_bwlimit(given.get("bwlimit")),
        "max_transfer": selection.size("--max-transfer", given.get("max_transfer")),
        "max_duration": selection.span("--max-duration", given.get("max_duration")),
        "reconcile": selection.reconcile(source, listed, wanted=given.get("reconcile", False)),
    }
    return TransferOptions(**_fields_of(TransferOptions, given) | converted)


def output_options(given: Mapping[str, Any]) -> OutputOptions:
    """What is shown, and where it is written."""
    return OutputOptions(
        **_fields_of(OutputOptions, given)
        | {
            "progress": not given["no_progress"],
            "json_log": given["log_format"] is LogFormats.JSON,
            "plan": given["save_plan"],
        }
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
        raise UsageError(f"{flag} {text!r} is not a size.", hint="write 8M, 8MiB or 4GiB; a K is 1,024")
    return size


def _fields_of(record: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that have the name of a field of the record."""
    return {field.name: given[field.name] for field in fields(record) if field.name in given}
