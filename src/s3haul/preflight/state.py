"""One climb of the ladder: who asks what, where it reports to, and what it has seen so far. It asks nothing itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from s3haul.diagnose.evidence import Evidence, Step, StepResult
from s3haul.models import ObjectRef
from s3haul.options import SourceOptions
from s3haul.preflight.retry import Patience
from s3haul.probes import Probes

SAMPLES = 200
Report = Callable[[StepResult], None]


@dataclass(slots=True)
class CheckState:
    """One climb: who asks what, where it reports to, and what it has seen so far."""

    probes: Probes
    source: SourceOptions
    report: Report
    selected: Callable[[str], bool] = lambda _: True  # by the path below the prefix
    candidates: Sequence[str] = ()  # other prefixes that the user spoke of
    suspects: Sequence[str] = ()  # keys that a run was refused, to be among the samples
    sample_size: int = SAMPLES
    clock: Callable[[], float] = time.monotonic
    patience: Patience = field(default_factory=Patience)
    evidence: Evidence = field(default_factory=Evidence)
    listed: tuple[ObjectRef, ...] = ()  # as far as the sample had to look

    def say(self, step: Step, ok: bool | None, text: str, details: tuple[str, ...] = ()) -> None:  # noqa: FBT001 - three states, named by type
        self.report(StepResult(step, ok, text, details))
