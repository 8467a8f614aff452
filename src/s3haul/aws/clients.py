"""How botocore's clients are made: Signature Version 4, our own credentials, our carrier, quiet loggers.

They serve STS, IAM and HeadBucket, and know the address of a bucket; objects are fetched by others. Nobody is called
here, and what is made here is called in a thread (`carrier.call`).
"""

import copy
import ipaddress
import logging
import socket
from typing import Any
from urllib.parse import urlsplit

from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import Session

from s3haul import __version__
from s3haul.aws.carrier import authorities, carried_by, carrier
from s3haul.aws.chain import BaseKind
from s3haul.aws.configfile import tame
from s3haul.aws.profile import Settings
from s3haul.aws.shared import event_handlers, service_models
from s3haul.errors import UsageError
from s3haul.s3.keys import Keys
from s3haul.s3.limits import CONNECT_TIMEOUT

ATTEMPTS = 3

_CHATTY = ("boto3", "botocore", "aioboto3", "aiobotocore", "aiohttp", "urllib3")
_METADATA_V4 = ipaddress.ip_network("169.254.0.0/16")
_METADATA_V6 = ipaddress.ip_address("fd00:ec2::254")


def quiet_loggers() -> None:
    """At DEBUG the SDK logs secrets and signed headers, so it never gets below WARNING."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def core_session(profile: str | None, ca_bundle: str | None) -> Session:
    """A botocore session whose every client uses our carrier, those of its credential providers included."""
    hooks = copy.copy(event_handlers())
    session = Session(profile=profile, event_hooks=hooks, include_builtin_handlers=False)
    session.register_component("data_loader", service_models())
    session.set_default_client_config(Config(connect_timeout=CONNECT_TIMEOUT))
    session.register("before-send", carried_by(carrier(authorities(ca_bundle))))
    return tame(session)


def sts_client(settings: Settings, keys: Keys) -> Any:
    """A client of the regional STS endpoint that signs with `keys`."""
    return _client("sts", settings, keys, settings.region.value, settings.sts_endpoint_url.value)


def iam_client(settings: Settings, keys: Keys) -> Any:
    """A client of IAM, at AWS or at the one server that is configured for everything."""
    endpoint = settings.sts_endpoint_url.value
    shared = endpoint if endpoint == settings.endpoint_url.value else None
    return _client("iam", settings, keys, settings.region.value, shared)


def s3_client(settings: Settings, keys: Keys, *, bucket: str, region: str | None) -> Any:
    """A client of the bucket's region."""
    options = s3_options(settings, bucket)
    return _client("s3", settings, keys, region, settings.endpoint_url.value, **options)


def s3_options(settings: Settings, bucket: str) -> dict[str, Any]:
    """What a client's configuration must say about S3, whichever transport it serves."""
    anonymous = settings.base.kind is BaseKind.NOBODY
    options: dict[str, Any] = {"signature_version": UNSIGNED if anonymous else "s3v4"}
    if not bucket.startswith("arn:") and (settings.endpoint_url.value or "." in bucket):
        options["s3"] = {"addressing_style": "path"}
    return options


def _client(
    service: str, settings: Settings, keys: Keys, region: str | None, endpoint: str | None, **options: Any
) -> Any:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra=f"s3haul/{__version__}",
        **options,
    )
    ca_bundle = settings.ca_bundle.value
    return core_session(settings.profile.value, ca_bundle).create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
        verify=ca_bundle,
        config=config,
    )


def check_endpoint(url: str | None, *, allow_plain_http: bool) -> None:
    """Raises `UsageError` for an endpoint that would send data in the clear or to instance metadata."""
    if url is None:
        return
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is not an endpoint URL (https://HOST[:PORT])")
    address = _address(host)
    if address is not None and (address == _METADATA_V6 or address in _METADATA_V4):
        raise UsageError(f"the endpoint {url!r} is an instance metadata address")
    loopback = host == "localhost" if address is None else address.is_loopback
    if parts.scheme == "http" and not loopback and not allow_plain_http:
        raise UsageError(
            f"the endpoint {url!r} would carry everything unencrypted",
            hint="use https://, or allow plain http explicitly; SSE-KMS objects are served over TLS only",
            id="S3H-NET-03",
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that `host` spells, in any of the forms that the resolver takes, or None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
