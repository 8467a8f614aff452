"""Retries a request of a check a few times, if `core.retry` says that a retry can help."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from s3haul.core.retry import Move, RetryLimits, RetryState, decide
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id
from s3haul.errors import Fault, FaultKind, StoreError

T = TypeVar("T")
LIMITS = RetryLimits(attempts=4, budget=10.0)
_THROTTLED = frozenset({"S3H-S3-11", "S3H-KMS-08"})


class ProbeRetry:
    """Sends requests with retries. `slowed` collects the ids of throttling that occurred."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.slowed: set[str] = set()
        self._jitter = jitter
        self._sleep = sleep

    async def ask(self, asked: RequestKind, once: Callable[[], Awaitable[T]]) -> T:
        """The result of `once`. Raises `StoreError` with the last error."""
        attempt, spent, invalid = 0, 0.0, 0
        while True:
            attempt += 1
            try:
                return await once()
            except StoreError as error:
                fault = error.fault
                invalid += fault.kind in {FaultKind.PROTOCOL, FaultKind.CHECKSUM}
                effort = RetryState(attempt, spent, integrity_failures=invalid)
                action = decide(fault, effort, LIMITS, self._jitter())
                if action.move not in {Move.RETRY, Move.WAIT}:
                    raise
            self._note(fault, asked)
            await self._sleep(action.delay)
            spent += action.delay

    def _note(self, fault: Fault, asked: RequestKind) -> None:
        row = diagnosis_id(fault, asked)
        if row in _THROTTLED:
            self.slowed.add(row)
