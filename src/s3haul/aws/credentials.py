"""The role's credentials, kept fresh for days: one owner, one refresher, one renewal at a time.

Sessions that STS gives and S3 refuses are replaced ever more slowly, since a new one may take a while to be known.

Requests take the current keys at once while these are valid. The refresher renews ahead of expiry; when
STS refuses, the old keys go on until they expire, then requests wait while it keeps trying for a bounded
time, and only then does the run end. botocore's own refresh logic never runs.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from s3haul.aws.renewal import advisory_window, mandatory_window
from s3haul.aws.sts import Assume, RoleSession
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import CredentialsError, S3HaulError
from s3haul.events import CredentialsRenewed, Emit, Warned
from s3haul.s3.credentials import Credentials

LONGEST_HOLD = 900.0
FIRST_RETRY = 2.0
UNKNOWN = "S3H-STS-14"
LONGEST_RETRY = 60.0

Sleep = Callable[[float], Awaitable[None]]


class RoleCredentials:
    """Call `start` once, then run `run` in a task group; `current` and `renew` may be called by any task.

    `clock` is epoch seconds. `renewable` is false where every session needs an MFA code.
    """

    trusted = True  # STS has just given them

    def __init__(
        self,
        assume: Assume,
        *,
        on_event: Emit,
        renewable: bool = True,
        hold: float = LONGEST_HOLD,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._assume = assume
        self._on_event = on_event
        self._renewable = renewable
        self._hold = hold
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._lock = asyncio.Lock()
        self._session: RoleSession | None = None
        self._renew_at = 0.0
        self._fatal: S3HaulError | None = None
        self._in_vain = 0  # renewals in a row that helped nobody
        self._waited = 0.0  # seconds, for these

    def __repr__(self) -> str:
        return f"RoleCredentials(arn={self.session.arn if self._session else None!r})"

    @property
    def session(self) -> RoleSession:
        """The current session. `start` must have been called."""
        assert self._session is not None, "start() comes first"
        return self._session

    @property
    def access_key_id(self) -> str:
        """Names the keys in use: what `renew` takes when they are refused."""
        return self.session.keys.access_key

    async def start(self) -> RoleSession:
        """The first AssumeRole; a failure is raised at once, since nothing is worth waiting for yet."""
        session = await self._assume()
        self._adopt(session)
        if not self._renewable:
            message = "an MFA session cannot be renewed: the run ends when it expires, and can be resumed"
            self._warn(message, "S3H-STS-08")
        return session

    async def current(self) -> Credentials:
        """Keys that are valid now. Raises `S3HaulError` once renewal has failed for good."""
        if self._expired():
            await self.renew(self.access_key_id)
        return self.session.keys

    async def renew(self, stale_access_key: str, *, in_vain: bool = False) -> None:
        """Replaces the session that has this key; callers that report the same key share one renewal. `in_vain`
        says that nothing was served with it: then requests wait for a while, since S3 may not know it yet.

        Waits and retries for the bounded time. Raises `S3HaulError` once that has failed.
        """
        async with self._lock:
            if self.access_key_id != stale_access_key and not self._expired():
                return
            if self._fatal is not None:
                raise self._fatal
            if not in_vain:
                self._in_vain, self._waited = 0, 0.0
            try:
                if self._waited >= self._hold:
                    raise self._refused_for_good()
                await self._replace()
            except S3HaulError as error:
                self._fatal = error
                raise
            if in_vain:
                await self._let_it_spread()

    async def _let_it_spread(self) -> None:
        self._in_vain += 1
        delay = min(self._backoff(self._in_vain), LONGEST_RETRY / 4)
        self._waited += delay
        if self._in_vain == 1:
            self._warn("S3 refuses sessions that STS has just given: requests wait between renewals", UNKNOWN)
        await self._sleep(delay)

    def _refused_for_good(self) -> S3HaulError:
        return CredentialsError(
            f"STS gives sessions of {self.session.arn}, and S3 refused each of them for {self._waited:.0f} s",
            hint=f"{DIAGNOSES[UNKNOWN].fix} The same command resumes.",
            id=UNKNOWN,
        )

    async def run(self) -> None:
        """The refresher: renews ahead of expiry until cancelled. Raises `S3HaulError` when it cannot."""
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
        """Up to a quarter of the session (at most 15 minutes) before its end, spread a little."""
        window = advisory_window(session.duration) if self._renewable else 0.0
        return session.expires_at - window * (1.0 + 0.1 * self._jitter())

    async def _renew_ahead(self, session: RoleSession, attempt: int) -> None:
        """One attempt while the old keys are valid; a failure is an event and a pause."""
        try:
            async with self._lock:
                if self._session is session:
                    self._adopt(await self._assume())
        except S3HaulError as error:
            remaining = max(0.0, session.expires_at - self._clock())
            patience = LONGEST_RETRY if remaining > mandatory_window(session.duration) else LONGEST_RETRY / 4
            delay = min(self._backoff(attempt), patience, remaining)
            self._failed(error, delay)
            await self._sleep(delay)

    async def _replace(self) -> None:
        """A new session while no valid one exists: requests wait meanwhile. Called under the lock."""
        if not self._renewable:
            raise CredentialsError(
                "the MFA session has expired, and only a new code can renew it",
                hint="run the same command again, it resumes; a source without MFA lasts longer",
                id="S3H-STS-08",
            )
        attempt, waited = 0, 0.0
        while True:
            attempt += 1
            try:
                session = await self._assume()
            except S3HaulError as error:
                delay = self._backoff(attempt)
                if waited + delay >= self._hold:
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
        """The same kind of error with the same id, saying what was tried and how to go on."""
        hint = f"{error.hint}; " if error.hint else ""
        return type(error)(
            f"{error.message}; the session was not renewed within {self._hold:.0f} s",
            hint=f"{hint}the same command resumes",
            said=error.said,
            seen=error.seen,
            id=error.id,
        )

    def _backoff(self, attempt: int) -> float:
        """Half fixed, half random, and doubling: it never hammers a service that is down."""
        bound = min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(attempt - 1, 10))
        return bound * (0.5 + 0.5 * self._jitter())

    def _expired(self) -> bool:
        return self._clock() >= self.session.expires_at

    def _adopt(self, session: RoleSession) -> None:
        self._session = session
        self._renew_at = self._renewal_time(session)
        self._on_event(CredentialsRenewed(session.expires_at, self._renew_at))

    def _failed(self, error: S3HaulError, delay: float) -> None:
        words = error.said or error.seen
        said = f" ({words})" if words else ""
        again = f"next attempt in {delay:.0f} s"
        self._warn(f"the role's session could not be renewed: {error.message}{said}; {again}", error.id)

    def _warn(self, message: str, id_: str) -> None:
        self._on_event(Warned(message, id_))
