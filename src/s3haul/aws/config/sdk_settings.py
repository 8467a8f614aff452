"""The settings of the AWS SDK and CLI: valid values and effect of each. The table of `s3haul help settings`. Pure.

botocore silently uses the default for an invalid value, or fails later. Here an invalid value is an error that names
its location (`validation`). A run warns once about settings that have no effect here. Settings that do not concern a
download (`output`) are not in the table. Source: the AWS SDKs and Tools Reference Guide.
"""

import re
from typing import NamedTuple

_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_SWITCH = ("true", "false")
_REGIONAL = ("legacy", "regional")
_CHECKSUMS = ("when_supported", "when_required")


class SdkSetting(NamedTuple):
    """`key` is the name in a profile. A nested one ("s3.NAME") may also be written at the top level, as `top_level`.

    `does` is its effect. Valid values are `words`, or whole numbers from `least` on; if neither is given, the value is
    not checked here. `unused` says why s3haul ignores the setting, "" if it obeys it. Values in `fine` ask for what
    happens anyway.
    """

    key: str
    variable: str
    does: str
    words: tuple[str, ...] = ()
    least: int | None = None
    top_level: str = ""
    unused: str = ""
    fine: tuple[str, ...] = ()

    @property
    def checked(self) -> bool:
        """Whether the valid values are known here."""
        return bool(self.words) or self.least is not None

    def wanted(self) -> str:
        """The valid values, for messages."""
        return " or ".join(self.words) or f"a whole number, at least {self.least}"

    def accepts(self, value: str) -> bool:
        if self.words:
            return value.lower() in self.words
        return _NUMBER.fullmatch(value) is not None and int(value) >= (self.least or 0)

    def is_unused(self, value: object) -> bool:
        """Whether to warn: this value asks for something that does not happen."""
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
        "not used: Version 4, and 4A for multi-region access points",
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
        "not used: waiting is bounded by time, and the rate adapts as with adaptive",
        words=("legacy", "standard", "adaptive"),
        unused="waiting is bounded by time, not by attempts",
    ),
    SdkSetting(
        "defaults_mode",
        "AWS_DEFAULTS_MODE",
        "not used: regional endpoints and short timeouts are the default here",
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
        "not used: the service models are those of the SDK that is installed",
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
        "not used: ca_bundle holds for the proxy, too",
        unused="the CA bundle holds for the proxy, too",
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
        "not used: it belongs into the profile or a services section",
        unused="it belongs into the profile itself or a services section",
    ),
    SdkSetting("s3.payload_signing_enabled", "", _NO_UPLOAD, words=_SWITCH),
    SdkSetting(
        "s3.max_concurrent_requests",
        "",
        "not used: --concurrency caps the requests",
        unused="--concurrency caps the requests",
    ),
    SdkSetting("s3.max_queue_size", "", "not used: the queue adapts", unused="the queue adapts"),
    SdkSetting("s3.multipart_threshold", "", f"not used: {_ADAPTIVE}", unused=_ADAPTIVE),
    SdkSetting("s3.multipart_chunksize", "", f"not used: {_ADAPTIVE}", unused=_ADAPTIVE),
    SdkSetting("s3.target_bandwidth", "", "not used: the rate adapts", unused="the rate adapts"),
    SdkSetting(
        "s3.preferred_transfer_client", "", "not used: --transport chooses", unused="--transport chooses"
    ),
)
