"""The state of one check: its input, its report, its evidence so far. Sends nothing itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from s3haul.diagnose.evidence import Evidence, Step, StepResult
from s3haul.models import ObjectRef
from s3haul.options import SourceOptions
from s3haul.preflight.retry import ProbeRetry
from s3haul.probes import Probes

SAMPLES = 200
Report = Callable[[StepResult], None]


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
