"""Creates the client of the SDK transport: aioboto3 with the strict HTTP layer and our own credentials.

The only module that creates aiobotocore clients. `sdk` sends requests with them.
"""

from contextlib import AbstractAsyncContextManager
from typing import Any

import aioboto3
from aiobotocore.credentials import AioCredentialResolver, AioCredentials
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials

from s3haul import __version__
from s3haul.aws.clients import s3_options
from s3haul.aws.config.config_file import tame
from s3haul.aws.config.profile import Settings
from s3haul.aws.shared import service_models
from s3haul.aws.strict import StrictConfig
from s3haul.options import TransferOptions
from s3haul.s3.endpoint import CONNECT_TIMEOUT, SPARE_CONNECTIONS, FetchCredentials


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
    client: AbstractAsyncContextManager[Any] = aioboto3.Session(botocore_session=tame(session)).client(
        "s3",
        region_name=region,
        endpoint_url=settings.endpoint_url.value,
        verify=settings.ca_bundle.value,
        config=config,
    )
    return client
