"""The state of one check: its input, its report, its evidence so far, and the retries of its requests."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from s3haul.core.retry import Move, RetryLimits, RetryState, decide
from s3haul.diagnose.evidence import Evidence, Step, StepResult
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import ObjectRef
from s3haul.options import SourceOptions
from s3haul.probes import Probes

T = TypeVar("T")
LIMITS = RetryLimits(attempts=4, budget=10.0)

SAMPLES = 200
Report = Callable[[StepResult], None]
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

    async def call(self, request: RequestKind, once: Callable[[], Awaitable[T]]) -> T:
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
            self._note_throttling(fault, request)
            await self._sleep(action.delay)
            spent += action.delay

    def _note_throttling(self, fault: Fault, request: RequestKind) -> None:
        row = diagnosis_id(fault, request)
        if row in _THROTTLED:
            self.slowed.add(row)


@dataclass(slots=True)
class CheckState:
    """The input of a check, where it reports to, and the evidence so far."""

    probes: Probes
    source: SourceOptions
    report: Report
    selected: Callable[[str], bool] = lambda _: True  # by the path below the prefix
    narrowed: str | None = None  # the prefix that a run lists, if the filters allow only one
    candidates: Sequence[str] = ()  # other prefixes that the command line mentions
    suspects: Sequence[str] = ()  # keys that a run could not read; they are added to the sample
    sample_size: int = SAMPLES
    clock: Callable[[], float] = time.monotonic
    retry: ProbeRetry = field(default_factory=ProbeRetry)
    evidence: Evidence = field(default_factory=Evidence)
    listed: tuple[ObjectRef, ...] = ()  # the part of the listing that was read for the sample

    @property
    def prefix(self) -> str:
        """The prefix that a run lists first."""
        return self.source.prefix if self.narrowed is None else self.narrowed

    def say(self, step: Step, ok: bool | None, text: str, details: tuple[str, ...] = ()) -> None:  # noqa: FBT001 - three states, named by type
        self.report(StepResult(step, ok, text, details))
