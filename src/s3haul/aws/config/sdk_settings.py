"""The settings of the AWS SDK: their valid values, and which of them have no effect here. Pure.

botocore silently uses the default for an invalid value, or fails later. Here an invalid value is an error that names
its location. Settings, variables and values: the AWS SDKs and Tools Reference Guide.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from s3haul.aws.config.origins import Place
from s3haul.aws.config.validation import unusable
from s3haul.aws.setting_effects import EFFECTS, Effect

UNUSED = "S3H-CFG-09"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENDPOINT = re.compile(r"endpoint|addressing|region")
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_SWITCH = ("true", "false")
_REGIONAL = ("legacy", "regional")
_CHECKSUMS = ("when_supported", "when_required")


class Known(NamedTuple):
    """A setting. `key` is its name in a profile, "s3.NAME" if it is nested. Without `words` it is a whole number."""

    key: str
    variable: str
    words: tuple[str, ...] = ()
    least: int = 0

    def wanted(self) -> str:
        return " or ".join(self.words) or f"a whole number, at least {self.least}"

    def accepts(self, value: str) -> bool:
        if self.words:
            return value.lower() in self.words
        return _NUMBER.fullmatch(value) is not None and int(value) >= self.least


KNOWN = (
    Known(
        "defaults_mode",
        "AWS_DEFAULTS_MODE",
        ("legacy", "auto", "standard", "in-region", "cross-region", "mobile"),
    ),
    Known("retry_mode", "AWS_RETRY_MODE", ("legacy", "standard", "adaptive")),
    Known("max_attempts", "AWS_MAX_ATTEMPTS", least=1),
    Known("sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS", _REGIONAL),
    Known("s3_us_east_1_regional_endpoint", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", _REGIONAL),
    Known("s3.us_east_1_regional_endpoint", "", _REGIONAL),
    Known("s3.addressing_style", "", ("auto", "path", "virtual")),
    Known("s3.use_accelerate_endpoint", "", _SWITCH),
    Known("s3.use_dualstack_endpoint", "", _SWITCH),
    Known("s3.payload_signing_enabled", "", _SWITCH),
    Known("s3.use_arn_region", "", _SWITCH),
    Known("s3_use_arn_region", "AWS_S3_USE_ARN_REGION", _SWITCH),
    Known("s3_disable_multiregion_access_points", "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", _SWITCH),
    Known("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT", _SWITCH),
    Known("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT", _SWITCH),
    Known("ignore_configured_endpoint_urls", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", _SWITCH),
    Known("request_checksum_calculation", "AWS_REQUEST_CHECKSUM_CALCULATION", _CHECKSUMS),
    Known("response_checksum_validation", "AWS_RESPONSE_CHECKSUM_VALIDATION", _CHECKSUMS),
    Known("account_id_endpoint_mode", "AWS_ACCOUNT_ID_ENDPOINT_MODE", ("preferred", "disabled", "required")),
    Known("endpoint_discovery_enabled", "AWS_ENDPOINT_DISCOVERY_ENABLED", (*_SWITCH, "auto")),
    Known("request_min_compression_size_bytes", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES"),
    Known("disable_request_compression", "AWS_DISABLE_REQUEST_COMPRESSION", _SWITCH),
    Known("disable_host_prefix_injection", "AWS_DISABLE_HOST_PREFIX_INJECTION", _SWITCH),
    Known("metadata_service_timeout", "AWS_METADATA_SERVICE_TIMEOUT"),
    Known("metadata_service_num_attempts", "AWS_METADATA_SERVICE_NUM_ATTEMPTS"),
    Known("ec2_metadata_service_endpoint_mode", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", ("ipv4", "ipv6")),
    Known("ec2_metadata_v1_disabled", "AWS_EC2_METADATA_V1_DISABLED", _SWITCH),
    Known("imds_use_ipv6", "AWS_IMDS_USE_IPV6", _SWITCH),
    Known("csm_enabled", "AWS_CSM_ENABLED", _SWITCH),
    Known("csm_port", "AWS_CSM_PORT"),
    Known("tcp_keepalive", "", _SWITCH),
)

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

_NAMES = frozenset({*_TEXTS, *_SECTIONS, *(one.key for one in (*KNOWN, *EFFECTS) if "." not in one.key)})
_OF_OTHERS = frozenset({"aws_account_id", "login_session", "output"})
_NESTED = frozenset(
    {one.key.removeprefix("s3.") for one in (*KNOWN, *EFFECTS) if one.key.startswith("s3.")}
    | {"signature_version"}
)


def check(keys: Mapping[str, Any], place: Place) -> None:
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
    for known in KNOWN:
        given = _given(known, keys, place)
        if given is not None and not known.accepts(given[0]):
            raise unusable(given[1], repr(given[0]), given[2], f"it must be {known.wanted()}")


def unused(keys: Mapping[str, Any], place: Place, services: Mapping[str, Any] | None = None) -> str:
    """A sentence about what is set and changes nothing here, and why; "" where there is nothing of the kind.

    `services` are the sections of that kind in the config file.
    """
    section = keys.get("s3")
    nested = section if isinstance(section, Mapping) else {}
    found = [f"{one.key} ({one.unused})" for one in EFFECTS if _is_unused(one, _held(one.key, keys))]
    found += [f"s3.{name} (it is unknown)" for name in nested if name not in _NESTED]
    found += [f"{name} (it belongs below s3, indented)" for name in keys if _is_misplaced(name)]
    found += [f"{name} (did you mean {close[0]}?)" for name in keys if (close := _near(name))]
    named = str(keys.get("services"))
    found += [f"{name} of services {named}" for name in _unused_of_services((services or {}).get(named))]
    sources = {
        f"profile {place.profile!r}": found,
        "the environment": [
            f"{one.variable} ({one.unused})"
            for one in EFFECTS
            if _is_unused(one, place.environ.get(one.variable))
        ],
    }
    return "; ".join(f"not used from {source}: {', '.join(told)}" for source, told in sources.items() if told)


def _is_unused(effect: Effect, value: Any) -> bool:
    return effect.unused is not None and bool(value) and str(value).lower() not in effect.fine


def _unused_of_services(section: Any) -> Iterator[str]:
    """What a section of services says beside the endpoints of S3 and STS; other services are nobody's business."""
    for name, value in section.items() if isinstance(section, Mapping) else ():
        if not isinstance(value, Mapping):
            yield f"{name} (it belongs below s3 or sts, indented)"
        elif name in {"s3", "sts"}:
            yield from (f"{name}.{key} (it is unknown)" for key in value if key != "endpoint_url")


def _held(key: str, keys: Mapping[str, Any]) -> Any:
    """The value of a key of the profile, of a nested one, or what stands below it."""
    return _value(key, keys) if "." in key else keys.get(key)


def _is_misplaced(name: str) -> bool:
    """Whether a setting must be nested below `s3`. Those in `_TOP` and `_FLAT` are also read at this level."""
    return name in _NESTED - _TOP or (name.startswith("s3.") and name not in _FLAT)


_FLAT = frozenset({"s3.signature_version", "s3.max_bandwidth"})


def _near(name: str) -> list[str]:
    """The known setting that an unknown name is probably a misspelling of. Most unknown names belong to other tools."""
    if name in _NAMES | _NESTED | _OF_OTHERS or name.startswith(("s3", "cli_", "sso_", "endpoint_url_")):
        return []
    return get_close_matches(name, sorted(_NAMES), n=1, cutoff=0.83)


_TOP = frozenset(
    {"use_dualstack_endpoint", "endpoint_url", "signature_version", "s3_disable_multiregion_access_points"}
)


def of_endpoints(keys: Mapping[str, Any], place: Place) -> Iterator[str]:
    """The effective settings that affect endpoints, each as "NAME = VALUE (LOCATION)"."""
    for known in KNOWN:
        given = _given(known, keys, place)
        if given is not None and _ENDPOINT.search(known.key):
            yield f"{given[1]} = {given[0]}" + (f" ({given[2]})" if given[2] != given[1] else "")


def _texts(keys: Mapping[str, Any], place: Place) -> Iterator[tuple[str, Any, str]]:
    for name in _VARIABLES:
        if name in place.environ:
            yield name, place.environ[name], name
    for name in (*_TEXTS, *(known.key for known in KNOWN if "." not in known.key)):
        if name in keys:
            yield name, keys[name], place.section(name)


def _given(known: Known, keys: Mapping[str, Any], place: Place) -> tuple[str, str, str] | None:
    """The effective value, its name and its location. An empty value counts as not set."""
    if value := place.environ.get(known.variable, ""):
        return value, known.variable, known.variable
    found = _value(known.key, keys)
    return (found, known.key, place.section(known.key.partition(".")[0])) if found else None


def _value(key: str, keys: Mapping[str, Any]) -> str | None:
    outer, _, inner = key.partition(".")
    found = keys.get(outer)
    if inner:
        found = found.get(inner) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else None
