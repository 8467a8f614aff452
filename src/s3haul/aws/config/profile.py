"""The effective settings of a run, each with its origin.

The rules of the AWS CLI apply: a flag has precedence over the environment, the environment over the profile, and an
explicit `--profile` over access keys in the environment. Nothing is sent; `sources` fetches credentials.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.session import Session

from s3haul.aws.config import config_file, sdk_settings
from s3haul.aws.config.chain import Base, RoleStep, resolve_chain
from s3haul.aws.config.config_file import ConfigFile
from s3haul.aws.config.origins import Origin, Place, Setting
from s3haul.aws.config.validation import check_region
from s3haul.aws.endpoints import check_endpoint
from s3haul.aws.tls import tls_context
from s3haul.core.rate import parse_rate
from s3haul.errors import ProfileError, S3HaulError, UsageError
from s3haul.events import Warned
from s3haul.options import AccessOptions, RoleOptions
from s3haul.policies.partitions import partitions

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings. `roles` are in the order in which they are assumed; the last one reads the bucket."""

    profile: Setting
    region: Setting
    endpoint_url: Setting
    sts_endpoint_url: Setting
    ca_bundle: Setting
    base: Base
    max_attempts: int | None = None
    max_bandwidth: int | None = None  # bytes a second
    roles: tuple[RoleStep, ...] = ()
    addressing_style: str = "auto"
    us_east_1_regional: bool = True
    use_arn_region: bool = True  # whether an access point of another region than the configured one is asked
    given: tuple[str, ...] = ()  # what decides about endpoints, with its places, for messages
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
    sdk_settings.check(keys, place)
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
        max_attempts=_max_attempts(session),
        max_bandwidth=_max_bandwidth(keys),
        roles=roles,
        addressing_style=_nested(keys, "addressing_style") or "auto",
        us_east_1_regional=_us_east_1_regional(keys, environ),
        given=(*named, *sdk_settings.of_endpoints(keys, place)),
        use_arn_region=_use_arn_region(keys, environ),
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
            check_region(setting.value, place.of("region", setting.origin))
            return setting
    return Setting(_home_region(roles), Origin.DEFAULT)


def _home_region(roles: tuple[RoleStep, ...]) -> str:
    named = roles[-1].role.role_arn.split(":")[1] if roles else "aws"
    partition = partitions().get(named)
    return partition.home if partition else DEFAULT_REGION


def _nested(keys: dict[str, Any], name: str) -> str:
    section = keys.get("s3")
    return str(section.get(name, "")).lower() if isinstance(section, dict) else ""


def _us_east_1_regional(keys: dict[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether us-east-1 has its regional host name, as in the AWS CLI; false if "legacy" is configured."""
    name = "us_east_1_regional_endpoint"
    variable = environ.get("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT")
    found = variable or keys.get(f"s3_{name}") or _nested(keys, name)
    return str(found).lower() != "legacy"


def _use_arn_region(keys: dict[str, Any], environ: Mapping[str, str]) -> bool:
    variable = environ.get("AWS_S3_USE_ARN_REGION")
    found = variable or keys.get("s3_use_arn_region") or _nested(keys, "use_arn_region")
    return str(found).lower() != "false"


def _max_attempts(session: Session) -> int | None:
    """The number of attempts, including the first, from AWS_MAX_ATTEMPTS or the profile; None if neither is set."""
    attempts: int | None = session.get_config_variable("max_attempts")
    return attempts


def _max_bandwidth(keys: dict[str, Any]) -> int | None:
    """`max_bandwidth` in the section `s3` of the profile, as in the AWS CLI."""
    text = config_file.s3_value(keys, "max_bandwidth")
    if text is None:
        return None
    rate = parse_rate(text)
    if rate is None:
        hint = "write it as 10MB/s (bytes) or 80Mb/s (bits), or as a number of bytes"
        raise ProfileError(f"max_bandwidth = {text} is not a rate", hint=hint, id=config_file.UNUSABLE)
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
    if sentence := sdk_settings.unused(keys, place, files.everything.get("services")):
        yield Warned(sentence, sdk_settings.UNUSED)
