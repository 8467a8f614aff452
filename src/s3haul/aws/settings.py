"""The effective settings of a run, and where each comes from: a flag, an environment variable, or a section of a file.

The rules of the AWS CLI apply: a flag has precedence over the environment, the environment over the profile, and an
explicit `--profile` over access keys in the environment. Nothing is sent. Of the External ID only the length is shown.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.session import Session

from s3haul.aws import config_file
from s3haul.aws.chain import Base, RoleStep, resolve_chain
from s3haul.aws.config_file import VARIABLES, ConfigFile, Origin, Place, Setting, hidden, section_of
from s3haul.aws.endpoints import check_endpoint, tls_context
from s3haul.aws.sdk_settings import (
    UNUSED,
    check_sdk_settings,
    endpoint_settings,
    invalid,
    unused_settings,
)
from s3haul.core.limits import parse_rate
from s3haul.errors import ProfileError, S3HaulError, UsageError
from s3haul.events import Warned
from s3haul.options import AccessOptions, RoleOptions
from s3haul.policies.names import partitions, region_of_title

DEFAULT_REGION = "us-east-1"
# As in botocore: a label of a host name.
_REGION = re.compile(r"(?!\d+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", re.ASCII)

# The option of a profile for each field of a role.
_ROLE = {
    "role_arn": "role_arn",
    "external_id": "external_id",
    "role_session_name": "session_name",
    "duration_seconds": "duration_seconds",
    "mfa_serial": "mfa_serial",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings. `roles` are in the order in which they are assumed; the last one reads the bucket."""

    profile: Setting
    region: Setting
    endpoint_url: Setting
    sts_endpoint_url: Setting
    ca_bundle: Setting
    base: Base
    max_attempts: int | None = None  # including the first
    max_bandwidth: int | None = None  # bytes a second
    roles: tuple[RoleStep, ...] = ()
    addressing_style: str = "auto"
    us_east_1_regional: bool = True  # whether us-east-1 has its regional host name, as in the AWS CLI
    use_arn_region: bool = True  # whether an access point may be in another region than the configured one
    given: tuple[str, ...] = ()  # the settings that affect endpoints, with their locations, for messages
    warnings: tuple[Warned, ...] = ()

    @property
    def role(self) -> RoleOptions | None:
        return self.roles[-1].role if self.roles else None


def resolve(access: AccessOptions, environ: Mapping[str, str] = os.environ) -> Settings:
    """The effective settings. Reads files, sends nothing. Raises `ProfileError` or `UsageError`."""
    if access.source_profile and not access.role:
        raise UsageError("--source-profile needs --role-arn", hint="or give the --profile of the role")
    session = Session(profile=access.profile, include_builtin_handlers=False)  # it makes no clients
    files = config_file.read(session)
    profile = _profile_name(access, session)
    keys = _keys(files, profile)
    place = Place(files.paths, profile.value or "default", environ)
    config_file.check_signature(place.profile, keys)
    check_sdk_settings(keys, place)
    roles, base = resolve_chain(access, files, place.profile, environ)
    region = _region(access, keys, roles, place)
    endpoint = _endpoint(access, "s3", session, files, place)
    shown = (("region", region), ("endpoint_url", endpoint))
    named = [
        f"{key} = {one.value} ({place.of(key, one.origin)})"
        for key, one in shown
        if place.of(key, one.origin)
    ]
    return Settings(
        profile=profile,
        region=region,
        endpoint_url=endpoint,
        sts_endpoint_url=_endpoint(access, "sts", session, files, place),
        ca_bundle=_ca_bundle(access, keys, environ),
        base=base,
        max_attempts=session.get_config_variable("max_attempts"),
        max_bandwidth=_max_bandwidth(keys),
        roles=roles,
        addressing_style=_nested(keys, "addressing_style").lower() or "auto",
        us_east_1_regional=_s3_switch("us_east_1_regional_endpoint", keys, environ) != "legacy",
        given=(*named, *endpoint_settings(keys, place)),
        use_arn_region=_s3_switch("use_arn_region", keys, environ) != "false",
        warnings=tuple(_warnings(profile, keys, place, files)),
    )


def _profile_name(access: AccessOptions, session: Session) -> Setting:
    if access.profile:
        return Setting(access.profile, Origin.FLAG)
    named = session.get_config_variable("profile")
    return Setting(named, Origin.ENVIRONMENT) if named else Setting(None, Origin.DEFAULT)


def _keys(files: ConfigFile, profile: Setting) -> dict[str, Any]:
    if profile.value is None:
        return files.profiles.get("default", {})
    return files.profile(profile.value)


def _region(
    access: AccessOptions, keys: dict[str, Any], roles: tuple[RoleStep, ...], place: Place
) -> Setting:
    """The region. If none is configured, the main region of the partition of the last role."""
    environ = place.environ
    found = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    candidates = (
        Setting(access.region, Origin.FLAG),
        Setting(found, Origin.ENVIRONMENT),
        Setting(keys.get("region"), Origin.PROFILE),
    )
    for setting in candidates:
        if setting.value:
            _check_region(setting.value, place.of("region", setting.origin))
            return setting
    return Setting(_home_region(roles), Origin.DEFAULT)


def _check_region(region: str, where: str) -> None:
    """Raise `UsageError` for a region that cannot be part of a host name."""
    if _REGION.fullmatch(region):
        return
    likely = region_of_title(region) or region.strip().lower()
    hint = f"did you mean {likely}?" if _REGION.fullmatch(likely) else "a region is a name such as eu-west-1"
    raise invalid("region", repr(region), where, hint)


def _home_region(roles: tuple[RoleStep, ...]) -> str:
    named = roles[-1].role.role_arn.split(":")[1] if roles else "aws"
    partition = partitions().get(named)
    return partition.home if partition else DEFAULT_REGION


def _nested(keys: dict[str, Any], name: str) -> str:
    """An option of the section `s3`; "" if it is not set."""
    section = keys.get("s3")
    return str(section.get(name, "")) if isinstance(section, dict) else ""


def _s3_switch(name: str, keys: dict[str, Any], environ: Mapping[str, str]) -> str:
    """A setting that may be a variable, a top-level option of the profile, or nested below `s3`; in lower case."""
    found = environ.get(f"AWS_S3_{name.upper()}") or keys.get(f"s3_{name}") or _nested(keys, name)
    return str(found).lower()


def _max_bandwidth(keys: dict[str, Any]) -> int | None:
    """`max_bandwidth` in the section `s3` of the profile, as in the AWS CLI."""
    text = _nested(keys, "max_bandwidth") or keys.get("s3.max_bandwidth")
    if not text:
        return None
    rate = parse_rate(text)
    if rate is None:
        hint = "write it as 10MB/s (bytes) or 80Mb/s (bits), or as a number of bytes"
        raise ProfileError(f"max_bandwidth = {text} is not a rate", hint=hint, id=config_file.UNREADABLE)
    return rate


def _endpoint(
    access: AccessOptions, service: str, session: Session, files: ConfigFile, place: Place
) -> Setting:
    key = "endpoint_url" if service == "s3" else f"{service}_endpoint_url"
    setting = _configured_endpoint(getattr(access, key), service, session, files)
    # In a profile, the name of the setting is the same for all services.
    where = place.of("endpoint_url" if setting.origin is Origin.PROFILE else key, setting.origin)
    check_endpoint(setting.value, allow_plain_http=access.allow_plain_http, where=where)
    return setting


def _configured_endpoint(flag: str | None, service: str, session: Session, files: ConfigFile) -> Setting:
    if flag:
        return Setting(flag, Origin.FLAG)
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return Setting(None, Origin.DEFAULT)
    found, in_environment = config_file.endpoint(files, session.get_scoped_config(), service)
    if not found:
        return Setting(None, Origin.DEFAULT)
    return Setting(found, Origin.ENVIRONMENT if in_environment else Origin.PROFILE)


def _ca_bundle(access: AccessOptions, keys: dict[str, Any], environ: Mapping[str, str]) -> Setting:
    candidates = {
        "--ca-bundle": Setting(access.ca_bundle, Origin.FLAG),
        "AWS_CA_BUNDLE": Setting(environ.get("AWS_CA_BUNDLE"), Origin.ENVIRONMENT),
        "ca_bundle of the profile": Setting(keys.get("ca_bundle"), Origin.PROFILE),
        "REQUESTS_CA_BUNDLE": Setting(environ.get("REQUESTS_CA_BUNDLE"), Origin.ENVIRONMENT),  # as botocore
    }
    for where, setting in candidates.items():
        if setting.value:
            refusal = UsageError if setting.origin is Origin.FLAG else ProfileError
            _check_ca_bundle(setting.value, where, refusal)
            return setting
    return Setting(None, Origin.DEFAULT)


def _check_ca_bundle(path: str, where: str, refusal: type[S3HaulError]) -> None:
    try:
        tls_context(path)
    except OSError as error:
        hint = "it must be a PEM file with the certificates of the authorities to trust"
        raise refusal(
            f"the CA bundle {path} ({where}) cannot be used", hint=hint, seen=str(error), id="S3H-NET-06"
        ) from None


def _warnings(profile: Setting, keys: dict[str, Any], place: Place, files: ConfigFile) -> Iterator[Warned]:
    if profile.origin is Origin.ENVIRONMENT and place.environ.get("AWS_ACCESS_KEY_ID"):
        advice = f"unset it, or pass --profile {profile.value}"
        yield Warned(
            f"AWS_ACCESS_KEY_ID is set and overrides AWS_PROFILE={profile.value}; {advice}", "S3H-CFG-06"
        )
    if sentence := unused_settings(keys, place, files.everything.get("services")):
        yield Warned(sentence, UNUSED)


@dataclass(frozen=True, slots=True)
class Row:
    """One effective value. `where` is a flag, a variable, or "FILE [section]"; "" for a default."""

    name: str
    value: str | None
    origin: Origin
    where: str = ""


def effective(access: AccessOptions, environ: Mapping[str, str] = os.environ) -> list[Row]:
    """All effective values; roles in the order in which they are assumed. Raises as `resolve`."""
    settings = resolve(access, environ)
    files = config_file.read(Session(profile=access.profile))
    place = Place(files.paths, settings.profile.value or "default", environ)
    chosen: dict[str, Setting] = {key: getattr(settings, key) for key in VARIABLES}
    rows = [Row(key, setting.value, *_location(key, setting, place)) for key, setting in chosen.items()]
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


def _location(key: str, setting: Setting, place: Place) -> tuple[Origin, str]:
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
