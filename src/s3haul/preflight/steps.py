"""The steps of a check, in the order of access, until one fails; then requests that help to find the cause.

Each step is reported at once. Only the order is decided here; `diagnose.causes` examines the evidence.
"""

from dataclasses import replace

from s3haul.diagnose.evidence import Evidence
from s3haul.preflight.bucket import reach_bucket
from s3haul.preflight.role import reach_role
from s3haul.preflight.state import CheckState


async def take_steps(state: CheckState) -> Evidence:
    """Take all steps that are possible. Returns their evidence. Raises `UsageError`."""
    if await reach_role(state):
        await reach_bucket(state)
    state.evidence = replace(state.evidence, slowed=frozenset(state.retry.slowed))
    return state.evidence
