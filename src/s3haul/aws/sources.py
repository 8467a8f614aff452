"""The source credentials: those at the start of the chain of roles, fetched by botocore's credential providers.

The providers run in a thread, with a session whose clients use our carrier. Their exceptions become `CredentialsError`,
with texts from `advice`. No role is assumed here; `sts` does that.
"""

import os
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from botocore.credentials import ProfileProviderBuilder, RefreshableCredentials, create_credential_resolver
from botocore.exceptions import ClientError, InvalidConfigError

from s3haul.aws import advice
from s3haul.aws.carrier import call
from s3haul.aws.clients import core_session
from s3haul.aws.config.chain import Base, BaseKind
from s3haul.aws.config.config_file import read
from s3haul.aws.config.profile import Settings
from s3haul.aws.guard import guarded
from s3haul.aws.renewal import advisory_window, mandatory_window
from s3haul.aws.translate import translate
from s3haul.errors import NO_THREAD, CredentialsError, FaultKind, S3HaulError
from s3haul.s3.endpoint import Credentials, FetchCredentials

_UNANSWERED = frozenset({FaultKind.CONNECT, FaultKind.TLS, FaultKind.STALL, FaultKind.BROKEN})
_MOST_WORDS = 300  # characters; a helper may print pages
_SOUND = re.compile(r"(?![\"'])[!-~]+", re.ASCII)


class _Source(NamedTuple):
    """The source, for messages. `keys` are the settings of the profile, which may be secret."""

    base: Base
    profile: str
    keys: dict[str, Any]


async def load_source(settings: Settings) -> FetchCredentials:
    """A function that returns the current source credentials. botocore refreshes them if their provider can.

    Raises `CredentialsError`: S3H-CFG-05 or S3H-CFG-02 if there are none, S3H-STS-02 if they cannot be fetched.
    """
    if settings.base.kind is BaseKind.NOBODY:

        async def nobody() -> Credentials:
            return Credentials("", "")

        return nobody
    with guarded(settings.given):
        source, providers = _providers(settings)
    credentials = await _first(source, providers)
    if credentials is None:
        base = settings.base
        named = base.name if base.kind is BaseKind.SOURCE else None
        raise CredentialsError(
            f"no AWS credentials found in {base}",
            hint=advice.missing(named, source.profile, source.keys),
            id="S3H-CFG-02" if base.kind is BaseKind.PROFILE else "S3H-CFG-05",
        )

    async def fetch() -> Credentials:
        if isinstance(credentials, RefreshableCredentials) and credentials.refresh_needed():
            frozen = await _guarded(source, credentials.method, lambda: _refreshed(credentials))
        else:
            frozen = credentials.get_frozen_credentials()  # at once
        return _checked(source, credentials.method, frozen)

    return fetch


def _providers(settings: Settings) -> tuple[_Source, list[Any]]:
    base, region = settings.base, settings.region.value
    name = settings.profile.value if base.kind is BaseKind.SOURCE else base.name
    session = core_session(None if base.kind is BaseKind.SOURCE else base.name, settings.ca_bundle.value)
    profile = name or session.get_config_variable("profile") or "default"
    source = _Source(base, profile, read(session).profiles.get(profile, {}))
    if base.kind is BaseKind.PROFILE:
        builder = ProfileProviderBuilder(session, cache={}, region_name=region)
        return source, builder.providers(profile_name=base.name, disable_env_vars=True)
    chain: list[Any] = create_credential_resolver(session, region_name=region).providers
    if base.kind is BaseKind.SOURCE:
        chain = [one for one in chain if base.name == one.CANONICAL_NAME]
    return source, chain


async def _first(source: _Source, providers: Iterable[Any]) -> Any:
    """The credentials of the first provider that has any; None if none has."""
    for provider in providers:
        credentials = await _guarded(source, provider.METHOD, provider.load)
        if credentials is not None:
            _set_refresh_times(credentials)
            return credentials
    return None


def _refreshed(credentials: RefreshableCredentials) -> Any:
    frozen = credentials.get_frozen_credentials()
    _set_refresh_times(credentials)
    return frozen


def _set_refresh_times(credentials: Any) -> None:
    """botocore renews 15 minutes before expiry. It would fetch credentials that live shorter for every request."""
    if isinstance(credentials, RefreshableCredentials) and credentials._expiry_time is not None:  # noqa: SLF001
        left = max(0.0, credentials._seconds_remaining())  # noqa: SLF001 - the pinned release has no other way
        credentials._advisory_refresh_timeout = advisory_window(left)  # noqa: SLF001
        credentials._mandatory_refresh_timeout = mandatory_window(left)  # noqa: SLF001


async def _guarded(source: _Source, method: str, fetching: Callable[[], Any]) -> Any:
    """Call a provider. It may raise any exception, for example KeyError if the output of a program lacks a field."""
    try:
        return await call(fetching)
    except S3HaulError:
        raise
    except Exception as error:
        if isinstance(error, RuntimeError) and NO_THREAD in str(error):
            raise  # the machine has no more threads: not an error of the provider
        raise _failed(source, method, error) from error


def _failed(source: _Source, method: str, error: Exception) -> CredentialsError:
    what, hint = advice.failed(method, source.profile, source.keys, os.environ)
    if isinstance(error, InvalidConfigError):
        hint = "mend the profile: what is wrong with it stands above"
    elif translate(error).kind in _UNANSWERED and getattr(error, "filename", None) is None:
        hint = f"nobody answered: check the network and the proxy settings; else {hint}"
    words = " ".join(str(error).split())[:_MOST_WORDS]
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        words = f"{said.get('Code', '')}: {said.get('Message', '')}"
        return CredentialsError(f"{what} cannot be fetched", hint=hint, said=words, id="S3H-STS-02")
    return CredentialsError(
        f"{what} cannot be fetched", hint=hint, seen=words or type(error).__name__, id="S3H-STS-02"
    )


def _checked(source: _Source, method: str, frozen: Any) -> Credentials:
    """The credentials, if they are valid header text. Error messages never contain their values."""
    needed, token = (frozen.access_key, frozen.secret_key), frozen.token or None
    if all(isinstance(one, str) and _SOUND.fullmatch(one) for one in (*needed, token or "none")):
        return Credentials(frozen.access_key, frozen.secret_key, token)
    what, hint = advice.failed(method, source.profile, source.keys, os.environ)
    if any(str(one)[:1] in {'"', "'"} for one in needed):
        hint = "values stand without quotes in AWS's files"
    raise CredentialsError(
        f"{what} cannot be used: a key is empty, no text, or has quotes or spaces in it",
        hint=hint,
        id="S3H-STS-02",
    )
