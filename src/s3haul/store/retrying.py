"""A store that limits and retries every request, and renews credentials when S3 refuses them.

The engine has no other access to S3. `core.retry` decides what to do about a failure; here it is done: wait,
slow everybody down, renew the credentials, or give up with a reason. Only the thread for small objects makes
first attempts of its own, within the same limits; what fails there is retried here.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from s3haul.core.retry import Action, Move, RetryLimits, RetryState, decide, is_from_kms
from s3haul.core.verification import PartsNeededError
from s3haul.diagnose.reasons import listing_of, reading_of, run_error, versions_of
from s3haul.errors import Fault, FaultKind, S3HaulError, StoreError
from s3haul.events import Emit, Retrying
from s3haul.models import ListPage, ObjectMeta, PartLayout, VersionPage
from s3haul.store.limiter import ConcurrencyLimiter, KmsThrottling
from s3haul.store.protocol import (
    Consume,
    FailedAttempt,
    GetRequest,
    HeadRequest,
    ObjectStore,
    RenewableCredentials,
    SmallObjects,
    SmallObjectWork,
)

T = TypeVar("T")
LONGEST_PAGE_DELAY = 2.0  # seconds; the listing waits for this one page
_DOUBTFUL = 3  # attempts, after which another object is read to tell a failure of this one from an outage
_INTEGRITY = frozenset({FaultKind.PROTOCOL, FaultKind.CHECKSUM})
_PASSING = frozenset({"network", "stalled", "server-error", "throttled"})
# Refusals of a HEAD, whose response has no body that would name the reason.
_UNEXPLAINED = frozenset({400, 403})
_BRIEFLY = 10.0  # seconds of waiting, in all
_EMPTY_OBJECT = 416  # the status of a GET of the first byte of an empty object


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """Settings and limiters that all requests share. `url` is for messages.
    Tests replace clock, sleep and jitter."""

    url: str
    limits: RetryLimits
    limiter: ConcurrencyLimiter
    kms_throttling: KmsThrottling
    credentials: RenewableCredentials | None
    emit: Emit
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic


async def retry_briefly(
    once: Callable[[], Awaitable[T]], attempts: int, failed: Callable[[Fault], None] = lambda _fault: None
) -> T:
    """The result of `once`, which sends one request before a run, when there is no limiter yet. `failed` is
    called before each further attempt. Raises the last `StoreError`."""
    state = RetryState(attempt=1)
    while True:
        try:
            return await once()
        except StoreError as error:
            fault = error.fault
            invalid = state.integrity_failures + (fault.kind in _INTEGRITY)
            state = state._replace(integrity_failures=invalid)
            action = decide(fault, state, RetryLimits(attempts, _BRIEFLY), random.random())  # noqa: S311 - spreads retries
            if action.move not in {Move.RETRY, Move.WAIT}:
                raise
        failed(fault)
        await asyncio.sleep(action.delay)
        state = state._replace(attempt=state.attempt + 1, spent=state.spent + action.delay)


class GaveUpError(Exception):
    """No further attempt makes sense; `action` says skip, fail or HEAD again, and why."""

    def __init__(self, action: Action, fault: Fault, attempts: int) -> None:
        super().__init__(f"{action.reason}: {fault.message}")
        self.action = action
        self.fault = fault
        self.attempts = attempts


class RetryingStore:
    """The requests of an `ObjectStore`, repeated while that makes sense. Not an `ObjectStore`: `load` returns
    a number of attempts, and a method raises `GaveUpError`, or the `S3HaulError` that ends the run."""

    def __init__(self, store: ObjectStore, settings: RetrySettings) -> None:
        self._store = store
        self._settings = settings
        self.listing = listing_of(settings.url)
        self.reading = reading_of(settings.url)

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        """One page of the listing. Raises only what ends the run:
        no listing can do without one of its pages."""
        try:
            page, _ = await self._retry(
                "", lambda: self._store.list_page(prefix, token=token, start_after=start_after)
            )
        except GaveUpError as gave_up:
            raise run_error(gave_up.fault, self.listing) from None
        return page

    async def list_versions(
        self, prefix: str, *, marker: tuple[str, str | None] | None = None
    ) -> VersionPage:
        """One page of the listing of all versions. Raises only what ends the run."""
        try:
            page, _ = await self._retry("", lambda: self._store.list_versions(prefix, marker=marker))
        except GaveUpError as gave_up:
            raise run_error(gave_up.fault, versions_of(self._settings.url)) from None
        return page

    async def load(
        self,
        request: GetRequest,
        consume: Consume,
        *,
        complete: Callable[[], None] = lambda: None,
        progressed: Callable[[], bool] = lambda: False,
        failed_attempt: FailedAttempt | None = None,
        failed: int = 0,
    ) -> int:
        """Read a body; returns how many attempts it took, with those that had `failed` before.

        Each attempt calls `consume` anew, in a thread, and `complete` once the body has ended. A `StoreError`
        that they raise fails the attempt; any other exception passes through. Where a body fails and
        `progressed` says that some of it need not be requested again, that is no failure: the caller requests
        the rest. `failed_attempt` is a first attempt that was made elsewhere.
        """

        async def attempt() -> None:
            try:
                await self._store.load(request, consume)
                complete()
            except StoreError as error:
                if not progressed():
                    raise
                reason = decide(error.fault, RetryState(1), self._settings.limits, 0.0).reason
                self._settings.emit(Retrying(request.key, reason, error.fault.message, 1, 0.0))

        _, attempts = await self._retry(request.key, attempt, failed_attempt, failed)
        return attempts

    async def head(
        self, request: HeadRequest, *, validate: Callable[[ObjectMeta], None] = lambda _meta: None
    ) -> ObjectMeta:
        """The headers of an object or of a part of it.
        `validate` may raise `StoreError` to fail an attempt."""

        async def attempt() -> ObjectMeta:
            try:
                meta = await self._store.head(request)
            except StoreError as error:
                if error.fault.status not in _UNEXPLAINED:
                    raise
                # Raises the reason, if there still is one.
                await self._read_byte(request.key, request.version_id)
                meta = await self._store.head(request)
            validate(meta)
            return meta

        meta, _ = await self._retry(request.key, attempt)
        return meta

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        """The stored parts, or None where S3 keeps none or the right is missing."""
        layout, _ = await self._retry(key, lambda: self._store.part_layout(key, version_id=version_id))
        return layout

    async def read_byte(self, key: str) -> None:
        """Return if the object can be read; its content is ignored."""
        await self._retry(key, lambda: self._read_byte(key))

    def throttled(self, failed_attempt: FailedAttempt) -> None:
        """A first attempt that was made elsewhere was throttled just now, and `load` will retry it, perhaps
        much later: report it to the limiter at once. KMS has limits of its own, to which `load` reports."""
        if not is_from_kms(failed_attempt.fault):
            self._settings.limiter.throttled(failed_attempt.fault.retry_after, sent=failed_attempt.sent)

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        """The thread for small objects. It does not retry: its work hands back what fails."""
        return self._store.small_objects(work)

    async def _read_byte(self, key: str, version_id: str | None = None) -> None:
        request = GetRequest(key, version_id=version_id, byte_range=(0, 0))
        try:
            await self._store.load(request, lambda _meta: lambda _chunk: None)
        except StoreError as error:
            if error.fault.status != _EMPTY_OBJECT:
                raise

    async def _retry(
        self,
        key: str,
        once: Callable[[], Awaitable[T]],
        failed_attempt: FailedAttempt | None = None,
        failed: int = 0,
    ) -> tuple[T, int]:
        """The result of `once` and how many attempts it took, `failed_attempt` and those that had `failed`
        before included. `key` is "" for the listing."""
        attempts = _Attempts(self, self._settings, key, failed_attempt, failed)
        try:
            return await attempts.run(once), attempts.count
        except PartsNeededError as needed:
            needed.failed = attempts.count - 1
            raise

    async def read_other_object(self, key: str) -> None:
        """Nothing succeeded since the last failure of `key`:
        read a byte of an object that could be read before.

        If only one object is left, this tells a failure of that object from an outage.
        """
        limiter = self._settings.limiter
        good = limiter.health.good
        if good in {"", key}:
            return
        await limiter.acquire()
        try:
            await self._read_byte(good)
        except StoreError:
            limiter.failed()
        else:
            limiter.succeeded()
        finally:
            limiter.release()


class _Attempts:
    """One request of a key ("" for the listing), repeated until it succeeds or there is no point in it.

    `failed_attempt` is a first attempt that was made elsewhere; if it was throttled,
    `RetryingStore.throttled` has reported it.
    """

    def __init__(
        self,
        store: RetryingStore,
        settings: RetrySettings,
        key: str,
        failed_attempt: FailedAttempt | None,
        failed: int,
    ) -> None:
        self._store, self._settings, self._key, self._failed_attempt = store, settings, key, failed_attempt
        self._state = RetryState(attempt=failed + 1)
        self._health = settings.limiter.health
        self._served = self._health.served
        self._since: float | None = None
        self._outage = False  # when the last attempt failed
        self._kms_throttled = False
        # Of the attempt under way: when it was sent, and what signed it.
        self._sent, self._signing_key = settings.clock(), ""
        if failed_attempt is not None:
            self._sent, self._signing_key = failed_attempt.sent, failed_attempt.access_key

    @property
    def count(self) -> int:
        """How many attempts there were, with the one under way."""
        return self._state.attempt

    async def run(self, once: Callable[[], Awaitable[T]]) -> T:
        """The result of `once`. Raises `GaveUpError`, or the `S3HaulError` that ends the run."""
        fault = None if self._failed_attempt is None else self._failed_attempt.fault
        try:
            while True:
                if fault is None:
                    try:
                        return await self._send(once)
                    except StoreError as error:
                        fault = error.fault
                await self._recover(fault)
                fault = None
        finally:
            if self._kms_throttled:
                self._settings.kms_throttling.leave()

    async def _send(self, once: Callable[[], Awaitable[T]]) -> T:
        """One attempt, which holds a place of each limiter. Reports its success to them."""
        settings, acquired = self._settings, list[ConcurrencyLimiter]()
        try:
            if self._kms_throttled:
                await settings.kms_throttling.limiter.acquire()
                acquired.append(settings.kms_throttling.limiter)
            await settings.limiter.acquire()
            acquired.append(settings.limiter)
            self._sent = settings.clock()
            self._signing_key = settings.credentials.access_key_id if settings.credentials else ""
            result = await once()
        finally:
            for limiter in reversed(acquired):
                limiter.release()
        for limiter in acquired:
            (limiter.succeeded if self._key else limiter.listed)()
        return result

    async def _recover(self, fault: Fault) -> None:
        """Return when the next attempt may be made. Raises as `run`."""
        settings = self._settings
        action = await self._decide(fault)
        match action.move:
            case Move.RETRY | Move.WAIT:
                await self._wait(action, fault)
            case Move.RENEW if settings.credentials and (
                self._health.accepted or settings.credentials.trusted
            ):
                settings.emit(Retrying(self._key, action.reason, fault.message, self.count, 0.0))
                await self._renew(settings.credentials, fault)
            case Move.RENEW | Move.ABORT:
                purpose = self._store.reading if self._key else self._store.listing
                waited = self._state.without_success
                ends_run = waited >= settings.limits.timeout
                raise run_error(fault, purpose, waited=waited if ends_run else 0.0) from None
            case Move.HEAD_AGAIN | Move.SKIP | Move.FAIL:
                raise GaveUpError(action, fault, self.count)

    async def _decide(self, fault: Fault) -> Action:
        """What to do about a failed attempt. Reports it to the limiters."""
        settings, state, from_kms = self._settings, self._state, is_from_kms(fault)
        self._state = state._replace(
            integrity_failures=state.integrity_failures + (fault.kind in _INTEGRITY),
            without_success=self._seconds_without_success(),
            trusted=bool(self._key and self._health.accepted),
        )
        action = decide(fault, self._state, settings.limits, settings.jitter())
        throttled = action.move is Move.WAIT
        if throttled and self._key and from_kms and not self._kms_throttled:
            self._kms_throttled = settings.kms_throttling.enter(self._key)
        limiter = settings.kms_throttling.limiter if self._kms_throttled and from_kms else settings.limiter
        reported = self._failed_attempt is not None and fault is self._failed_attempt.fault and not from_kms
        if throttled and not reported:
            limiter.throttled(fault.retry_after, sent=self._sent)
        if self._key and action.reason in _PASSING:
            limiter.failed(throttled=throttled)
            self._outage = limiter.health.outage
            if action.move is Move.RETRY:
                await self._compare_with_others()
        return action

    async def _compare_with_others(self) -> None:
        """Count the failure against this object if other requests have succeeded since its last failure."""
        if self.count >= _DOUBTFUL and self._health.served == self._served:
            await self._store.read_other_object(self._key)
        strikes = self._state.strikes + (self._health.served != self._served)
        self._state, self._served = self._state._replace(strikes=strikes), self._health.served

    def _seconds_without_success(self) -> float:
        """A page has a clock of its own, since objects that can be read say nothing about the listing."""
        now = self._settings.clock()
        if self._key:
            return self._health.seconds_without_success(now)
        self._since = now if self._since is None else self._since
        return now - self._since

    async def _wait(self, action: Action, fault: Fault) -> None:
        """Wait before the next attempt. During an outage the limiter sets the pace instead."""
        settings, state = self._settings, self._state
        everyone = (action.move is Move.WAIT and not self._kms_throttled) or self._outage
        delay = action.delay if self._key else min(action.delay, LONGEST_PAGE_DELAY)
        if self._outage:
            delay = 0.0
        settings.emit(Retrying(self._key, action.reason, fault.message, state.attempt, delay, everyone))
        if delay:
            await settings.sleep(delay)
        self._state = state._replace(
            attempt=state.attempt + 1,
            spent=state.spent + delay,
            outage_attempts=state.outage_attempts + self._outage,
        )

    async def _renew(self, credentials: RenewableCredentials, fault: Fault) -> None:
        """The next attempt uses new credentials. Raises `S3HaulError` where there are none."""
        never_worked = self._health.renewed == self._health.accepted
        self._health.renewed = self._health.accepted
        try:
            await credentials.renew(self._signing_key, never_worked=never_worked)
        except S3HaulError as error:
            error.said = error.said or f"{fault.code}: {fault.message}"
            raise
        state = self._state
        self._state = state._replace(attempt=state.attempt + 1, renewals=state.renewals + 1)
