"""`check`: tests access step by step, reads a sample of the objects, and tests the destination."""

from collections.abc import Sequence
from typing import NamedTuple

from s3haul.aws.probes import Probes
from s3haul.aws.session import ask_mfa
from s3haul.aws.sts import AskMfa
from s3haul.core.filters import literal_prefixes, object_selector, prefixes_to_list
from s3haul.diagnose.causes import Finding, exit_code_of, find_causes, finding_of_error
from s3haul.diagnose.evidence import Evidence, StepResult
from s3haul.events import ignore
from s3haul.options import AccessOptions, DestinationOptions, SourceOptions, TransferOptions
from s3haul.policies.buckets import check_source
from s3haul.preflight.state import SAMPLES, CheckState, Report
from s3haul.preflight.steps import check_destination, take_steps

_DEFAULT_ACCESS = AccessOptions()
_DEFAULT_TRANSFER = TransferOptions()


class CheckReport(NamedTuple):
    """The results of all steps, and the findings. `exit_code` is that of `s3haul check`."""

    steps: tuple[StepResult, ...]
    findings: tuple[Finding, ...]
    evidence: Evidence

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.findings)


def _narrowed(source: SourceOptions, transfer: TransferOptions) -> str | None:
    prefixes = prefixes_to_list(transfer.filters, source.prefix)
    return prefixes[0] if source.recursive and len(prefixes) == 1 else None


async def check(
    source: SourceOptions,
    destination: DestinationOptions | None = None,
    *,
    access: AccessOptions = _DEFAULT_ACCESS,
    transfer: TransferOptions = _DEFAULT_TRANSFER,
    report: Report = ignore,
    ask_mfa: AskMfa = ask_mfa,
    suspects: Sequence[str] = (),
    samples: int = SAMPLES,
) -> CheckReport:
    """Check access, a sample of the objects, and the destination. Copies and changes nothing.

    `report` is called after each step; `suspects` are keys that must be in the sample.
    """
    check_source(source)
    steps: list[StepResult] = []

    def on_step(step: StepResult) -> None:
        steps.append(step)
        report(step)

    state = CheckState(
        Probes(access, source, transfer, ask_mfa),
        source,
        on_step,
        selected=object_selector(transfer, source.base),
        narrowed=_narrowed(source, transfer),
        candidates=tuple(source.prefix + prefix for prefix in literal_prefixes(transfer.filters)),
        suspects=suspects,
        sample_size=samples,
    )
    await take_steps(state)
    found = find_causes(state.evidence, source)
    if destination is not None:
        step, problems = check_destination(
            destination, state.listed, base=source.base, complete=state.evidence.complete
        )
        on_step(step)
        found = (*found, *map(finding_of_error, problems))
    return CheckReport(tuple(steps), found, state.evidence)
