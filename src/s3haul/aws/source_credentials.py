"""The source credentials: those at the start of the chain of roles, fetched by botocore's credential providers.

The providers run in a thread, with a session whose clients use our HTTP client. Their exceptions become
`CredentialsError`; of a credential_process only the name of the program is shown, because its arguments may be secret.
No role is assumed here; `sts` does that. Without any role, requests are signed with these credentials:
`SourceCredentials` loads them again when S3 refuses them.
"""

import asyncio
import os
import random
import re
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from botocore.credentials import ProfileProviderBuilder, RefreshableCredentials, create_credential_resolver
from botocore.exceptions import ClientError, InvalidConfigError

from s3haul.aws.chain import Base, BaseKind
from s3haul.aws.clients import core_session
from s3haul.aws.config_file import read
from s3haul.aws.faults import settings_errors, translate
from s3haul.aws.http_client import call
from s3haul.aws.settings import Settings
from s3haul.errors import NO_THREAD, CredentialsError, FaultKind, S3HaulError
from s3haul.events import Emit, Warned
from s3haul.s3.endpoint import Credentials, FetchCredentials

EXPIRED = "S3H-STS-02"
FIRST_DELAY = 2.0  # seconds
LONGEST_DELAY = 15.0

_NO_RESPONSE = frozenset({FaultKind.CONNECT, FaultKind.TLS, FaultKind.STALL, FaultKind.BROKEN})
_LONGEST_QUOTE = 300  # characters; a credential_process may print pages
_DOCUMENT = 'one JSON document and nothing else: {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …}'
_EXPORT = "credential_process = aws configure export-credentials --profile {} --format process"
_ELSEWHERE = {
    "Ec2InstanceMetadata": "this machine needs an instance profile; in a container, IMDSv2 needs a hop limit of 2;"
    " AWS_EC2_METADATA_DISABLED must not be true",
    "EcsContainer": "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI is set only in containers of ECS and EKS;"
    " the task needs a task role, the pod a Pod Identity association",
    "Environment": "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary keys",
}
_HEADER_TEXT = re.compile(r"(?![\"'])[!-~]+", re.ASCII)


class _Source(NamedTuple):
    """The source, for messages. `keys` are the settings of the profile, which may be secret."""

    base: Base
    profile: str
    keys: dict[str, Any]


async def load_source(settings: Settings) -> FetchCredentials:
    """A function that returns the current source credentials. botocore refreshes them if their provider can.

    Raises `CredentialsError`: S3H-CFG-05 or S3H-CFG-02 if there are none, S3H-STS-02 if they cannot be fetched.
    """
    if settings.base.kind is BaseKind.ANONYMOUS:
        return constant(Credentials("", ""))
    with settings_errors(settings.given):
        source, providers = _providers(settings)
    credentials = await _first(source, providers)
    if credentials is None:
        raise CredentialsError(
            f"no AWS credentials found in {source.base}",
            hint=_no_source_hint(source),
            id="S3H-CFG-02" if source.base.kind is BaseKind.PROFILE else "S3H-CFG-05",
        )

    async def fetch() -> Credentials:
        if isinstance(credentials, RefreshableCredentials) and credentials.refresh_needed():
            frozen = await _guarded(source, credentials.method, lambda: _refreshed(credentials))
        else:
            frozen = credentials.get_frozen_credentials()  # without a request
        return _checked(source, credentials.method, frozen)

    return fetch


def constant(keys: Credentials) -> FetchCredentials:
    """A function that always returns these credentials. They are not renewed."""

    async def fetch() -> Credentials:
        return keys

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
        credentials = await _guarded(source, provider.METHOD, partial(_loaded, provider))
        if credentials is not None:
            return credentials
    return None


def _loaded(provider: Any) -> Any:
    credentials = provider.load()
    _set_refresh_times(credentials)
    return credentials


def _refreshed(credentials: RefreshableCredentials) -> Any:
    frozen = credentials.get_frozen_credentials()
    _set_refresh_times(credentials)
    return frozen


def _set_refresh_times(credentials: Any) -> None:
    """botocore renews 15 minutes before expiry. It would fetch credentials that live shorter for every request."""
    if isinstance(credentials, RefreshableCredentials) and credentials._expiry_time is not None:  # noqa: SLF001
        if credentials._expiry_time.tzinfo is None:  # noqa: SLF001
            raise ValueError("the time at which they expire has no time zone: append Z for UTC")
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
    what, hint = _explained(source, method)
    if isinstance(error, InvalidConfigError):
        hint = "correct the profile: the message above says what is wrong with it"
    elif translate(error).kind in _NO_RESPONSE and getattr(error, "filename", None) is None:
        hint = f"there was no response: check the network and the proxy settings; else {hint}"
    words = " ".join(str(error).split())[:_LONGEST_QUOTE]
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
    if all(isinstance(one, str) and _HEADER_TEXT.fullmatch(one) for one in (*needed, token or "none")):
        return Credentials(frozen.access_key, frozen.secret_key, token)
    what, hint = _explained(source, method)
    if any(str(one)[:1] in {'"', "'"} for one in needed):
        hint = "write values without quotes in AWS's files"
    raise CredentialsError(
        f"{what} cannot be used: a key is empty, no text, or has quotes or spaces in it",
        hint=hint,
        id="S3H-STS-02",
    )


class SourceCredentials:
    """As `credentials.RoleCredentials`, but without a role: what `load` returns gives the current credentials.

    Call `start` once. If S3 refuses the credentials, the source is loaded again. It may have new ones, for example from
    a login in another terminal. If it has the same ones, requests wait and try again for a limited time, because S3 may
    accept them again.
    """

    trusted = False  # they may be wrong or old

    def __init__(
        self,
        load: Callable[[], Awaitable[FetchCredentials]],
        *,
        on_event: Emit,
        timeout: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._load = load
        self._on_event = on_event
        self._timeout = timeout
        self._sleep = sleep
        self._jitter = jitter
        self._lock = asyncio.Lock()
        self._fetch: FetchCredentials | None = None
        self._keys = Credentials("", "")
        self._waited = 0.0
        self._attempt = 0

    @property
    def access_key_id(self) -> str:
        """Identifies the current credentials: pass it to `renew` if S3 refuses them."""
        return self._keys.access_key

    async def start(self) -> None:
        """Load the credentials. Raises `CredentialsError`."""
        self._fetch = await self._load()
        self._keys = await self._fetch()

    async def current(self) -> Credentials:
        """Credentials that are valid now; botocore refreshes them if it can."""
        assert self._fetch is not None, "start() comes first"
        self._keys = await self._fetch()
        return self._keys

    async def renew(self, stale_access_key: str, *, never_worked: bool = False) -> None:
        """Returns when the source has other credentials than these, or after a pause, to try the same ones again.

        `never_worked` means that no request has succeeded since the last call. Raises `CredentialsError` when the limited
        time is over.
        """
        async with self._lock:
            if self.access_key_id != stale_access_key:
                return
            if not never_worked:
                self._waited, self._attempt = 0.0, 0
            await self.start()
            if self.access_key_id != stale_access_key:
                return
            if self._waited >= self._timeout:
                raise CredentialsError(
                    f"S3 has refused the credentials for {self._waited:.0f} s, and their source has no new ones",
                    hint="log in again, or renew the keys; the same command resumes",
                    id=EXPIRED,
                )
            await self._wait()

    async def _wait(self) -> None:
        self._attempt += 1
        delay = equal_jitter_backoff(self._attempt, LONGEST_DELAY, self._jitter())
        if self._attempt == 1:
            message = (
                "S3 refuses the credentials: requests wait, and the credentials are loaded again meanwhile"
            )
            self._on_event(Warned(message, EXPIRED))
        self._waited += delay
        await self._sleep(delay)

    async def run(self) -> None:
        """Does nothing: botocore renews these credentials when they are fetched."""
        await asyncio.get_running_loop().create_future()


def equal_jitter_backoff(attempt: int, longest: float, jitter: float) -> float:
    """Seconds to wait after this attempt, counted from 1: at least half of a bound that doubles, the rest is random."""
    return min(longest, FIRST_DELAY * 2.0 ** min(attempt - 1, 10)) * (0.5 + 0.5 * jitter)


def advisory_window(duration: float) -> float:
    """How many seconds before its end a session of `duration` seconds is renewed."""
    return min(900.0, duration / 4)


def mandatory_window(duration: float) -> float:
    """How many seconds before its end a renewal that fails is retried more often."""
    return min(600.0, duration / 8)


def _explained(source: _Source, method: str) -> tuple[str, str]:
    """For a source that is configured but failed: its name, for a message, and what to do."""
    profile, keys = source.profile, source.keys
    match method:
        case "sso":
            named = keys.get("sso_session") or keys.get("sso_start_url") or ""
            hint = f"run: aws sso login --profile {shlex.quote(profile)}, then the same command"
            return f"the SSO session {named} of profile {profile!r}", hint
        case "custom-process":
            program = _program(str(keys.get("credential_process", "")))
            hint = f"run its credential_process yourself: it must end with exit code 0 and print {_DOCUMENT}"
            return f"the credential_process {program} of profile {profile!r}", hint
        case "assume-role-with-web-identity":
            path = keys.get("web_identity_token_file") or os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
            hint = "the token must exist and be valid, and the role's trust policy must allow its issuer and subject"
            return f"the role for the web identity token {path}", hint
        case "container-role":
            return "the container's credentials", _ELSEWHERE["EcsContainer"]
        case "iam-role":
            return "the instance's credentials", _ELSEWHERE["Ec2InstanceMetadata"]
        case "boto-config":
            hint = "complete or remove the section [Credentials] of ~/.boto or /etc/boto.cfg"
            return "the credentials of boto's old file", hint
        case "env":
            return "the credentials of the environment", _ELSEWHERE["Environment"]
    hint = "the profile needs both aws_access_key_id and aws_secret_access_key"
    return f"the credentials of profile {profile!r}", hint


def _no_source_hint(source: _Source) -> str:
    """What to do if no provider has credentials."""
    if source.base.kind is BaseKind.SOURCE:
        return _ELSEWHERE.get(source.base.name or "", "")
    if missing := _missing_of_sso(source.keys):
        return f"the profile's SSO login needs {' and '.join(missing)}, too"
    if "login_session" in source.keys:
        way = _EXPORT.format(shlex.quote(source.profile))
        return f"sessions of `aws login` are not supported: create another profile with {way}"
    return "log in, or choose a --profile that has credentials"


def _missing_of_sso(keys: Mapping[str, Any]) -> list[str]:
    """What a profile lacks that names an SSO session."""
    if not {"sso_session", "sso_start_url"} & keys.keys():
        return []
    needed = ["sso_account_id", "sso_role_name", *([] if "sso_session" in keys else ["sso_region"])]
    return [name for name in needed if name not in keys]


def _program(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return "(its quotes do not match)"
    return words[0] if words else "(it is empty)"
