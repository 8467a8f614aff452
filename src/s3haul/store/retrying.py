"""Make one request until it is answered or there is no sense in asking again.

The one owner of retries, for listing pages and objects alike. What to do is `core.retry`'s decision;
here it is done: wait, slow everybody down, renew the credentials, or give up with the reason.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from s3haul.core.retry import Action, Move, RetryState, decide, of_kms
from s3haul.diagnose.run_errors import Purpose, run_error
from s3haul.engine.context import Calls
from s3haul.errors import Fault, FaultKind, S3HaulError, StoreError
from s3haul.events import Retrying
from s3haul.store.limiter import ConcurrencyLimiter
from s3haul.store.protocol import GetRequest

T = TypeVar("T")
LONGEST_PAGE_DELAY = 2.0  # seconds; a page is asked for by nobody else
_DOUBTFUL = 3  # attempts, after which an object that nobody succeeds beside is compared with a good one
_INTEGRITY = frozenset({FaultKind.PROTOCOL, FaultKind.CHECKSUM})
_PASSING = frozenset({"network", "stalled", "server-error", "throttled"})


class GaveUpError(Exception):
    """No further try makes sense; `action` says skip, fail or refresh, and why."""

    def __init__(self, action: Action, fault: Fault, attempts: int) -> None:
        super().__init__(f"{action.reason}: {fault.message}")
        self.action = action
        self.fault = fault
        self.attempts = attempts


async def persist(ctx: Calls, key: str, what: Purpose, once: Callable[[], Awaitable[T]]) -> tuple[T, int]:
    """The result of `once` and how many attempts it took.

    `key` is for the events ("" for the listing), `what` for the error that ends the run.
    Raises `GaveUpError`, or the `S3HaulError` that ends the run.
    """
    trouble = _Trouble(ctx, key)
    try:
        while True:
            signing_key = ctx.credentials.access_key_id if ctx.credentials else ""
            try:
                async with trouble.turn():
                    return await once(), trouble.effort.attempt
            except StoreError as error:
                fault = error.fault
            action = await trouble.met(fault)
            attempt = trouble.effort.attempt
            match action.move:
                case Move.RETRY | Move.WAIT:
                    await trouble.wait(action, fault)
                case Move.RENEW if ctx.credentials and (
                    ctx.limiter.health.accepted or ctx.credentials.trusted
                ):
                    ctx.emit(Retrying(key, action.reason, fault.message, attempt, 0.0))
                    await _renew(ctx, signing_key, fault)
                    trouble.renewed()
                case Move.RENEW | Move.ABORT:
                    raise run_error(fault, what, waited=trouble.waited) from None
                case Move.REFRESH | Move.SKIP | Move.FAIL:
                    raise GaveUpError(action, fault, attempt)
    finally:
        trouble.end()


async def _renew(ctx: Calls, signing_key: str, fault: Fault) -> None:
    assert ctx.credentials is not None
    health = ctx.limiter.health
    in_vain = health.renewed == health.accepted
    health.renewed = health.accepted
    try:
        await ctx.credentials.renew(signing_key, in_vain=in_vain)
    except S3HaulError as error:
        error.said = error.said or f"{fault.code}: {fault.message}"
        raise


class _Trouble:
    """What one object or page has met; `effort` counts the attempt under way."""

    def __init__(self, ctx: Calls, key: str) -> None:
        self.effort = RetryState(attempt=1)
        self._ctx, self._key = ctx, key
        self._served = ctx.limiter.health.served
        self._since: float | None = None
        self._outage = False  # when the last attempt failed
        self._parked = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For the length of one request; if it is served, all who wait hear of it."""
        async with AsyncExitStack() as stack:
            for limiter in self._limiters():
                await limiter.acquire()
                stack.callback(limiter.release)
            yield
        for limiter in self._limiters():
            (limiter.succeeded if self._key else limiter.listed)()

    def _limiters(self) -> tuple[ConcurrencyLimiter, ...]:
        ctx = self._ctx
        return (ctx.kms_throttling.limiter, ctx.limiter) if self._parked else (ctx.limiter,)

    def end(self) -> None:
        if self._parked:
            self._ctx.kms_throttling.leave()

    async def met(self, fault: Fault) -> Action:
        """What to do about a failed attempt."""
        ctx, effort = self._ctx, self.effort
        self.effort = effort._replace(
            integrity_failures=effort.integrity_failures + (fault.kind in _INTEGRITY),
            quiet=self._quiet(),
            trusted=bool(self._key and ctx.limiter.health.accepted),
        )
        action = decide(fault, self.effort, ctx.limits, ctx.jitter())
        if action.move is Move.WAIT and self._key and of_kms(fault) and not self._parked:
            self._parked = ctx.kms_throttling.enter(self._key)
        held_back = ctx.kms_throttling.limiter if self._parked and of_kms(fault) else ctx.limiter
        if action.move is Move.WAIT:
            held_back.throttled(fault.retry_after)
        if self._key and action.reason in _PASSING:
            held_back.failed(throttled=action.move is Move.WAIT)
            self._outage = held_back.health.outage
            if action.move is Move.RETRY:
                await self._strike()
        return action

    async def _strike(self) -> None:
        """Have others been served since the last attempt?"""
        health = self._ctx.limiter.health
        if self.effort.attempt >= _DOUBTFUL and health.served == self._served:
            await _read_good_object(self._ctx, self._key)
        strikes = self.effort.strikes + (health.served != self._served)
        self.effort, self._served = self.effort._replace(strikes=strikes), health.served

    @property
    def waited(self) -> float:
        """For how long nothing was served, where that is what ends the run."""
        return self.effort.quiet if self.effort.quiet >= self._ctx.limits.budget else 0.0

    async def wait(self, action: Action, fault: Fault) -> None:
        """Until it is time to ask again: during an outage, whenever the limiter lets us."""
        ctx, effort = self._ctx, self.effort
        everyone = (action.move is Move.WAIT and not self._parked) or self._outage
        delay = action.delay if self._key else min(action.delay, LONGEST_PAGE_DELAY)
        if self._outage:
            delay = 0.0
        ctx.emit(Retrying(self._key, action.reason, fault.message, effort.attempt, delay, everyone))
        if delay:
            await ctx.sleep(delay)
        self.effort = effort._replace(
            attempt=effort.attempt + 1, spent=effort.spent + delay, looks=effort.looks + self._outage
        )

    def renewed(self) -> None:
        effort = self.effort
        self.effort = effort._replace(attempt=effort.attempt + 1, renewals=effort.renewals + 1)

    def _quiet(self) -> float:
        """A page has a clock of its own: objects that are served tell nothing of the listing."""
        now = self._ctx.clock()
        if self._key:
            return self._ctx.limiter.health.seconds(now)
        self._since = now if self._since is None else self._since
        return now - self._since


async def _read_good_object(ctx: Calls, key: str) -> None:
    """Nobody has been served since the last failure: where only this object is left, does its trouble concern others?"""
    good = ctx.limiter.health.good
    if good in {"", key}:
        return
    await ctx.limiter.acquire()
    try:
        await read_byte(ctx, good)
    except StoreError:
        ctx.limiter.failed()
    else:
        ctx.limiter.succeeded()
    finally:
        ctx.limiter.release()


async def read_byte(ctx: Calls, key: str, etag: str | None = None) -> None:
    """Whether an object can be read at all. A HEAD would not say why not: its refusal has no body."""
    request = GetRequest(key, if_match=etag, byte_range=(0, 0))
    await ctx.store.load(request, lambda _meta: lambda _piece: None)
