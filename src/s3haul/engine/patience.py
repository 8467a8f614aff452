"""Make one request until it is answered or there is no sense in asking again.

The one owner of retries, for listing pages and objects alike. What to do is `core.retry`'s decision;
here it is done: wait, slow everybody down, renew the credentials, or give up with the reason.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from s3haul.core.diagnosis import Purpose, run_error
from s3haul.core.retry import Action, Effort, Move, decide
from s3haul.engine.context import Calls
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.events import Retrying

T = TypeVar("T")
_INTEGRITY = frozenset({FaultKind.PROTOCOL, FaultKind.CHECKSUM})


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
    attempt, waited, renewals, integrity_failures = 0, 0.0, 0, 0
    while True:
        attempt += 1
        signing_key = ctx.credentials.access_key_id if ctx.credentials else ""
        await ctx.gate.enter()
        try:
            result = await once()
        except StoreError as error:
            fault = error.fault
        else:
            ctx.gate.succeeded()
            return result, attempt
        finally:
            ctx.gate.leave()
        integrity_failures += fault.kind in _INTEGRITY
        effort = Effort(attempt, waited, renewals, integrity_failures)
        action = decide(fault, effort, ctx.limits, ctx.jitter())
        match action.move:
            case Move.RETRY | Move.WAIT:
                everyone = action.move is Move.WAIT
                if everyone:
                    ctx.gate.throttled(fault.retry_after)
                ctx.emit(Retrying(key, action.reason, fault.message, attempt, action.delay, everyone))
                await ctx.sleep(action.delay)
                waited += action.delay
            case Move.RENEW if ctx.credentials:
                ctx.emit(Retrying(key, action.reason, fault.message, attempt, 0.0))
                await ctx.credentials.renew(signing_key)
                renewals += 1
            case Move.RENEW | Move.ABORT:
                raise run_error(fault, what) from None
            case Move.REFRESH | Move.SKIP | Move.FAIL:
                raise GaveUpError(action, fault, attempt)
