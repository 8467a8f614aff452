"""The state of one check, and the retries of its requests."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from s3haul.aws.probes import Probes
from s3haul.diagnose.evidence import Evidence, Step, StepResult
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id
from s3haul.errors import Fault
from s3haul.models import ObjectRef
from s3haul.options import SourceOptions
from s3haul.store.retrying import retry_briefly

T = TypeVar("T")
ATTEMPTS = 4

SAMPLES = 200
Report = Callable[[StepResult], None]
_THROTTLED = frozenset({"S3H-S3-11", "S3H-KMS-08"})


@dataclass(slots=True)
class CheckState:
    """The input of a check, and what it has found so far."""

    probes: Probes
    source: SourceOptions
    report: Report
    selected: Callable[[ObjectRef], bool]
    narrowed: str | None  # the prefix that a run lists, if the filters allow only one
    candidates: Sequence[str]  # other prefixes that the command line mentions
    suspects: Sequence[str]  # keys that a run could not read; they are added to the sample
    sample_size: int
    evidence: Evidence = field(default_factory=Evidence)
    listed: tuple[ObjectRef, ...] = ()  # the part of the listing that was read for the sample

    @property
    def prefix(self) -> str:
        """The prefix that a run lists first."""
        return self.source.prefix if self.narrowed is None else self.narrowed

    def say(self, step: Step, ok: bool | None, text: str, details: tuple[str, ...] = ()) -> None:  # noqa: FBT001 - three states, named by type
        self.report(StepResult(step, ok, text, details))

    async def retried(self, request: RequestKind, once: Callable[[], Awaitable[T]]) -> T:
        """The result of `once`. Raises `StoreError` with the last error."""

        def failed(fault: Fault) -> None:
            throttled = self.evidence.throttled | (_THROTTLED & {diagnosis_id(fault, request)})
            self.evidence = replace(self.evidence, throttled=throttled)

        return await retry_briefly(once, ATTEMPTS, failed)
