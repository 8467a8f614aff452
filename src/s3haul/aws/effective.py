"""The effective settings with the place that each comes from: a flag, an environment variable, a file's section.

It repeats no decision of `profile`: it looks up where the value that was chosen there stands. The External
ID is told by its length.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.session import Session

from s3haul.aws import configfile
from s3haul.aws.chain import RoleStep
from s3haul.aws.configwrite import hidden
from s3haul.aws.places import VARIABLES, Origin, Place, Setting, section_of
from s3haul.aws.profile import Settings, resolve
from s3haul.options import AccessOptions

EXTERNAL_ID_VARIABLE = "S3HAUL_EXTERNAL_ID"

# The key of the profile for each field of a role.
_ROLE = {
    "role_arn": "role_arn",
    "external_id": "external_id",
    "role_session_name": "session_name",
    "duration_seconds": "duration_seconds",
    "mfa_serial": "mfa_serial",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One effective value. `where` is a flag, a variable, or "FILE [section]"; "" for a default."""

    name: str
    value: str | None
    origin: Origin
    where: str = ""


def effective(access: AccessOptions, environ: Mapping[str, str] = os.environ) -> list[Row]:
    """Every effective value, the chain of roles from the source to the last. Raises as `profile.resolve`."""
    settings = resolve(access, environ)
    files = configfile.read(Session(profile=access.profile))
    place = Place(files.paths, settings.profile.value or "default", environ)
    chosen: dict[str, Setting] = {key: getattr(settings, key) for key in VARIABLES}
    rows = [
        Row(key, setting.value, setting.origin, place.of(key, setting.origin))
        for key, setting in chosen.items()
    ]
    rows.append(_source_row(access, settings, files.paths))
    for number, step in enumerate(settings.roles, 1):
        last = number == len(settings.roles)
        rows += _role_rows(step, files.paths, access.external_id if last else None, environ)
    return rows


def _source_row(access: AccessOptions, settings: Settings, paths: tuple[str, str]) -> Row:
    """The credentials below all roles: named by a flag, by the first role's profile, or found by botocore."""
    if access.source_profile and access.source_profile == settings.base.name:
        return Row("source", str(settings.base), Origin.FLAG, "--source-profile")
    first = settings.roles[0].profile if settings.roles else None
    for key in ("source_profile", "credential_source"):
        section = section_of(paths, first, key) if first else ""
        if section:
            return Row("source", str(settings.base), Origin.PROFILE, section)
    return Row("source", str(settings.base), Origin.DEFAULT)


def _role_rows(
    step: RoleStep, paths: tuple[str, str], external_id: str | None, environ: Mapping[str, str]
) -> Iterator[Row]:
    for key, attribute in _ROLE.items():
        value: Any = getattr(step.role, attribute)
        if value is None:
            continue
        shown = hidden(value) if key == "external_id" else str(value)
        section = section_of(paths, step.profile, key) if step.profile else ""
        if key == "external_id" and external_id is not None:
            from_variable = environ.get(EXTERNAL_ID_VARIABLE) == external_id
            origin = Origin.ENVIRONMENT if from_variable else Origin.FLAG
            yield Row(key, shown, origin, EXTERNAL_ID_VARIABLE if from_variable else "--external-id")
        elif step.profile is None:
            given = key != "duration_seconds" or value != 3600
            yield Row(
                key,
                shown,
                Origin.FLAG if given else Origin.DEFAULT,
                f"--{key.replace('_', '-')}" if given else "",
            )
        else:
            yield Row(key, shown, Origin.PROFILE if section else Origin.DEFAULT, section)
