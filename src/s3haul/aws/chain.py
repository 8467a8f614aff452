"""Finds the chain of roles that flags and profiles describe, and the credentials at its start.

Pure lookups in the parsed configuration: the roles in the order in which they are assumed, and the source credentials
that assume the first one. Every `source_profile` is followed, and the parameters of every role are checked; messages
never contain the External ID, only its length. Nothing is fetched here (see `source_credentials`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from s3haul.aws.config_file import ConfigFile
from s3haul.errors import ProfileError, UsageError
from s3haul.options import AccessOptions, RoleOptions
from s3haul.policies.names import ROLE_ARN, external_id_problem, format_advice

CREDENTIAL_SOURCES = ("Ec2InstanceMetadata", "EcsContainer", "Environment")

# Limits and patterns of the STS service model (2011-06-15), where \w is ASCII. Sessions in seconds.
SHORTEST_SESSION = 900
_LONGEST_SESSION = 43_200
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_MFA_SERIAL = re.compile(r"[\w+=/:,.@-]{9,256}", re.ASCII)


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
        role = replace(roles[-1].role, external_id=access.external_id)
        check_role(role)
        roles = (*roles[:-1], replace(roles[-1], role=role))
    return roles, base


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
        if credential_source not in CREDENTIAL_SOURCES:
            raise ProfileError(
                f"credential_source of profile {name!r} must be one of {', '.join(CREDENTIAL_SOURCES)}",
                id="S3H-CFG-02",
            )
        return (step,), Base(BaseKind.SOURCE, credential_source)
    if not source:
        raise ProfileError(
            f"profile {name!r} has a role_arn, but no source_profile or credential_source",
            hint="add source_profile = the profile that has your own credentials",
            id="S3H-CFG-03",
        )
    if source not in files.profiles:
        exist = f"profiles that exist: {', '.join(sorted(files.profiles))}"
        raise ProfileError(
            f"source_profile {source!r} of profile {name!r} does not exist",
            hint="a comment must be on its own line" if "#" in source else exist,
            id="S3H-CFG-02",
        )
    values = files.profiles[source]
    if {"aws_access_key_id", "aws_secret_access_key"} & values.keys() or not _has_role(values):
        return (step,), Base(BaseKind.PROFILE, source)
    if source in (*seen, name):
        raise ProfileError(
            f"the source_profile of {name!r} forms a loop: it leads back to {source!r}",
            hint="one profile of the chain must have its own credentials",
            id="S3H-CFG-04",
        )
    roles, base = _walk(files, source, (*seen, name))
    return (*roles, step), base


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


def check_role(role: RoleOptions, profile: str | None = None) -> None:
    """Raise `UsageError` for an invalid role given by flags, `ProfileError` for one of `profile`."""
    for id_, name, problem in _problems(role):
        if profile is None:
            raise UsageError(f"--{name} {problem}", id=id_)
        key = "role_session_name" if name == "role-session-name" else name.replace("-", "_")
        raise ProfileError(f"{key} of profile {profile!r} {problem}", id=id_)


def _problems(role: RoleOptions) -> Iterator[tuple[str, str, str]]:
    """For each invalid parameter: the id, the name of its flag, and what is wrong with it."""
    if not 20 <= len(role.role_arn) <= 2048 or not ROLE_ARN.fullmatch(role.role_arn):
        advice = format_advice(role.role_arn)
        wrong = f"{role.role_arn!r} is not the ARN of a role (arn:aws:iam::ACCOUNT-ID:role/NAME)"
        yield "S3H-STS-07", "role-arn", f"{wrong}: {advice}" if advice else wrong
    if role.external_id is not None and (problem := external_id_problem(role.external_id)):
        yield "S3H-STS-09", "external-id", problem
    if role.session_name is not None and not _SESSION_NAME.fullmatch(role.session_name):
        wrong = f"{role.session_name!r} must be 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -"
        yield "S3H-USE-01", "role-session-name", wrong
    if not SHORTEST_SESSION <= role.duration_seconds <= _LONGEST_SESSION:
        wrong = f"{role.duration_seconds} is not between {SHORTEST_SESSION} and {_LONGEST_SESSION}"
        yield "S3H-STS-10", "duration-seconds", wrong
    if role.mfa_serial is not None and not _MFA_SERIAL.fullmatch(role.mfa_serial):
        yield (
            "S3H-STS-08",
            "mfa-serial",
            f"{role.mfa_serial!r} is not the ARN or serial number of an MFA device",
        )
