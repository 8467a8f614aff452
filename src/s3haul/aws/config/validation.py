"""Checks every setting before anything is sent: the parameters of AssumeRole, regions, the settings of the SDK.

Limits and patterns are those of the STS service model (2011-06-15); `\\w` there is ASCII. Messages never contain the
External ID, only its length. `sdk_settings` has the table of the settings of the SDK.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from s3haul.aws.config.config_file import Place
from s3haul.aws.config.sdk_settings import SDK_SETTINGS, SdkSetting
from s3haul.errors import ProfileError, UsageError
from s3haul.options import RoleOptions
from s3haul.policies.names import ROLE_ARN, external_id_problem, format_advice
from s3haul.policies.partitions import region_of_title

SHORTEST_SESSION = 900
LONGEST_SESSION = 43_200

UNUSABLE = "S3H-CFG-08"
UNUSED = "S3H-CFG-09"

# As in botocore: a label of a host name.
_REGION = re.compile(r"(?!\d+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_MFA_SERIAL = re.compile(r"[\w+=/:,.@-]{9,256}", re.ASCII)


def check_role(role: RoleOptions, profile: str | None = None) -> None:
    """Raise `UsageError` for an invalid role given by flags, `ProfileError` for one of `profile`."""
    for id_, name, problem in _problems(role):
        if profile is None:
            raise UsageError(f"--{name} {problem}", id=id_)
        key = "role_session_name" if name == "role-session-name" else name.replace("-", "_")
        raise ProfileError(f"{key} of profile {profile!r} {problem}", id=id_)


def check_region(region: str, where: str) -> None:
    """Raise `UsageError` for a region that cannot be part of a host name."""
    if _REGION.fullmatch(region):
        return
    likely = region_of_title(region) or region.strip().lower()
    hint = f"did you mean {likely}?" if _REGION.fullmatch(likely) else "a region is a name such as eu-west-1"
    raise unusable("region", repr(region), where, hint)


def unusable(name: str, shown: str, where: str, hint: str) -> UsageError:
    """The error for a setting with an invalid value."""
    source = f" ({where})" if where and where != name else ""
    written = format_advice(shown[1:-1])
    return UsageError(
        f"{name}{source} cannot be {shown}", hint=f"{written}; {hint}" if written else hint, id=UNUSABLE
    )


def _problems(role: RoleOptions) -> Iterator[tuple[str, str, str]]:
    if not 20 <= len(role.role_arn) <= 2048 or not ROLE_ARN.fullmatch(role.role_arn):
        yield (
            "S3H-STS-07",
            "role-arn",
            f"{role.role_arn!r} is not the ARN of a role (arn:aws:iam::ACCOUNT-ID:role/NAME)"
            + (f": {format_advice(role.role_arn)}" if format_advice(role.role_arn) else ""),
        )
    problem = None if role.external_id is None else external_id_problem(role.external_id)
    if problem is not None:
        yield "S3H-STS-09", "external-id", problem
    if role.session_name is not None and not _SESSION_NAME.fullmatch(role.session_name):
        yield (
            "S3H-USE-01",
            "role-session-name",
            f"{role.session_name!r} must be 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -",
        )
    if not SHORTEST_SESSION <= role.duration_seconds <= LONGEST_SESSION:
        yield (
            "S3H-STS-10",
            "duration-seconds",
            f"{role.duration_seconds} is not between {SHORTEST_SESSION} and {LONGEST_SESSION}",
        )
    if role.mfa_serial is not None and not _MFA_SERIAL.fullmatch(role.mfa_serial):
        yield (
            "S3H-STS-08",
            "mfa-serial",
            f"{role.mfa_serial!r} is not the ARN or serial number of an MFA device",
        )


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENDPOINT = re.compile(r"endpoint|addressing|region")

# Settings of a profile whose text is sent or opened.
_TEXTS = (
    *("region", "endpoint_url", "ca_bundle", "services", "source_profile", "credential_source", "role_arn"),
    *(
        "external_id",
        "role_session_name",
        "duration_seconds",
        "mfa_serial",
        "credential_process",
        "sso_session",
    ),
    *("sso_account_id", "sso_role_name", "sso_start_url", "sso_region", "web_identity_token_file"),
    *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "sdk_ua_app_id"),
    *("ec2_metadata_service_endpoint", "sigv4a_signing_region_set", "auth_scheme_preference"),
)
_SECTIONS = ("s3", "proxies_config", "api_versions")
_VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_SDK_UA_APP_ID", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_SIGV4A_SIGNING_REGION_SET"),
    *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
)
_SECRET = frozenset(
    {"external_id", "aws_secret_access_key", "aws_session_token", "credential_process"}
    | {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
)

_OF_OTHERS = frozenset({"aws_account_id", "login_session", "output"})
_TOP_LEVEL = {one.key if "." not in one.key else one.top_level: one for one in SDK_SETTINGS}
_CHECKED = tuple(name for name, one in _TOP_LEVEL.items() if name and one.checked)
_NAMES = frozenset({*_TOP_LEVEL, *_TEXTS, *_SECTIONS} - {""})
_NESTED = frozenset({one.key.removeprefix("s3.") for one in SDK_SETTINGS if one.key.startswith("s3.")}) | {
    "signature_version"
}
# Nested settings that are also read at the top level of a profile, under the same name or as s3.NAME.
_ALSO_TOP_LEVEL = frozenset(
    {"use_dualstack_endpoint", "endpoint_url", "signature_version", "s3_disable_multiregion_access_points"}
)
_WITH_DOT = frozenset({"s3.signature_version", "s3.max_bandwidth"})


class _Given(NamedTuple):
    """A value that is set, the name under which it is set, and its location."""

    value: str
    name: str
    where: str


def check_sdk_settings(keys: Mapping[str, Any], place: Place) -> None:
    """Raise `UsageError` for the first setting of the profile or the environment with an invalid value."""
    for name, value, where in _texts(keys, place):
        if not isinstance(value, str):
            raise unusable(name, "a list of indented lines", where, "write one value, on the same line")
        if _CONTROL.search(value):
            shown = "a value" if name in _SECRET else repr(value)
            raise unusable(
                name, f"{shown} with a line break or control character", where, "write it on one line"
            )
    for name in _SECTIONS:
        value = keys.get(name)
        if value is not None and not isinstance(value, Mapping):
            hint = "write its settings below it, one per indented line, as NAME = VALUE"
            raise unusable(name, repr(value), place.section(name), hint)
    for setting, given in _given(keys, place):
        if not setting.accepts(given.value):
            raise unusable(given.name, repr(given.value), given.where, f"it must be {setting.wanted()}")


def endpoint_settings(keys: Mapping[str, Any], place: Place) -> Iterator[str]:
    """The effective settings that affect endpoints, each as "NAME = VALUE (LOCATION)"."""
    for setting, given in _given(keys, place):
        if _ENDPOINT.search(setting.key):
            where = f" ({given.where})" if given.where != given.name else ""
            yield f"{given.name} = {given.value}{where}"


def unused_settings(keys: Mapping[str, Any], place: Place, services: Mapping[str, Any] | None = None) -> str:
    """A sentence about what is set and has no effect here, and why; "" if there is nothing like that.

    `services` are the sections of that kind in the config file.
    """
    section = keys.get("s3")
    nested = section if isinstance(section, Mapping) else {}
    found = [f"{one.key} ({one.unused})" for one in SDK_SETTINGS if one.is_unused(_held(one.key, keys))]
    found += [f"s3.{name} (it is unknown)" for name in nested if name not in _NESTED]
    found += [f"{name} (it belongs below s3, indented)" for name in keys if _is_misplaced(name)]
    found += [f"{name} (did you mean {close[0]}?)" for name in keys if (close := _near(name))]
    named = str(keys.get("services"))
    found += [f"{name} of services {named}" for name in _unused_of_services((services or {}).get(named))]
    sources = {
        f"profile {place.profile!r}": found,
        "the environment": [
            f"{one.variable} ({one.unused})"
            for one in SDK_SETTINGS
            if one.is_unused(place.environ.get(one.variable))
        ],
    }
    return "; ".join(
        f"not used from {source}: {', '.join(unused)}" for source, unused in sources.items() if unused
    )


def _given(keys: Mapping[str, Any], place: Place) -> Iterator[tuple[SdkSetting, _Given]]:
    """The settings with known valid values that are set. An empty value counts as not set."""
    for setting in SDK_SETTINGS:
        if not setting.checked:
            continue
        if value := place.environ.get(setting.variable):
            yield setting, _Given(value, setting.variable, setting.variable)
        elif given := _in_profile(setting.top_level or setting.key, keys, place):
            yield setting, given
        if setting.top_level and (given := _in_profile(setting.key, keys, place)):
            yield setting, given


def _in_profile(key: str, keys: Mapping[str, Any], place: Place) -> _Given | None:
    found = _value(key, keys)
    return _Given(found, key, place.section(key.partition(".")[0])) if found else None


def _value(key: str, keys: Mapping[str, Any]) -> str | None:
    outer, _, inner = key.partition(".")
    found = keys.get(outer)
    if inner:
        found = found.get(inner) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else None


def _held(key: str, keys: Mapping[str, Any]) -> Any:
    """The value of a setting of the profile: a text, or what is nested below it."""
    return _value(key, keys) if "." in key else keys.get(key)


def _texts(keys: Mapping[str, Any], place: Place) -> Iterator[tuple[str, Any, str]]:
    for name in _VARIABLES:
        if name in place.environ:
            yield name, place.environ[name], name
    for name in (*_TEXTS, *_CHECKED):
        if name in keys:
            yield name, keys[name], place.section(name)


def _unused_of_services(section: Any) -> Iterator[str]:
    """What a services section has besides the endpoints of S3 and STS; other services do not concern this program."""
    for name, value in section.items() if isinstance(section, Mapping) else ():
        if not isinstance(value, Mapping):
            yield f"{name} (it belongs below s3 or sts, indented)"
        elif name in {"s3", "sts"}:
            yield from (f"{name}.{key} (it is unknown)" for key in value if key != "endpoint_url")


def _is_misplaced(name: str) -> bool:
    """Whether a setting must be nested below `s3`."""
    return name in _NESTED - _ALSO_TOP_LEVEL or (name.startswith("s3.") and name not in _WITH_DOT)


def _near(name: str) -> list[str]:
    """The known setting that an unknown name is probably a misspelling of. Most unknown names belong to other tools."""
    if name in _NAMES | _NESTED | _OF_OTHERS or name.startswith(("s3", "cli_", "sso_", "endpoint_url_")):
        return []
    return get_close_matches(name, sorted(_NAMES), n=1, cutoff=0.83)
