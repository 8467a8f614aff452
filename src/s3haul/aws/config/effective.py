"""The effective settings, and where each comes from: a flag, an environment variable, or a section of a file.

`profile` decides which value is used; this module only finds its location. Of the External ID only the length is shown.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.session import Session

from s3haul.aws.config import config_file
from s3haul.aws.config.chain import RoleStep
from s3haul.aws.config.config_edit import hidden
from s3haul.aws.config.origins import VARIABLES, Origin, Place, Setting, section_of
from s3haul.aws.config.profile import Settings, resolve
from s3haul.options import AccessOptions

# The option of a profile for each field of a role.
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
    """All effective values; roles in the order in which they are assumed. Raises as `profile.resolve`."""
    settings = resolve(access, environ)
    files = config_file.read(Session(profile=access.profile))
    place = Place(files.paths, settings.profile.value or "default", environ)
    chosen: dict[str, Setting] = {key: getattr(settings, key) for key in VARIABLES}
    rows = [Row(key, setting.value, *_place(key, setting, place)) for key, setting in chosen.items()]
    rows.append(_source_row(access, settings, files.paths, environ))
    for number, step in enumerate(settings.roles, 1):
        last = number == len(settings.roles)
        rows += _role_rows(step, files.paths, access.external_id if last else None, environ)
    return rows


def _source_row(
    access: AccessOptions, settings: Settings, paths: tuple[str, str], environ: Mapping[str, str]
) -> Row:
    """The source credentials: given by a flag, by the profile of the first role, or found by botocore."""
    if access.source_profile and access.source_profile == settings.base.name:
        return Row("source", str(settings.base), *_given("source_profile", access.source_profile, environ))
    first = settings.roles[0].profile if settings.roles else None
    for key in ("source_profile", "credential_source"):
        section = section_of(paths, first, key) if first else ""
        if section:
            return Row("source", str(settings.base), Origin.PROFILE, section)
    return Row("source", str(settings.base), Origin.DEFAULT)


def _given(flag: str, value: str | None, environ: Mapping[str, str]) -> tuple[Origin, str]:
    """The flag, or the environment variable that was used in place of it."""
    variable = f"S3HAUL_{flag.upper()}"
    if value is not None and environ.get(variable) == value:
        return Origin.ENVIRONMENT, variable
    return Origin.FLAG, f"--{flag.replace('_', '-')}"


def _place(key: str, setting: Setting, place: Place) -> tuple[Origin, str]:
    if setting.origin is Origin.FLAG:
        return _given(key, setting.value, place.environ)
    return setting.origin, place.of(key, setting.origin)


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
            yield Row(key, shown, *_given(key, external_id, environ))
        elif step.profile is None and key == "duration_seconds" and value == 3600:
            yield Row(key, shown, Origin.DEFAULT)
        elif step.profile is None:
            yield Row(key, shown, *_given(key, str(value), environ))
        else:
            yield Row(key, shown, Origin.PROFILE if section else Origin.DEFAULT, section)
