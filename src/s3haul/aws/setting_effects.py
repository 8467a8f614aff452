"""What becomes of each setting of AWS's SDK and CLI here: the table of `s3haul help settings`.

Pure. A setting is obeyed, or asks for what happens anyway, or is not used; what is not used is told once a run
(`sdk_settings.unused`). Settings that have nothing to do with a download are nobody's business (`output`).
"""

from typing import NamedTuple


class Effect(NamedTuple):
    """`key` is that of the profile, "s3.NAME" a nested one. `unused` is told where the value is none of `fine`."""

    key: str
    variable: str
    does: str
    unused: str | None = None  # why, in a few words; None for what is obeyed, or asks for nothing
    fine: tuple[str, ...] = ()  # values that ask for what happens anyway


_NO_UPLOAD = "a download sends nothing that it would change"
_NOT_IN_S3 = "S3 and STS have nothing of the kind"
_ADAPTIVE = "part sizes adapt"

EFFECTS = (
    Effect("region", "AWS_REGION", "obeyed for STS; the bucket's own region is found out"),
    Effect("endpoint_url", "AWS_ENDPOINT_URL", "obeyed for S3 and STS"),
    Effect("services", "AWS_ENDPOINT_URL_S3", "obeyed: the endpoint of each service; so is ..._STS"),
    Effect("ignore_configured_endpoint_urls", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "obeyed"),
    Effect("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT", "obeyed for S3 and STS"),
    Effect("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT", "obeyed for S3 and STS"),
    Effect(
        "sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS", "obeyed; opt-in regions take no legacy token"
    ),
    Effect("ca_bundle", "AWS_CA_BUNDLE", "obeyed everywhere; checked before anything is sent"),
    Effect("signature_version", "", "s3v4, or the run is refused"),
    Effect(
        "auth_scheme_preference",
        "AWS_AUTH_SCHEME_PREFERENCE",
        "not used: Version 4, and 4A for multi-region access points",
        "the bucket decides: Signature Version 4, or 4A for multi-region access points",
        ("sigv4",),
    ),
    Effect(
        "sigv4a_signing_region_set", "AWS_SIGV4A_SIGNING_REGION_SET", "obeyed for multi-region access points"
    ),
    Effect(
        "max_attempts", "AWS_MAX_ATTEMPTS", "obeyed: the requests for one object or page, the first included"
    ),
    Effect(
        "retry_mode",
        "AWS_RETRY_MODE",
        "not used: waiting is bounded by time, and the rate adapts as with adaptive",
        "waiting is bounded by time, not by attempts",
    ),
    Effect(
        "defaults_mode",
        "AWS_DEFAULTS_MODE",
        "not used: regional endpoints and short timeouts are the default here",
        "regional endpoints and short timeouts are the default here",
        ("legacy", "standard", "in-region", "cross-region", "mobile"),
    ),
    Effect("tcp_keepalive", "", "always on", "it is always on", ("true",)),
    Effect(
        "response_checksum_validation",
        "AWS_RESPONSE_CHECKSUM_VALIDATION",
        "every checksum that is stored is verified",
        "every checksum that is stored is verified",
        ("when_supported",),
    ),
    Effect("request_checksum_calculation", "AWS_REQUEST_CHECKSUM_CALCULATION", _NO_UPLOAD),
    Effect("request_min_compression_size_bytes", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", _NO_UPLOAD),
    Effect("disable_request_compression", "AWS_DISABLE_REQUEST_COMPRESSION", _NO_UPLOAD),
    Effect("account_id_endpoint_mode", "AWS_ACCOUNT_ID_ENDPOINT_MODE", _NOT_IN_S3),
    Effect("endpoint_discovery_enabled", "AWS_ENDPOINT_DISCOVERY_ENABLED", _NOT_IN_S3),
    Effect("disable_host_prefix_injection", "AWS_DISABLE_HOST_PREFIX_INJECTION", _NOT_IN_S3),
    Effect("parameter_validation", "", _NOT_IN_S3),
    Effect("api_versions", "", "obeyed; a version that S3 or STS does not have is refused"),
    Effect(
        "data_path",
        "AWS_DATA_PATH",
        "not used: the service models are those of the SDK that is installed",
        "the service models are those of the SDK that is installed",
    ),
    Effect(
        "sdk_ua_app_id",
        "AWS_SDK_UA_APP_ID",
        "obeyed by the sdk transport and for STS",
        "the curl transport calls itself s3haul alone",
    ),
    Effect(
        "csm_enabled",
        "AWS_CSM_ENABLED",
        "not used for objects: only calls of STS are reported",
        "requests for objects are not reported",
        ("false",),
    ),
    Effect(
        "proxies_config",
        "",
        "not used: ca_bundle holds for the proxy, too",
        "the CA bundle holds for the proxy, too",
    ),
    Effect("metadata_service_timeout", "AWS_METADATA_SERVICE_TIMEOUT", "obeyed"),
    Effect("metadata_service_num_attempts", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "obeyed"),
    Effect("ec2_metadata_service_endpoint", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "obeyed"),
    Effect("ec2_metadata_service_endpoint_mode", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "obeyed"),
    Effect("ec2_metadata_v1_disabled", "AWS_EC2_METADATA_V1_DISABLED", "obeyed"),
    Effect("imds_use_ipv6", "AWS_IMDS_USE_IPV6", "obeyed"),
    Effect("s3.addressing_style", "", "obeyed; auto is path for other endpoints and for names with dots"),
    Effect("s3.use_accelerate_endpoint", "", "obeyed"),
    Effect("s3.use_dualstack_endpoint", "", "obeyed"),
    Effect(
        "s3.us_east_1_regional_endpoint", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "regional; legacy is obeyed"
    ),
    Effect("s3.use_arn_region", "AWS_S3_USE_ARN_REGION", "true; false is obeyed: other regions are refused"),
    Effect(
        "s3.s3_disable_multiregion_access_points",
        "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS",
        "obeyed: they are refused",
    ),
    Effect("s3.max_bandwidth", "", "obeyed by the curl transport, as --bwlimit"),
    Effect(
        "s3.endpoint_url",
        "",
        "not used: it belongs into the profile or a services section",
        "it belongs into the profile itself or a services section",
    ),
    Effect("s3.payload_signing_enabled", "", _NO_UPLOAD),
    Effect(
        "s3.max_concurrent_requests",
        "",
        "not used: --concurrency caps the requests",
        "--concurrency caps the requests",
    ),
    Effect("s3.max_queue_size", "", "not used: the queue adapts", "the queue adapts"),
    Effect("s3.multipart_threshold", "", f"not used: {_ADAPTIVE}", _ADAPTIVE),
    Effect("s3.multipart_chunksize", "", f"not used: {_ADAPTIVE}", _ADAPTIVE),
    Effect("s3.target_bandwidth", "", "not used: the rate adapts", "the rate adapts"),
    Effect("s3.preferred_transfer_client", "", "not used: --transport chooses", "--transport chooses"),
)
