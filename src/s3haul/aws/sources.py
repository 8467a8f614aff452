"""The source credentials: those that no role of ours stands before, fetched by botocore's own providers.

It runs the provider chain in a thread, on a session whose clients use our carrier, and turns its exceptions into
`CredentialsError`. It assumes no role; `sts` does.
"""

from collections.abc import Callable
from typing import Any

from botocore.credentials import (
    CanonicalNameCredentialSourcer,
    CredentialResolver,
    ProfileProviderBuilder,
    RefreshableCredentials,
    create_credential_resolver,
)
from botocore.exceptions import ClientError

from s3haul.aws.carrier import call
from s3haul.aws.chain import Base, BaseKind
from s3haul.aws.clients import core_session
from s3haul.aws.profile import Settings
from s3haul.aws.translate import FOREIGN
from s3haul.errors import NO_THREAD, CredentialsError
from s3haul.s3.keys import FetchKeys, Keys

_LOG_IN = "log in again (for example `aws sso login`), then run the same command"


async def load_source(settings: Settings) -> FetchKeys:
    """A function that gives the source's current keys; botocore refreshes those that it can refresh.

    Raises `CredentialsError`: S3H-CFG-05 where there are none, S3H-STS-02 where they cannot be fetched.
    """
    credentials = await _guarded(settings.base, lambda: _load(settings))
    if credentials is None:
        raise CredentialsError(
            f"no AWS credentials found in {settings.base}",
            hint="log in, or name a --profile that holds credentials",
            id="S3H-CFG-02" if settings.base.kind is BaseKind.PROFILE else "S3H-CFG-05",
        )

    async def fetch() -> Keys:
        if isinstance(credentials, RefreshableCredentials) and credentials.refresh_needed():
            frozen = await _guarded(settings.base, credentials.get_frozen_credentials)
        else:
            frozen = credentials.get_frozen_credentials()  # at once
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    return fetch


def _load(settings: Settings) -> Any:
    base, region = settings.base, settings.region.value
    session = core_session(None if base.kind is BaseKind.SOURCE else base.name, settings.ca_bundle.value)
    if base.kind is BaseKind.PROFILE:
        builder = ProfileProviderBuilder(session, cache={}, region_name=region)
        providers = builder.providers(profile_name=base.name, disable_env_vars=True)
        return CredentialResolver(providers).load_credentials()
    chain = create_credential_resolver(session, region_name=region)
    if base.kind is BaseKind.SOURCE:
        return CanonicalNameCredentialSourcer(chain.providers).source_credentials(base.name)
    return chain.load_credentials()


async def _guarded(base: Base, fetching: Callable[[], Any]) -> Any:
    """RuntimeError is what botocore raises for credentials that are expired even after a refresh."""
    try:
        return await call(fetching)
    except (*FOREIGN, RuntimeError) as error:
        if NO_THREAD in str(error):
            raise
        said = str(error) if isinstance(error, ClientError) else f"{type(error).__name__}: {error}"
        raise CredentialsError(
            f"the credentials of {base} cannot be fetched", hint=_LOG_IN, said=said, id="S3H-STS-02"
        ) from error
