"""How clients are made: strict transport, Signature Version 4, our own credentials, quiet loggers.

The only module that builds client configurations. It calls nobody.
"""

import copy
import ipaddress
import logging
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

from aiobotocore.credentials import AioCredentialResolver, AioCredentials
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials

from s3haul import __version__
from s3haul.aws.configfile import tame
from s3haul.aws.profile import Settings
from s3haul.aws.shared import event_handlers, service_models
from s3haul.aws.strict import StrictConfig
from s3haul.errors import UsageError
from s3haul.s3.keys import FetchKeys
from s3haul.s3.limits import CONNECT_TIMEOUT

STS_ATTEMPTS = 3

_CHATTY = ("boto3", "botocore", "aioboto3", "aiobotocore", "aiohttp", "urllib3")
_METADATA_V4 = ipaddress.ip_network("169.254.0.0/16")
_METADATA_V6 = ipaddress.ip_address("fd00:ec2::254")


class LiveCredentials(AioCredentials):  # type: ignore[misc]
    """botocore's view of credentials that somebody else keeps fresh: it asks before every signature."""

    def __init__(self, fetch: FetchKeys) -> None:
        super().__init__("", "", method="s3haul")
        self._fetch = fetch

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        keys = await self._fetch()
        return ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token, None)


class _OnlyProvider:
    """A credential provider that always answers; botocore's own chain is not asked."""

    METHOD = "s3haul"
    CANONICAL_NAME = None

    def __init__(self, fetch: FetchKeys) -> None:
        self._fetch = fetch

    async def load(self) -> LiveCredentials:
        return LiveCredentials(self._fetch)


def quiet_loggers() -> None:
    """At DEBUG the SDK logs secrets and signed headers, so it never gets below WARNING."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _plain(session: AioSession) -> Any:
    return session.create_client


def core_session(profile: str | None) -> AioSession:
    """A botocore session whose every client is strict, those of its credential providers included."""
    hooks = copy.copy(event_handlers())
    session = AioSession(profile=profile, event_hooks=hooks, include_builtin_handlers=False)
    session.register_component("data_loader", service_models())
    session.set_default_client_config(StrictConfig(connect_timeout=CONNECT_TIMEOUT))
    return tame(session)


def sts_client(settings: Settings, fetch: FetchKeys) -> AbstractAsyncContextManager[Any]:
    """A client of the regional STS endpoint that signs with what `fetch` gives."""
    return _query_client("sts", settings, fetch, settings.sts_endpoint_url.value)


def iam_client(settings: Settings, fetch: FetchKeys) -> AbstractAsyncContextManager[Any]:
    """A client of IAM, at AWS or at the one server that is configured for everything."""
    endpoint = settings.sts_endpoint_url.value
    shared = endpoint if endpoint == settings.endpoint_url.value else None
    return _query_client("iam", settings, fetch, shared)


def _query_client(
    service: str, settings: Settings, fetch: FetchKeys, endpoint: str | None
) -> AbstractAsyncContextManager[Any]:
    config = StrictConfig(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": STS_ATTEMPTS},
        user_agent_extra=f"s3haul/{__version__}",
    )
    region = settings.region.value
    return _client(service, settings, region=region, endpoint=endpoint, fetch=fetch, config=config)


def s3_client(
    settings: Settings,
    fetch: FetchKeys,
    *,
    bucket: str,
    region: str | None,
    connections: int,
    read_timeout: float,
    attempts: int = 1,
    through: Callable[[AioSession], Any] = _plain,
) -> AbstractAsyncContextManager[Any]:
    """A client of the bucket's region. `attempts` is 1 where the engine owns the retries.

    `through` gives what makes clients of a session.
    """
    endpoint = settings.endpoint_url.value
    options: dict[str, Any] = {}
    if not bucket.startswith("arn:") and (endpoint or "." in bucket):
        options["s3"] = {"addressing_style": "path"}
    config = StrictConfig(
        signature_version="s3v4",
        max_pool_connections=connections,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=f"s3haul/{__version__}",
        **options,
    )
    return _client(
        "s3", settings, region=region, endpoint=endpoint, fetch=fetch, config=config, through=through
    )


def _client(
    service: str,
    settings: Settings,
    *,
    region: str | None,
    endpoint: str | None,
    fetch: FetchKeys,
    config: StrictConfig,
    through: Callable[[AioSession], Any] = _plain,
) -> AbstractAsyncContextManager[Any]:
    core = core_session(settings.profile.value)
    core.register_component("credential_provider", AioCredentialResolver([_OnlyProvider(fetch)]))
    client: AbstractAsyncContextManager[Any] = through(core)(
        service,
        region_name=region,
        endpoint_url=endpoint,
        verify=settings.ca_bundle.value,
        config=config,
    )
    return client


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
