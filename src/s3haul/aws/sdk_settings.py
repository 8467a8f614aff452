"""The settings of the AWS SDK and CLI: valid values and effect of each. The table of `s3haul help settings`. Pure.

botocore silently uses the default for an invalid value, or fails later. Here an invalid value is an error that names
its location, before anything is sent. A run warns once about settings that have no effect here. Settings that do not
concern a download (`output`) are not in the table. Source: the AWS SDKs and Tools Reference Guide.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from s3haul.errors import UsageError
from s3haul.policies.names import format_advice

if TYPE_CHECKING:  # `s3haul help` prints the table without the SDK
    from s3haul.aws.config_file import Place

INVALID = "S3H-CFG-08"
UNUSED = "S3H-CFG-09"

_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_SWITCH = ("true", "false")
_REGIONAL = ("legacy", "regional")
_CHECKSUMS = ("when_supported", "when_required")


class SdkSetting(NamedTuple):
    """`key` is the name in a profile. A nested one ("s3.NAME") may also be written at the top level, as `top_level`.

    Valid values are `words`, or whole numbers from `least` on; if neither is given, the value is not checked here.
    `unused` says why s3haul ignores the setting, "" if it obeys it. Values in `fine` request what happens anyway.
    """

    key: str
    variable: str
    effect: str = ""
    words: tuple[str, ...] = ()
    least: int | None = None
    top_level: str = ""
    unused: str = ""
    fine: tuple[str, ...] = ()

    @property
    def does(self) -> str:
        """Its effect, for the help."""
        return self.effect or f"not used: {self.unused}"

    @property
    def checked(self) -> bool:
        """Whether the valid values are known here."""
        return bool(self.words) or self.least is not None

    def valid_values(self) -> str:
        """The valid values, for messages."""
        return " or ".join(self.words) or f"a whole number, at least {self.least}"

    def accepts(self, value: str) -> bool:
        if self.words:
            return value.lower() in self.words
        return _NUMBER.fullmatch(value) is not None and int(value) >= (self.least or 0)

    def is_unused(self, value: object) -> bool:
        """Whether to warn: this value requests something that does not happen."""
        return bool(self.unused and value) and str(value).lower() not in self.fine


_NO_UPLOAD = "a download sends nothing that it would change"
_NOT_IN_S3 = "S3 and STS have nothing of the kind"
_ADAPTIVE = "part sizes adapt"

SDK_SETTINGS = (
    SdkSetting("region", "AWS_REGION", "obeyed for STS; the bucket's own region is found out"),
    SdkSetting("endpoint_url", "AWS_ENDPOINT_URL", "obeyed for S3 and STS"),
    SdkSetting("services", "AWS_ENDPOINT_URL_S3", "obeyed: the endpoint of each service; so is ..._STS"),
    SdkSetting(
        "ignore_configured_endpoint_urls", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "obeyed", words=_SWITCH
    ),
    SdkSetting("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT", "obeyed for S3 and STS", words=_SWITCH),
    SdkSetting(
        "use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT", "obeyed for S3 and STS", words=_SWITCH
    ),
    SdkSetting(
        "sts_regional_endpoints",
        "AWS_STS_REGIONAL_ENDPOINTS",
        "obeyed; opt-in regions take no legacy token",
        words=_REGIONAL,
    ),
    SdkSetting("ca_bundle", "AWS_CA_BUNDLE", "obeyed everywhere; checked before anything is sent"),
    SdkSetting("signature_version", "", "s3v4, or the run is refused"),
    SdkSetting(
        "auth_scheme_preference",
        "AWS_AUTH_SCHEME_PREFERENCE",
        unused="the bucket decides: Signature Version 4, or 4A for multi-region access points",
        fine=("sigv4",),
    ),
    SdkSetting(
        "sigv4a_signing_region_set", "AWS_SIGV4A_SIGNING_REGION_SET", "obeyed for multi-region access points"
    ),
    SdkSetting(
        "max_attempts",
        "AWS_MAX_ATTEMPTS",
        "obeyed: the requests for one object or page, the first included",
        least=1,
    ),
    SdkSetting(
        "retry_mode",
        "AWS_RETRY_MODE",
        words=("legacy", "standard", "adaptive"),
        unused="waiting is bounded by time, and the rate adapts as with adaptive",
    ),
    SdkSetting(
        "defaults_mode",
        "AWS_DEFAULTS_MODE",
        words=("legacy", "auto", "standard", "in-region", "cross-region", "mobile"),
        unused="regional endpoints and short timeouts are the default here",
        fine=("legacy", "standard", "in-region", "cross-region", "mobile"),
    ),
    SdkSetting("tcp_keepalive", "", "always on", words=_SWITCH, unused="it is always on", fine=("true",)),
    SdkSetting(
        "response_checksum_validation",
        "AWS_RESPONSE_CHECKSUM_VALIDATION",
        "every checksum that is stored is verified",
        words=_CHECKSUMS,
        unused="every checksum that is stored is verified",
        fine=("when_supported",),
    ),
    SdkSetting(
        "request_checksum_calculation", "AWS_REQUEST_CHECKSUM_CALCULATION", _NO_UPLOAD, words=_CHECKSUMS
    ),
    SdkSetting(
        "request_min_compression_size_bytes", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", _NO_UPLOAD, least=0
    ),
    SdkSetting("disable_request_compression", "AWS_DISABLE_REQUEST_COMPRESSION", _NO_UPLOAD, words=_SWITCH),
    SdkSetting(
        "account_id_endpoint_mode",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
        _NOT_IN_S3,
        words=("preferred", "disabled", "required"),
    ),
    SdkSetting(
        "endpoint_discovery_enabled", "AWS_ENDPOINT_DISCOVERY_ENABLED", _NOT_IN_S3, words=(*_SWITCH, "auto")
    ),
    SdkSetting(
        "disable_host_prefix_injection", "AWS_DISABLE_HOST_PREFIX_INJECTION", _NOT_IN_S3, words=_SWITCH
    ),
    SdkSetting("parameter_validation", "", _NOT_IN_S3),
    SdkSetting("api_versions", "", "obeyed; a version that S3 or STS does not have is refused"),
    SdkSetting(
        "data_path",
        "AWS_DATA_PATH",
        unused="the service models are those of the SDK that is installed",
    ),
    SdkSetting(
        "sdk_ua_app_id",
        "AWS_SDK_UA_APP_ID",
        "obeyed by the sdk transport and for STS",
        unused="the curl transport calls itself s3haul alone",
    ),
    SdkSetting(
        "csm_enabled",
        "AWS_CSM_ENABLED",
        "not used for objects: only calls of STS are reported",
        words=_SWITCH,
        unused="requests for objects are not reported",
        fine=("false",),
    ),
    SdkSetting("csm_port", "AWS_CSM_PORT", "goes with csm_enabled", least=0),
    SdkSetting(
        "proxies_config",
        "",
        unused="the CA bundle applies to the proxy, too",
    ),
    SdkSetting("metadata_service_timeout", "AWS_METADATA_SERVICE_TIMEOUT", "obeyed", least=0),
    SdkSetting("metadata_service_num_attempts", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "obeyed", least=0),
    SdkSetting("ec2_metadata_service_endpoint", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "obeyed"),
    SdkSetting(
        "ec2_metadata_service_endpoint_mode",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        "obeyed",
        words=("ipv4", "ipv6"),
    ),
    SdkSetting("ec2_metadata_v1_disabled", "AWS_EC2_METADATA_V1_DISABLED", "obeyed", words=_SWITCH),
    SdkSetting("imds_use_ipv6", "AWS_IMDS_USE_IPV6", "obeyed", words=_SWITCH),
    SdkSetting(
        "s3.addressing_style",
        "",
        "obeyed; auto is path for other endpoints and for names with dots",
        words=("auto", "path", "virtual"),
    ),
    SdkSetting("s3.use_accelerate_endpoint", "", "obeyed", words=_SWITCH),
    SdkSetting("s3.use_dualstack_endpoint", "", "obeyed", words=_SWITCH),
    SdkSetting(
        "s3.us_east_1_regional_endpoint",
        "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
        "regional; legacy is obeyed",
        words=_REGIONAL,
        top_level="s3_us_east_1_regional_endpoint",
    ),
    SdkSetting(
        "s3.use_arn_region",
        "AWS_S3_USE_ARN_REGION",
        "true; false is obeyed: other regions are refused",
        words=_SWITCH,
        top_level="s3_use_arn_region",
    ),
    SdkSetting(
        "s3.s3_disable_multiregion_access_points",
        "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS",
        "obeyed: they are refused",
        words=_SWITCH,
        top_level="s3_disable_multiregion_access_points",
    ),
    SdkSetting("s3.max_bandwidth", "", "obeyed by the curl transport, as --bwlimit"),
    SdkSetting(
        "s3.endpoint_url",
        "",
        unused="it belongs into the profile itself or a services section",
    ),
    SdkSetting("s3.payload_signing_enabled", "", _NO_UPLOAD, words=_SWITCH),
    SdkSetting(
        "s3.max_concurrent_requests",
        "",
        unused="--concurrency caps the requests",
    ),
    SdkSetting("s3.max_queue_size", "", unused="the queue adapts"),
    SdkSetting("s3.multipart_threshold", "", unused=_ADAPTIVE),
    SdkSetting("s3.multipart_chunksize", "", unused=_ADAPTIVE),
    SdkSetting("s3.target_bandwidth", "", unused="the rate adapts"),
    SdkSetting("s3.preferred_transfer_client", "", unused="--transport chooses"),
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENDPOINT = re.compile(r"endpoint|addressing|region")

# Settings of a role and of credentials, whose text is sent or opened.
_ROLE = (
    *("role_arn", "external_id", "role_session_name", "duration_seconds", "mfa_serial", "source_profile"),
    *("credential_source", "credential_process", "web_identity_token_file", "aws_access_key_id"),
    *("aws_secret_access_key", "aws_session_token", "sso_session", "sso_account_id", "sso_role_name"),
    *("sso_start_url", "sso_region"),
)
_VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_SDK_UA_APP_ID", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_SIGV4A_SIGNING_REGION_SET"),
    *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
)
_SECRET = frozenset(
    {"external_id", "aws_secret_access_key", "aws_session_token", "credential_process"}
    | {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
)
_SECTIONS = frozenset({"s3", "proxies_config", "api_versions"})
_OTHER_TOOLS = frozenset({"aws_account_id", "login_session", "output"})
_TOP_LEVEL = {one.top_level if "." in one.key else one.key for one in SDK_SETTINGS} - {""}
_TEXTS = frozenset({*_TOP_LEVEL, *_ROLE} - _SECTIONS)
_NAMES = _TEXTS | _SECTIONS
_NESTED = frozenset({one.key.removeprefix("s3.") for one in SDK_SETTINGS if one.key.startswith("s3.")}) | {
    "signature_version"
}
# Nested settings that are also read at the top level of a profile, under the same name or as s3.NAME.
_ALSO_TOP_LEVEL = frozenset(
    {"use_dualstack_endpoint", "endpoint_url", "signature_version", "s3_disable_multiregion_access_points"}
)
_WITH_DOT = frozenset({"s3.signature_version", "s3.max_bandwidth"})


def invalid(name: str, shown: str, where: str, hint: str) -> UsageError:
    """The error for a setting with an invalid value."""
    source = f" ({where})" if where and where != name else ""
    written = format_advice(shown[1:-1])
    return UsageError(
        f"{name}{source} cannot be {shown}", hint=f"{written}; {hint}" if written else hint, id=INVALID
    )


class _Given(NamedTuple):
    """A value that is set, the name under which it is set, and its location."""

    setting: SdkSetting
    value: str
    name: str
    where: str


def check_sdk_settings(keys: Mapping[str, Any], place: "Place") -> None:
    """Raise `UsageError` for the first setting of the profile or the environment with an invalid value."""
    texts: dict[str, tuple[Any, str]] = {
        **{name: (place.environ[name], name) for name in _VARIABLES if name in place.environ},
        **{name: (value, place.section(name)) for name, value in keys.items() if name in _TEXTS},
    }
    for name, (value, where) in texts.items():
        if not isinstance(value, str):
            raise invalid(name, "a list of indented lines", where, "write one value, on the same line")
        if _CONTROL.search(value):
            shown = "a value" if name in _SECRET else repr(value)
            raise invalid(
                name, f"{shown} with a line break or control character", where, "write it on one line"
            )
    for name in _SECTIONS & keys.keys():
        if not isinstance(keys[name], Mapping):
            hint = "write its settings below it, one per indented line, as NAME = VALUE"
            raise invalid(name, repr(keys[name]), place.section(name), hint)
    for one in _given(keys, place):
        if not one.setting.accepts(one.value):
            raise invalid(one.name, repr(one.value), one.where, f"it must be {one.setting.valid_values()}")


def endpoint_settings(keys: Mapping[str, Any], place: "Place") -> Iterator[str]:
    """The effective settings that affect endpoints, each as "NAME = VALUE (LOCATION)"."""
    for one in _given(keys, place):
        if _ENDPOINT.search(one.setting.key):
            where = f" ({one.where})" if one.where != one.name else ""
            yield f"{one.name} = {one.value}{where}"


def unused_settings(
    keys: Mapping[str, Any], place: "Place", services: Mapping[str, Any] | None = None
) -> str:
    """A sentence about what is set and has no effect here, and why; "" if there is nothing like that.

    `services` are the sections of that kind in the config file.
    """
    section = keys.get("s3")
    nested = section if isinstance(section, Mapping) else {}
    found = [f"{one.key} ({one.unused})" for one in SDK_SETTINGS if one.is_unused(_value(one.key, keys))]
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


def _given(keys: Mapping[str, Any], place: "Place") -> Iterator[_Given]:
    """The settings with known valid values that are set. An empty value counts as not set."""
    for one in (each for each in SDK_SETTINGS if each.checked):
        variable = place.environ.get(one.variable)
        if variable:
            yield _Given(one, variable, one.variable, one.variable)
        names = [] if variable else [one.top_level or one.key]
        for name in [*names, one.key] if one.top_level else names:
            value = _value(name, keys)
            if isinstance(value, str) and value:
                yield _Given(one, value, name, place.section(name.partition(".")[0]))


def _value(key: str, keys: Mapping[str, Any]) -> Any:
    """The value of a setting of the profile, which may be nested; None if it is not set."""
    outer, _, inner = key.partition(".")
    found = keys.get(outer)
    if inner:
        return found.get(inner) if isinstance(found, Mapping) else None
    return found


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
    if name in _NAMES | _NESTED | _OTHER_TOOLS or name.startswith(("s3", "cli_", "sso_", "endpoint_url_")):
        return []
    return get_close_matches(name, sorted(_NAMES), n=1, cutoff=0.83)
