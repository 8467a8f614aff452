"""Creates the client of the SDK transport: aioboto3 with a strict HTTP layer and our own credentials.

The HTTP layer corrects the aiohttp session of the pinned aiobotocore, which accepts a certificate for any host name,
verifies nothing behind an HTTPS proxy, does not verify if the CA bundle setting is empty, and follows redirects with
the session token. Nothing else is changed. `sdk` sends requests with the client.
"""

from contextlib import AbstractAsyncContextManager
from ssl import SSLContext
from typing import Any

import aioboto3
import aiohttp
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentialResolver, AioCredentials
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import get_cert_path

from s3haul import __version__
from s3haul.aws.clients import s3_options, service_models
from s3haul.aws.config.config_file import nest_s3_section
from s3haul.aws.config.settings import Settings
from s3haul.aws.endpoints import tls_context
from s3haul.aws.http_client import NoResponse, RedirectRefused
from s3haul.options import TransferOptions
from s3haul.s3.documents import interception
from s3haul.s3.endpoint import CONNECT_TIMEOUT, REDIRECTS, SPARE_CONNECTIONS, FetchCredentials


class _NoRedirects:
    """An aiohttp session that follows no redirects, and whose header values are always valid UTF-8."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def request(self, method: str, **arguments: Any) -> Any:
        response = await self._session.request(method, allow_redirects=False, **arguments)
        # User metadata may contain any byte, but aiobotocore decodes all headers as UTF-8, and raises.
        raw = response._raw_headers  # noqa: SLF001 - the public property is cached at the first read
        response._raw_headers = tuple((name, _as_utf8(value)) for name, value in raw)  # noqa: SLF001
        return response


def _as_utf8(value: bytes) -> bytes:
    return value.decode("utf-8", "replace").encode()


class StrictSession(AIOHTTPSession):  # type: ignore[misc]
    """Pass it as `http_session_cls`. The private methods are those of aiobotocore 2.25.1."""

    def __init__(self, *, verify: Any = None, **arguments: Any) -> None:
        # An empty AWS_CA_BUNDLE arrives as "", which aiobotocore takes as "do not verify".
        super().__init__(verify=verify or True, **arguments)

    def _get_ssl_context(self) -> SSLContext:
        context: SSLContext = super()._get_ssl_context()
        context.check_hostname = True
        return context

    def _setup_proxy_ssl_context(self, proxy_url: str) -> SSLContext:
        context: SSLContext | None = super()._setup_proxy_ssl_context(proxy_url)
        if context is None:
            context = self._get_ssl_context()
            context.load_verify_locations(get_cert_path(self._verify))
        return context

    def _create_connector(self, proxy_url: str | None) -> aiohttp.TCPConnector:
        if proxy_url or self._cert_file:
            connector: aiohttp.TCPConnector = super()._create_connector(proxy_url)
            return connector
        context = tls_context(get_cert_path(self._verify))
        return aiohttp.TCPConnector(limit=self._max_pool_connections, ssl=context, **self._connector_args)

    async def _get_session(self, proxy_url: str | None) -> _NoRedirects:
        return _NoRedirects(await super()._get_session(proxy_url))

    async def send(self, request: Any) -> AioAWSResponse:
        """Raises `RedirectRefused` or `NoResponse`. Not inside the parent's `send`, which would turn them into errors
        that are retried."""
        response = await super().send(request)
        if response.status_code in REDIRECTS:
            response.raw.close()
            raise RedirectRefused.of(response)
        if response.status_code >= 400 and (
            page := interception(response.status_code, response.headers, await response.content)
        ):
            raise NoResponse(fault=page)
        return response


class StrictConfig(AioConfig):  # type: ignore[misc]
    """A client configuration that stays strict when botocore merges it with another."""

    def __init__(self, **options: Any) -> None:
        super().__init__(http_session_cls=StrictSession, **options)

    def merge(self, other_config: Any) -> AioConfig:
        merged = super().merge(other_config)
        merged.http_session_cls = StrictSession
        return merged


class LiveCredentials(AioCredentials):  # type: ignore[misc]
    """Credentials for botocore that `fetch` keeps valid. botocore calls this class before every signature."""

    def __init__(self, fetch: FetchCredentials) -> None:
        super().__init__("", "", method="s3haul")
        self._fetch = fetch

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        keys = await self._fetch()
        return ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token, None)


class _OnlyProvider:
    """The only credential provider of the session, in place of botocore's chain of providers."""

    METHOD = "s3haul"
    CANONICAL_NAME = None

    def __init__(self, fetch: FetchCredentials) -> None:
        self._fetch = fetch

    async def load(self) -> LiveCredentials:
        return LiveCredentials(self._fetch)


def sdk_client(
    settings: Settings, fetch: FetchCredentials, bucket: str, region: str, transfer: TransferOptions
) -> AbstractAsyncContextManager[Any]:
    """A client for the bucket's region. It does not retry: `store` does."""
    session = AioSession(profile=settings.profile.value)
    session.register_component("data_loader", service_models())
    session.register_component("credential_provider", AioCredentialResolver([_OnlyProvider(fetch)]))
    session.set_default_client_config(StrictConfig(defaults_mode="legacy"))  # as in `clients`
    config = StrictConfig(
        max_pool_connections=transfer.concurrency + SPARE_CONNECTIONS,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=transfer.stall_timeout,
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent_extra=f"s3haul/{__version__}",
        **s3_options(settings, bucket),
    )
    client: AbstractAsyncContextManager[Any] = aioboto3.Session(
        botocore_session=nest_s3_section(session)
    ).client(
        "s3",
        region_name=region,
        endpoint_url=settings.endpoint_url.value,
        verify=settings.ca_bundle.value,
        config=config,
    )
    return client
