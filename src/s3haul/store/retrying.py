"""A store whose every request is limited, retried and signed with credentials that are renewed.

The one owner of retries, for listing pages and objects alike. What to do about a failure is decided in `core.retry`;
here it is done: wait, slow everybody down, renew the credentials, or give up with the reason. The engine has no other
way to S3, so no request can be made without it.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from s3haul.core.retry import Action, Move, RetryLimits, RetryState, decide, of_kms
from s3haul.diagnose.run_errors import listing_of, reading_of, run_error
from s3haul.errors import Fault, FaultKind, S3HaulError, StoreError
from s3haul.events import Emit, Retrying
from s3haul.models import ListPage, ObjectMeta, PartLayout
from s3haul.store.kms_throttling import KmsThrottling
from s3haul.store.limiter import ConcurrencyLimiter
from s3haul.store.protocol import Consume, GetRequest, ObjectStore, SmallObjects, SmallObjectWork

T = TypeVar("T")
LONGEST_PAGE_DELAY = 2.0  # seconds; a page is asked for by nobody else
_DOUBTFUL = 3  # attempts, after which an object that nobody succeeds beside is compared with a good one
_INTEGRITY = frozenset({FaultKind.PROTOCOL, FaultKind.CHECKSUM})
_PASSING = frozenset({"network", "stalled", "server-error", "throttled"})
_UNEXPLAINED = frozenset({400, 403})  # refusals of a HEAD, whose response has no body that names the reason
_EMPTY_OBJECT = 416  # the status of a GET of the first byte of an object that has none


class RenewableCredentials(Protocol):
    """Credentials that can be replaced when S3 refuses them."""

    @property
    def access_key_id(self) -> str:
        """Names the session in use, so that a stale one is renewed once and not once per worker."""
        ...

    async def renew(self, stale_access_key: str, *, in_vain: bool = False) -> None:
        """Have the credentials that replace `stale_access_key` in place when this returns. `in_vain` says that
        nothing was served since the last renewal."""
        ...


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """What retries go by. `url` is for messages. Clock, sleep and jitter are here so that tests need not wait."""

    url: str
    limits: RetryLimits
    limiter: ConcurrencyLimiter
    kms_throttling: KmsThrottling
    credentials: RenewableCredentials | None
    emit: Emit
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic


class GaveUpError(Exception):
    """No further attempt makes sense; `action` says skip, fail or refresh, and why."""

    def __init__(self, action: Action, fault: Fault, attempts: int) -> None:
        super().__init__(f"{action.reason}: {fault.message}")
        self.action = action
        self.fault = fault
        self.attempts = attempts


class RetryingStore:
    """As `ObjectStore`. Every method raises `GaveUpError`, or the `S3HaulError` that ends the run."""

    def __init__(self, store: ObjectStore, settings: RetrySettings) -> None:
        self._store = store
        self._settings = settings
        self.listing = listing_of(settings.url)
        self.reading = reading_of(settings.url)

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        """One page of the listing."""
        page, _ = await self._retry(
            "", lambda: self._store.list_page(prefix, token=token, start_after=start_after)
        )
        return page

    async def load(
        self,
        request: GetRequest,
        consume: Consume,
        *,
        complete: Callable[[], None] = lambda: None,
        progressed: Callable[[], bool] = lambda: False,
    ) -> int:
        """Read a body; returns how many attempts it took.

        Each attempt calls `consume` anew, in a thread, and `complete` once the body has ended. A `StoreError` that
        they raise fails the attempt; any other exception passes through. Where a body fails and `progressed` says
        that some of it need not be asked for again, that is no failure: the caller asks for the rest.
        """

        async def attempt() -> None:
            try:
                await self._store.load(request, consume)
                complete()
            except StoreError as error:
                if not progressed():
                    raise
                self._settings.emit(Retrying(request.key, "network", error.fault.message, 1, 0.0))

        _, attempts = await self._retry(request.key, attempt)
        return attempts

    async def head(
        self,
        key: str,
        *,
        checksums: bool = False,
        part_number: int | None = None,
        validate: Callable[[ObjectMeta], None] = lambda _meta: None,
    ) -> ObjectMeta:
        """The headers of an object or of a part of it. `validate` may raise `StoreError` to fail an attempt."""

        async def attempt() -> ObjectMeta:
            head = partial(self._store.head, key, checksums=checksums, part_number=part_number)
            try:
                meta = await head()
            except StoreError as error:
                if error.fault.status not in _UNEXPLAINED:
                    raise
                await self._read_byte(key)  # raises what the reason is, if there still is one
                meta = await head()
            validate(meta)
            return meta

        meta, _ = await self._retry(key, attempt)
        return meta

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        """The stored parts, or None where S3 keeps none or the right is missing."""
        layout, _ = await self._retry(key, lambda: self._store.part_layout(key, version_id=version_id))
        return layout

    async def read_byte(self, key: str) -> None:
        """Return if the object can be read."""
        await self._retry(key, lambda: self._read_byte(key))

    def small_objects(self, work: SmallObjectWork) -> SmallObjects | None:
        """The thread for small objects. It repeats nothing, and hands back whatever fails."""
        return self._store.small_objects(work)

    async def _read_byte(self, key: str) -> None:
        try:
            await self._store.load(GetRequest(key, byte_range=(0, 0)), lambda _meta: lambda _chunk: None)
        except StoreError as error:
            if error.fault.status != _EMPTY_OBJECT:
                raise

    async def _retry(self, key: str, once: Callable[[], Awaitable[T]]) -> tuple[T, int]:
        """The result of `once` and how many attempts it took. `key` is "" for the listing."""
        request = _Request(self, self._settings, key)
        credentials = self._settings.credentials
        try:
            while True:
                signing_key = credentials.access_key_id if credentials else ""
                try:
                    async with request.turn():
                        return await once(), request.state.attempt
                except StoreError as error:
                    fault = error.fault
                action = await request.failed(fault)
                match action.move:
                    case Move.RETRY | Move.WAIT:
                        await request.wait(action, fault)
                    case Move.RENEW if credentials:
                        self._settings.emit(
                            Retrying(key, action.reason, fault.message, request.state.attempt, 0.0)
                        )
                        await self._renew(credentials, signing_key, fault)
                        request.renewed()
                    case Move.RENEW | Move.ABORT:
                        purpose = self.reading if key else self.listing
                        raise run_error(fault, purpose, waited=request.waited) from None
                    case Move.REFRESH | Move.SKIP | Move.FAIL:
                        raise GaveUpError(action, fault, request.state.attempt)
        finally:
            request.end()

    async def _renew(self, credentials: RenewableCredentials, signing_key: str, fault: Fault) -> None:
        health = self._settings.limiter.health
        in_vain = health.renewed == health.accepted
        health.renewed = health.accepted
        try:
            await credentials.renew(signing_key, in_vain=in_vain)
        except S3HaulError as error:
            error.said = error.said or f"{fault.code}: {fault.message}"
            raise

    async def try_readable_object(self, key: str) -> None:
        """Nothing was served since the last failure of `key`: can an object still be read that could be read before?

        Where only one object is left, this tells whether its trouble concerns others.
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


class _Request:
    """The attempts at one request; `state` counts the one under way."""

    def __init__(self, store: RetryingStore, settings: RetrySettings, key: str) -> None:
        self.state = RetryState(attempt=1)
        self._store, self._settings, self._key = store, settings, key
        self._health = settings.limiter.health
        self._served = self._health.served
        self._since: float | None = None
        self._outage = False  # when the last attempt failed
        self._held_by_kms = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For the length of one attempt; if it succeeds, the limiters learn it."""
        async with AsyncExitStack() as stack:
            for limiter in self._limiters():
                await limiter.acquire()
                stack.callback(limiter.release)
            yield
        for limiter in self._limiters():
            (limiter.succeeded if self._key else limiter.listed)()

    def _limiters(self) -> tuple[ConcurrencyLimiter, ...]:
        settings = self._settings
        return (
            (settings.kms_throttling.limiter, settings.limiter) if self._held_by_kms else (settings.limiter,)
        )

    def end(self) -> None:
        """No further attempt will come."""
        if self._held_by_kms:
            self._settings.kms_throttling.leave()

    async def failed(self, fault: Fault) -> Action:
        """What to do about a failed attempt."""
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
        if action.move is Move.WAIT:
            limiter.throttled(fault.retry_after)
        if self._key and action.reason in _PASSING:
            limiter.failed()
            self._outage = limiter.health.outage
            if action.move is Move.RETRY:
                await self._compare_with_others()
        return action

    async def _compare_with_others(self) -> None:
        """A failure counts against the object itself where others were served since its last one."""
        if self.state.attempt >= _DOUBTFUL and self._health.served == self._served:
            await self._store.try_readable_object(self._key)
        strikes = self.state.strikes + (self._health.served != self._served)
        self.state, self._served = self.state._replace(strikes=strikes), self._health.served

    @property
    def waited(self) -> float:
        """For how long nothing was served, where that is what ends the run."""
        return self.state.quiet if self.state.quiet >= self._settings.limits.budget else 0.0

    async def wait(self, action: Action, fault: Fault) -> None:
        """Until it is time to ask again: during an outage, whenever the limiter lets us."""
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
        """The next attempt has new credentials."""
        state = self.state
        self.state = state._replace(attempt=state.attempt + 1, renewals=state.renewals + 1)

    def _seconds_without_success(self) -> float:
        """A page has a clock of its own: objects that are served tell nothing of the listing."""
        now = self._settings.clock()
        if self._key:
            return self._health.seconds(now)
        self._since = now if self._since is None else self._since
        return now - self._since
