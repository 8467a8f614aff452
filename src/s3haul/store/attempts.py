"""The attempts at one request: what a failure means for the next attempt and for other requests.

It sends nothing itself, except that `failed` may have another object tried, to tell a failure of this one from an outage.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from s3haul.core.retry import Action, Move, RetryLimits, RetryState, decide, of_kms
from s3haul.errors import Fault, FaultKind
from s3haul.events import Emit, Retrying
from s3haul.store.limiter import ConcurrencyLimiter, KmsThrottling
from s3haul.store.protocol import Refusal

LONGEST_PAGE_DELAY = 2.0  # seconds; the listing waits for this one page
_DOUBTFUL = 3  # attempts, after which we check whether an object that was readable still is
_INTEGRITY = frozenset({FaultKind.PROTOCOL, FaultKind.CHECKSUM})
_PASSING = frozenset({"network", "stalled", "server-error", "throttled"})


class RenewableCredentials(Protocol):
    """Credentials that can be replaced when S3 refuses them."""

    @property
    def access_key_id(self) -> str:
        """Identifies the session in use, so that an expired one is renewed once and not once per worker."""
        ...

    @property
    def trusted(self) -> bool:
        """Whether they are known to be good, so that a refusal is waited out even before any request succeeded."""
        ...

    async def renew(self, stale_access_key: str, *, in_vain: bool = False) -> None:
        """Return when credentials other than `stale_access_key` are in use. `in_vain` says that no request has
        succeeded since the last renewal."""
        ...


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """Settings and limiters that all requests share. `url` is for messages. Tests replace clock, sleep and jitter."""

    url: str
    limits: RetryLimits
    limiter: ConcurrencyLimiter
    kms_throttling: KmsThrottling
    credentials: RenewableCredentials | None
    emit: Emit
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic


class Attempts:
    """One request of a key ("" for the listing). `state` counts the attempt under way.

    `refused` is a first attempt that was made elsewhere, and reported by `RetryingStore.throttled` if it was throttled.
    """

    def __init__(
        self,
        settings: RetrySettings,
        key: str,
        try_readable_object: Callable[[str], Awaitable[None]],
        refused: Refusal | None = None,
    ) -> None:
        self.state = RetryState(attempt=1)
        self._settings, self._key = settings, key
        self._try_readable_object = try_readable_object
        self._health = settings.limiter.health
        self._served = self._health.served
        self._since: float | None = None
        self._refused = refused
        self._sent = settings.clock() if refused is None else refused.sent  # when the attempt under way was
        self._outage = False  # when the last attempt failed
        self._held_by_kms = False

    @property
    def count(self) -> int:
        """How many attempts there were, with the one under way."""
        return self.state.attempt

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold the places of one attempt; report its success to the limiters."""
        async with AsyncExitStack() as stack:
            for limiter in self._limiters():
                await limiter.acquire()
                stack.callback(limiter.release)
            self._sent = self._settings.clock()
            yield
        for limiter in self._limiters():
            (limiter.succeeded if self._key else limiter.listed)()

    def _limiters(self) -> tuple[ConcurrencyLimiter, ...]:
        settings = self._settings
        return (
            (settings.kms_throttling.limiter, settings.limiter) if self._held_by_kms else (settings.limiter,)
        )

    def end(self) -> None:
        """There will be no further attempt."""
        if self._held_by_kms:
            self._settings.kms_throttling.leave()

    async def failed(self, fault: Fault) -> Action:
        """Report a failed attempt to the limiters, and decide what to do next."""
        settings, state = self._settings, self.state
        self.state = state._replace(
            integrity_failures=state.integrity_failures + (fault.kind in _INTEGRITY),
            quiet=self._seconds_without_success(),
            trusted=bool(self._key and self._health.accepted),
        )
        action = decide(fault, self.state, settings.limits, settings.jitter())
        if action.move is Move.WAIT and self._key and of_kms(fault) and not self._held_by_kms:
            self._held_by_kms = settings.kms_throttling.enter(self._key)
        limiter = settings.kms_throttling.limiter if self._held_by_kms and of_kms(fault) else settings.limiter
        reported = self._refused is not None and fault is self._refused.fault and not of_kms(fault)
        if action.move is Move.WAIT and not reported:
            limiter.throttled(fault.retry_after, sent=self._sent)
        if self._key and action.reason in _PASSING:
            limiter.failed(throttled=action.move is Move.WAIT)
            self._outage = limiter.health.outage
            if action.move is Move.RETRY:
                await self._compare_with_others()
        return action

    async def _compare_with_others(self) -> None:
        """Count the failure against this object if other requests have succeeded since its last failure."""
        if self.state.attempt >= _DOUBTFUL and self._health.served == self._served:
            await self._try_readable_object(self._key)
        strikes = self.state.strikes + (self._health.served != self._served)
        self.state, self._served = self.state._replace(strikes=strikes), self._health.served

    @property
    def waited(self) -> float:
        """For how many seconds nothing succeeded, if that is what ends the run; else 0."""
        return self.state.quiet if self.state.quiet >= self._settings.limits.budget else 0.0

    async def wait(self, action: Action, fault: Fault) -> None:
        """Wait before the next attempt. During an outage the limiter sets the pace instead."""
        settings, state = self._settings, self.state
        everyone = (action.move is Move.WAIT and not self._held_by_kms) or self._outage
        delay = action.delay if self._key else min(action.delay, LONGEST_PAGE_DELAY)
        if self._outage:
            delay = 0.0
        settings.emit(Retrying(self._key, action.reason, fault.message, state.attempt, delay, everyone))
        if delay:
            await settings.sleep(delay)
        self.state = state._replace(
            attempt=state.attempt + 1, spent=state.spent + delay, looks=state.looks + self._outage
        )

    def renewed(self) -> None:
        """The next attempt uses new credentials."""
        state = self.state
        self.state = state._replace(attempt=state.attempt + 1, renewals=state.renewals + 1)

    def _seconds_without_success(self) -> float:
        """A page has a clock of its own, since objects that can be read say nothing about the listing."""
        now = self._settings.clock()
        if self._key:
            return self._health.seconds(now)
        self._since = now if self._since is None else self._since
        return now - self._since
