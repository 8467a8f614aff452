"""Finds the chain of roles that flags and profiles describe, and the credentials at its start.

Pure lookups in the parsed configuration: the roles in the order in which they are assumed, and the source credentials
that assume the first one. Every `source_profile` is followed. Nothing is fetched here (see `source_credentials`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from s3haul.aws.config.config_file import ConfigFile
from s3haul.aws.config.validation import check_role
from s3haul.errors import ProfileError
from s3haul.options import AccessOptions, RoleOptions

CREDENTIAL_SOURCES = ("Ec2InstanceMetadata", "EcsContainer", "Environment")


class BaseKind(StrEnum):
    """Where the source credentials are found."""

    CHAIN = "chain"  # botocore's chain of providers: environment, files, SSO, process, container, instance
    PROFILE = "profile"  # one profile; the environment is ignored
    SOURCE = "source"  # a credential_source
    ANONYMOUS = "anonymous"  # no credentials: requests are not signed


class Base(NamedTuple):
    """The source credentials: `name` is a profile (CHAIN: an explicit one or None) or a credential_source."""

    kind: BaseKind
    name: str | None = None

    def __str__(self) -> str:
        if self.kind is BaseKind.ANONYMOUS:
            return "no credentials (requests are not signed)"
        if self.kind is BaseKind.SOURCE:
            return f"credential_source {self.name}"
        return f"profile {self.name}" if self.name else "the environment or the default profile"


@dataclass(frozen=True, slots=True)
class RoleStep:
    """One role to assume. `profile` is the profile that defines it; None if flags do."""

    role: RoleOptions
    profile: str | None = None


def resolve_chain(
    access: AccessOptions, files: ConfigFile, name: str, environ: Mapping[str, str]
) -> tuple[tuple[RoleStep, ...], Base]:
    """Roles and base for profile `name`. Raises `ProfileError` S3H-CFG-02 to 04, or as `check_role`."""
    if access.no_sign_request:
        return (), Base(BaseKind.ANONYMOUS)
    explicit = access.profile
    keys_in_environment = not explicit and bool(environ.get("AWS_ACCESS_KEY_ID"))
    if access.role:
        check_role(access.role)
        if access.source_profile:
            roles, base = _walk(files, access.source_profile)
        elif keys_in_environment:
            roles, base = (), Base(BaseKind.CHAIN)
        else:
            roles, base = _source_of_role(files, name, explicit)
        return (*roles, RoleStep(access.role)), base
    if keys_in_environment or not _has_role(files.profiles.get(name, {})):
        return (), Base(BaseKind.CHAIN, explicit)
    roles, base = _walk(files, name)
    if access.external_id:
        roles = (*roles[:-1], _with_external_id(roles[-1], access.external_id))
    return roles, base


def _with_external_id(step: RoleStep, external_id: str) -> RoleStep:
    role = replace(step.role, external_id=external_id)
    check_role(role)
    return replace(step, role=role)


def _source_of_role(files: ConfigFile, name: str, explicit: str | None) -> tuple[tuple[RoleStep, ...], Base]:
    """The credentials that assume the role given by flags: the source of the profile's own role, or the profile."""
    keys = files.profiles.get(name, {})
    if not _has_role(keys):
        return (), Base(BaseKind.CHAIN, explicit)
    roles, base = _walk(files, name)
    return roles[:-1], base


def _has_role(keys: dict[str, Any]) -> bool:
    """Whether the profile has a role that we assume. botocore's provider assumes one with a web identity token."""
    return "role_arn" in keys and "web_identity_token_file" not in keys


def _walk(files: ConfigFile, name: str, seen: tuple[str, ...] = ()) -> tuple[tuple[RoleStep, ...], Base]:
    """The roles of profile `name`, the first to assume first, and the source credentials."""
    keys = files.profile(name)
    if not _has_role(keys):
        return (), Base(BaseKind.PROFILE, name)
    step = RoleStep(_role(name, keys), name)
    source, credential_source = keys.get("source_profile"), keys.get("credential_source")
    if source and credential_source:
        raise ProfileError(
            f"profile {name!r} has both source_profile and credential_source",
            hint="keep one",
            id="S3H-CFG-04",
        )
    if credential_source:
        _check_credential_source(name, credential_source)
        return (step,), Base(BaseKind.SOURCE, credential_source)
    if not source:
        raise ProfileError(
            f"profile {name!r} has a role_arn, but no source_profile or credential_source",
            hint="add source_profile = the profile that has your own credentials",
            id="S3H-CFG-03",
        )
    if source not in files.profiles:
        raise ProfileError(
            f"source_profile {source!r} of profile {name!r} does not exist",
            hint="a comment must be on its own line"
            if "#" in source
            else f"profiles that exist: {_names(files)}",
            id="S3H-CFG-02",
        )
    if _has_keys(files.profiles[source]) or not _has_role(files.profiles[source]):
        return (step,), Base(BaseKind.PROFILE, source)
    if source in (*seen, name):
        raise ProfileError(
            f"the source_profile of {name!r} forms a loop: it leads back to {source!r}",
            hint="one profile of the chain must have its own credentials",
            id="S3H-CFG-04",
        )
    roles, base = _walk(files, source, (*seen, name))
    return (*roles, step), base


def _has_keys(keys: dict[str, Any]) -> bool:
    return "aws_access_key_id" in keys or "aws_secret_access_key" in keys


def _names(files: ConfigFile) -> str:
    return ", ".join(sorted(files.profiles))


def _check_credential_source(name: str, credential_source: str) -> None:
    if credential_source not in CREDENTIAL_SOURCES:
        raise ProfileError(
            f"credential_source of profile {name!r} must be one of {', '.join(CREDENTIAL_SOURCES)}",
            id="S3H-CFG-02",
        )


def _role(name: str, profile: dict[str, Any]) -> RoleOptions:
    keys = {key: value for key, value in profile.items() if isinstance(value, str)}
    duration = keys.get("duration_seconds", "3600")
    if not duration.isdecimal():
        raise ProfileError(
            f"duration_seconds of profile {name!r} is {duration!r}, not a whole number of seconds",
            id="S3H-STS-10",
        )
    role = RoleOptions(
        role_arn=keys.get("role_arn", ""),
        external_id=keys.get("external_id"),
        session_name=keys.get("role_session_name"),
        duration_seconds=int(duration),
        mfa_serial=keys.get("mfa_serial"),
    )
    check_role(role, name)
    return role
