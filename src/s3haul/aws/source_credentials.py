"""Credentials that no role stands before: whose source is asked anew when S3 refuses them.

A source that has newer ones (a login in another terminal, a helper, an instance) is gone on with. Where it has the same
ones still, requests wait for a bounded time, since what S3 took a moment ago it may take again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from s3haul.errors import CredentialsError
from s3haul.events import Emit, Warned
from s3haul.s3.endpoint import Credentials, FetchCredentials

FIRST_DELAY = 2.0  # seconds
LONGEST_DELAY = 15.0
ROW = "S3H-STS-02"


class SourceCredentials:
    """As `engine.context.RoleCredentials`. Call `start` once; `load` gives a function for the source's keys of now."""

    trusted = False  # they may be mistyped, or of last week

    def __init__(
        self,
        load: Callable[[], Awaitable[FetchCredentials]],
        *,
        on_event: Emit,
        hold: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._load, self._on_event, self._hold, self._sleep, self._jitter = (
            load,
            on_event,
            hold,
            sleep,
            jitter,
        )
        self._lock = asyncio.Lock()
        self._fetch: FetchCredentials | None = None
        self._keys = Credentials("", "")
        self._waited = 0.0
        self._attempt = 0

    @property
    def access_key_id(self) -> str:
        """Names the keys in use."""
        return self._keys.access_key

    async def start(self) -> None:
        """The first keys. Raises `CredentialsError`."""
        self._fetch = await self._load()
        self._keys = await self._fetch()

    async def current(self) -> Credentials:
        """The keys to sign with now; botocore refreshes those that it can refresh."""
        assert self._fetch is not None, "start() comes first"
        self._keys = await self._fetch()
        return self._keys

    async def renew(self, stale_access_key: str, *, in_vain: bool = False) -> None:
        """Other keys than these are in place, or it is time to try them again. `in_vain` says that nothing was
        served since the last time. Raises `CredentialsError` once the bounded time is over."""
        async with self._lock:
            if self.access_key_id != stale_access_key:
                return
            if not in_vain:
                self._waited, self._attempt = 0.0, 0
            await self.start()
            if self.access_key_id != stale_access_key:
                return
            if self._waited >= self._hold:
                raise CredentialsError(
                    f"S3 went on refusing the credentials for {self._waited:.0f} s, and their source has no others",
                    hint="log in again, or renew the keys; the same command resumes",
                    id=ROW,
                )
            await self._wait()

    async def _wait(self) -> None:
        bound = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._attempt, 10))
        delay = bound * (0.5 + 0.5 * self._jitter())
        if not self._attempt:
            message = (
                "S3 refuses the credentials: requests wait, and their source is asked for others now and then"
            )
            self._on_event(Warned(message, ROW))
        self._attempt += 1
        self._waited += delay
        await self._sleep(delay)

    async def run(self) -> None:
        """Nothing needs to be renewed ahead: whoever fetches the keys does that."""
        await asyncio.get_running_loop().create_future()
