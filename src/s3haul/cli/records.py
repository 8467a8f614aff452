"""From the flags of a command to the records that the API takes. Each takes the flags by name; missing ones keep the
defaults of the record."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from s3haul.cli import parsing, selection
from s3haul.cli.flags import LogFormats
from s3haul.errors import UsageError
from s3haul.options import AccessOptions, OutputOptions, SourceOptions, TransferOptions

_SSE = ("aws:kms", "aws:kms:dsse", "AES256")
_FILTERS = ("include", "exclude", "include_from", "exclude_from")


def access_options(given: Mapping[str, Any]) -> AccessOptions:
    """Who asks, and where. Raises `UsageError` for a role that cannot be meant."""
    if given.get("no_sign_request") and (given["role_arn"] or given["source_profile"]):
        raise UsageError("--no-sign-request and a role contradict each other.")
    role = parsing.parse_role(
        given["role_arn"],
        given["external_id"],
        given["role_session_name"],
        given["duration_seconds"],
        given.get("mfa_serial"),
    )
    converted: dict[str, Any] = {"role": role}
    if "transport" in given:
        converted["transport"] = given["transport"].value
    return AccessOptions(**_taken(AccessOptions, given) | converted)


def source_options(given: Mapping[str, Any]) -> SourceOptions:
    """What to copy, from the URL and the flags that name a part or a version of it."""
    source = parsing.parse_source(
        given["source"],
        recursive=given["recursive"],
        request_payer=given["request_payer"],
        expected_bucket_owner=given["expected_bucket_owner"],
        page_size=given["page_size"],
    )
    return selection.with_versions(
        source,
        version_id=given["version_id"],
        at=given["at"],
        all_versions=given["all_versions"],
        now=time.time(),
    )


def transfer_options(given: Mapping[str, Any], argv: Sequence[str], source: SourceOptions) -> TransferOptions:
    """Which objects, and how. `argv` tells the order of the filters."""
    if given["sse"] is not None and given["sse"] not in _SSE:
        raise UsageError(f"--sse takes {', '.join(_SSE)}.")
    filters = {f"--{name.replace('_', '-')}": given[name] or () for name in _FILTERS}
    listed = given["files_from"] or given["plan"]
    converted: dict[str, Any] = {
        "filters": selection.filters_in_order(argv, filters),
        "conditions": selection.conditions(
            min_size=given["min_size"],
            max_size=given["max_size"],
            newer_than=given["newer_than"],
            older_than=given["older_than"],
            storage_classes=given["storage_class"] or (),
            regex=given["regex"] or (),
            now=time.time(),
        ),
        "existing": parsing.parse_existing(given["existing"], no_overwrite=given["no_overwrite"]),
        "bandwidth": parsing.parse_bwlimit(given["bwlimit"]),
        "max_transfer": selection.size("--max-transfer", given["max_transfer"]),
        "max_duration": selection.span("--max-duration", given["max_duration"]),
        "reconcile": selection.reconcile(source, listed, wanted=given["reconcile"]),
    }
    return TransferOptions(**_taken(TransferOptions, given) | converted)


def output_options(given: Mapping[str, Any]) -> OutputOptions:
    """What is shown, and where else it goes."""
    return OutputOptions(
        **_taken(OutputOptions, given)
        | {
            "progress": not given["no_progress"],
            "json_log": given["log_format"] is LogFormats.JSON,
            "plan": given["save_plan"],
        }
    )


def _taken(record: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that have the name of a field."""
    return {field.name: given[field.name] for field in fields(record) if field.name in given}
