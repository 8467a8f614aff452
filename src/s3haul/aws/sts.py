"""AssumeRole: our own call, always with the External ID.

It assumes all roles of the chain, from the source credentials to the last role. `faults` explains errors.
`credentials` decides when to call it, and what to do after an error.
"""

import getpass
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import ClientError

from s3haul.aws.chain import RoleStep
from s3haul.aws.clients import sts_client
from s3haul.aws.faults import BOTO_ERRORS, is_chaining_limit, sts_error, translate
from s3haul.aws.http_client import call
from s3haul.aws.settings import Settings
from s3haul.aws.source_credentials import constant, load_source
from s3haul.core.text import human_duration
from s3haul.errors import AssumeRoleError
from s3haul.events import Emit, Warned
from s3haul.options import RoleOptions
from s3haul.policies.names import account_of
from s3haul.s3.endpoint import Credentials, FetchCredentials
from s3haul.s3.faults import clock_skew
from s3haul.s3.signing import ServerClock

CHAINED_DURATION = 3600  # seconds; AWS allows no longer session if the caller is a role
_NOTABLE_SKEW = 5.0

AskMfa = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class RoleSession:
    """One session: its credentials, its ARN, its end (epoch seconds by our clock), and its duration in seconds."""

    keys: Credentials = field(repr=False)
    arn: str
    expires_at: float
    duration: float


class Assume(Protocol):
    """Returns a new session of the last role of a chain. Raises `S3HaulError`."""

    async def __call__(self) -> RoleSession: ...


class RoleChain:
    """The real `Assume`: source credentials, then every role in order.

    The source is loaded again each time, so that a new login in another terminal is used.
    """

    def __init__(self, settings: Settings, *, ask_mfa: AskMfa, on_event: Emit) -> None:
        self._settings = settings
        self._ask_mfa = ask_mfa
        self._on_event = on_event
        self._clock = ServerClock()
        self._durations = [step.role.duration_seconds for step in settings.roles]

    @property
    def needs_mfa(self) -> bool:
        return any(step.role.mfa_serial for step in self._settings.roles)

    async def __call__(self) -> RoleSession:
        fetch = await load_source(self._settings)
        session: RoleSession | None = None
        for index, step in enumerate(self._settings.roles):
            session = await self._assume(index, step, fetch)
            fetch = constant(session.keys)
        assert session is not None, "a chain of roles has at least one"
        return session

    async def _assume(self, index: int, step: RoleStep, fetch: FetchCredentials) -> RoleSession:
        request = assume_request(step.role, self._durations[index])
        if step.role.mfa_serial:
            request |= {
                "SerialNumber": step.role.mfa_serial,
                "TokenCode": await self._ask_mfa(step.role.mfa_serial),
            }
        try:
            try:
                answer = await self._call(fetch, request)
            except ClientError as error:
                if not is_chaining_limit(error) or request["DurationSeconds"] <= CHAINED_DURATION:
                    raise
                self._clamp(index, request)
                answer = await self._call(fetch, request)
        except BOTO_ERRORS as error:
            raise sts_error(translate(error), error, step, self._settings) from None
        return _session(answer, step.role, self._clock.ours())

    async def _call(self, fetch: FetchCredentials, request: dict[str, Any]) -> dict[str, Any]:
        """Call AssumeRole. If STS refuses because of our clock, correct the clock and retry once."""
        keys = await fetch()
        for last in (False, True):
            offset = self._clock.offset
            try:
                return await call(
                    lambda: sts_client(self._settings, keys, self._clock.now).assume_role(**request)
                )
            except ClientError as error:
                if last or not self._clock.learn(translate(error, now=self._clock.ours()), offset):
                    raise
            off = human_duration(abs(self._clock.offset))
            message = (
                f"the clock of this machine is wrong by {off}: requests are signed with the server's time"
            )
            self._on_event(Warned(message, "S3H-NET-01"))
        raise AssertionError("unreachable")

    def _clamp(self, index: int, request: dict[str, Any]) -> None:
        """Use one hour from now on: the caller is a role itself, and STS allows no longer session for it."""
        self._durations[index] = request["DurationSeconds"] = CHAINED_DURATION
        message = "the source credentials are those of a role, so sessions last one hour and are then renewed"
        self._on_event(Warned(message, "S3H-STS-11"))


def assume_request(role: RoleOptions, duration: int) -> dict[str, Any]:
    """The AssumeRole parameters, without MFA."""
    request: dict[str, Any] = {
        "RoleArn": role.role_arn,
        "RoleSessionName": role.session_name or default_session_name(),
        "DurationSeconds": duration,
    }
    if role.external_id is not None:
        request["ExternalId"] = role.external_id
    return request


def default_session_name() -> str:
    """`s3haul-USER`, with the characters that STS allows. The other account sees it in CloudTrail."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    return f"s3haul-{re.sub(r'[^a-zA-Z0-9_+=,.@-]', '-', user)}"[:64].rstrip("-")


def _session(answer: dict[str, Any], role: RoleOptions, now: float) -> RoleSession:
    """The session. Its end is converted to our clock, if the server's clock differs."""
    # The blanks of a document in which each value has a line of its own are not part of a key.
    said: dict[str, Any] = {
        name: value.strip() if isinstance(value, str) else value
        for name, value in answer.get("Credentials", {}).items()
    }
    arn = answer.get("AssumedRoleUser", {}).get("Arn", "")
    if account_of(arn) != account_of(role.role_arn):
        raise AssumeRoleError(
            f"STS returned a session of {arn or 'no role'}, which is not in the account of {role.role_arn}",
            hint="check the STS endpoint",
            id="S3H-CFG-06",
        )
    if not all(said.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")):
        raise AssumeRoleError(
            "STS returned a session without credentials or without an expiration",
            hint="check the STS endpoint",
            id="S3H-CFG-06",
        )
    skew = clock_skew(answer["ResponseMetadata"]["HTTPHeaders"], now) or 0.0
    expires_at = said["Expiration"].timestamp() - (skew if abs(skew) > _NOTABLE_SKEW else 0.0)
    if expires_at <= now:
        raise AssumeRoleError(
            "STS returned a session that has already expired",
            hint="check this machine's clock",
            id="S3H-NET-01",
        )
    keys = Credentials(said["AccessKeyId"], said["SecretAccessKey"], said["SessionToken"], expires_at)
    return RoleSession(keys, arn, expires_at, expires_at - now)
