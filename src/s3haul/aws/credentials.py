"""Keeps the credentials of the role valid, for days if needed.

A task renews the session before it expires. Requests use the current session without waiting while it is
valid. If STS refuses a renewal, the old session is used until it expires; then requests wait while the renewal is
retried for a limited time; then the run ends. Only one renewal runs at a time. botocore's own refresh is not used.

If S3 refuses sessions that STS has just issued, the pauses between renewals grow, because a new session may need some
time until S3 knows it.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from s3haul.aws.source_credentials import advisory_window, equal_jitter_backoff, mandatory_window
from s3haul.aws.sts import Assume, RoleSession
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import CredentialsError, S3HaulError
from s3haul.events import CredentialsRenewed, Emit, Warned
from s3haul.s3.endpoint import Credentials

DEFAULT_TIMEOUT = 900.0
UNKNOWN = "S3H-STS-14"
LONGEST_RETRY = 60.0

Sleep = Callable[[float], Awaitable[None]]


class RoleCredentials:
    """Call `start` once, then run `run` in a task group. Any task may call `current` and `renew`.

    `clock` returns epoch seconds. `renewable` is false if every session needs an MFA code. `timeout` is how long, in
    seconds, requests wait for a valid session.
    """

    trusted = True  # STS has just given them

    def __init__(
        self,
        assume: Assume,
        *,
        on_event: Emit,
        renewable: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._assume = assume
        self._on_event = on_event
        self._renewable = renewable
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._lock = asyncio.Lock()
        self._session: RoleSession | None = None
        self._renew_at = 0.0
        self._fatal: S3HaulError | None = None
        self._useless = 0  # consecutive renewals whose session S3 refused
        self._waited = 0.0  # seconds of pauses after these

    def __repr__(self) -> str:
        return f"RoleCredentials(arn={self.session.arn if self._session else None!r})"

    @property
    def session(self) -> RoleSession:
        """The current session. `start` must have been called."""
        assert self._session is not None, "start() comes first"
        return self._session

    @property
    def access_key_id(self) -> str:
        """Identifies the current session: pass it to `renew` if S3 refuses that session."""
        return self.session.keys.access_key

    async def start(self) -> RoleSession:
        """The first AssumeRole. It is not retried: at the start of a run a user wants to see the error at once."""
        session = await self._assume()
        self._adopt(session)
        if not self._renewable:
            message = "an MFA session cannot be renewed: the run ends when it expires, and can be resumed"
            self._warn(message, "S3H-STS-08")
        return session

    async def current(self) -> Credentials:
        """Credentials that are valid now; waits for a renewal if needed. Raises `S3HaulError` if that has failed."""
        if self._expired():
            await self.renew(self.access_key_id)
        return self.session.keys

    async def renew(self, stale_access_key: str, *, never_worked: bool = False) -> None:
        """Replace the session with this access key. Callers that report the same key share one renewal.

        `never_worked` means that no request succeeded with that session: then a pause follows the renewal, since S3 may
        not know the new session yet. Retries for the limited time, then raises `S3HaulError`.
        """
        async with self._lock:
            # While this task waited for the lock, another one may have renewed the same session.
            if self.access_key_id != stale_access_key and not self._expired():
                return
            if self._fatal is not None:
                raise self._fatal
            if not never_worked:
                self._useless, self._waited = 0, 0.0
            try:
                if self._waited >= self._timeout:
                    raise self._refused_for_good()
                await self._replace()
            except S3HaulError as error:
                self._fatal = error
                raise
            if never_worked:
                await self._pause_until_known()

    async def _pause_until_known(self) -> None:
        self._useless += 1
        delay = min(self._backoff(self._useless), LONGEST_RETRY / 4)
        self._waited += delay
        if self._useless == 1:
            self._warn(
                "S3 refuses sessions that STS has just issued: requests wait between renewals", UNKNOWN
            )
        await self._sleep(delay)

    def _refused_for_good(self) -> S3HaulError:
        return CredentialsError(
            f"STS issues sessions of {self.session.arn}, but S3 refused all of them for {self._waited:.0f} s",
            hint=f"{DIAGNOSES[UNKNOWN].fix} The same command resumes.",
            id=UNKNOWN,
        )

    async def run(self) -> None:
        """Renews before expiry, until cancelled. Raises `S3HaulError` if renewal has failed."""
        while True:
            session = self.session
            await self._sleep(max(0.0, self._renew_at - self._clock()))
            attempt = 0
            while self._renewable and self._session is session and not self._expired():
                attempt += 1
                await self._renew_ahead(session, attempt)
            if self._session is session:
                await self.renew(session.keys.access_key)

    def _renewal_time(self, session: RoleSession) -> float:
        """When to renew: before its end by a quarter of its duration, at most 15 minutes. Random, so that processes do
        not renew at the same moment."""
        window = advisory_window(session.duration) if self._renewable else 0.0
        return session.expires_at - window * (1.0 + 0.1 * self._jitter())

    async def _renew_ahead(self, session: RoleSession, attempt: int) -> None:
        """One attempt while the old session is valid. A failure is reported as an event, and a pause follows."""
        try:
            async with self._lock:
                if self._session is session:
                    self._adopt(await self._assume())
        except S3HaulError as error:
            remaining = max(0.0, session.expires_at - self._clock())
            longest = LONGEST_RETRY if remaining > mandatory_window(session.duration) else LONGEST_RETRY / 4
            delay = min(self._backoff(attempt), longest, remaining)
            self._failed(error, delay)
            await self._sleep(delay)

    async def _replace(self) -> None:
        """Get a new session while none is valid: requests wait meanwhile. Called with the lock held."""
        if not self._renewable:
            raise CredentialsError(
                "the MFA session has expired, and a new one needs a new MFA code",
                hint="run the same command again: it resumes; a source without MFA can be renewed automatically",
                id="S3H-STS-08",
            )
        attempt, waited = 0, 0.0
        while True:
            attempt += 1
            try:
                session = await self._assume()
            except S3HaulError as error:
                delay = self._backoff(attempt)
                if waited + delay >= self._timeout:
                    raise self._given_up(error) from error
                if attempt == 1:
                    self._warn("the role's session has ended: requests wait for a new one", error.id)
                self._failed(error, delay)
                await self._sleep(delay)
                waited += delay
            else:
                self._adopt(session)
                return

    def _given_up(self, error: S3HaulError) -> S3HaulError:
        """An error of the same class and id, which also says how long was tried, and that a new run resumes."""
        hint = f"{error.hint}; " if error.hint else ""
        return type(error)(
            f"{error.message}; the session was not renewed within {self._timeout:.0f} s",
            hint=f"{hint}the same command resumes",
            said=error.said,
            seen=error.seen,
            id=error.id,
        )

    def _backoff(self, attempt: int) -> float:
        return equal_jitter_backoff(attempt, LONGEST_RETRY, self._jitter())

    def _expired(self) -> bool:
        return self._clock() >= self.session.expires_at

    def _adopt(self, session: RoleSession) -> None:
        first = self._session is None
        self._session = session
        self._renew_at = self._renewal_time(session)
        self._on_event(CredentialsRenewed(session.expires_at, self._renew_at, first))

    def _failed(self, error: S3HaulError, delay: float) -> None:
        quoted = error.said or error.seen
        cause = f" ({quoted})" if quoted else ""
        again = f"next attempt in {delay:.0f} s"
        self._warn(f"the role's session could not be renewed: {error.message}{cause}; {again}", error.id)

    def _warn(self, message: str, id_: str) -> None:
        self._on_event(Warned(message, id_))
