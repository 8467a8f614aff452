"""The profile that `configure` creates: checks its options, and plans the edit of the configuration file.

Reads the configuration files, writes nothing (`config_edit.save` does).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from botocore.session import Session

from s3haul.aws.config import config_edit, config_file
from s3haul.aws.config.chain import CREDENTIAL_SOURCES
from s3haul.aws.config.config_edit import Edit
from s3haul.aws.config.validation import check_role
from s3haul.errors import UsageError
from s3haul.options import RoleOptions
from s3haul.policies.names import check_region

_SOURCES = ("source_profile", "credential_source")


class Planned(NamedTuple):
    """The edit, and `warnings` for the user that do not prevent it."""

    edit: Edit
    warnings: tuple[str, ...] = ()


def plan(profile: str, wanted: Mapping[str, str]) -> Planned:
    """The edit that sets these options of the profile and keeps its other options.

    Raises `UsageError` for contradicting options, `ProfileError` for a file that cannot be used.
    """
    files = config_file.read(Session())
    held = files.profiles.get(profile, {})
    _check(profile, wanted, held)
    changes: dict[str, str | None] = dict(wanted)
    for one, other in (_SOURCES, _SOURCES[::-1]):
        if one in wanted:
            changes[other] = None  # botocore refuses a profile that has both
    changes["s3.signature_version"] = "s3v4"
    path = Path(os.path.expandvars(files.paths[0]))  # as botocore reads it
    edit = config_edit.plan(path, profile, changes)
    source = wanted.get("source_profile")
    if source in (None, "default", *files.profiles):
        return Planned(edit)
    return Planned(
        edit, (f"the source profile {source!r} does not exist yet; it must contain your own credentials",)
    )


def _check(profile: str, wanted: Mapping[str, str], held: Mapping[str, object]) -> None:
    if all(source in wanted for source in _SOURCES):
        raise UsageError("--source-profile and --credential-source exclude each other.")
    if "role_arn" not in {**held, **wanted}:
        raise UsageError("--role-arn is required, because the profile has no role yet.")
    if not {*_SOURCES} & {**held, **wanted}.keys():
        raise UsageError(
            "The credentials that assume the role are not given.",
            hint="give --source-profile, or --credential-source on AWS machines",
        )
    if wanted.get("source_profile") == profile and "aws_access_key_id" not in held:
        raise UsageError(f"Profile {profile!r} cannot be its own source, because it has no credentials.")
    if wanted.get("credential_source", CREDENTIAL_SOURCES[0]) not in CREDENTIAL_SOURCES:
        raise UsageError(f"--credential-source takes {', '.join(CREDENTIAL_SOURCES)}.")
    if "region" in wanted:
        check_region(wanted["region"])
    check_role(
        RoleOptions(
            role_arn=wanted.get("role_arn", str(held.get("role_arn"))),
            external_id=wanted.get("external_id"),
            session_name=wanted.get("role_session_name"),
            duration_seconds=int(wanted.get("duration_seconds", "3600")),
            mfa_serial=wanted.get("mfa_serial"),
        )
    )
