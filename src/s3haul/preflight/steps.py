"""The steps of a check: one link of the access chain after the other, until one breaks; then what tells causes apart.

Each step is reported as it is taken. Nothing is decided here beyond the order: the evidence is checked in
`diagnose.causes`.
"""

from dataclasses import replace

from s3haul.diagnose.evidence import Evidence
from s3haul.preflight.bucket import reach_bucket
from s3haul.preflight.role import reach_role
from s3haul.preflight.state import CheckState


async def take_steps(state: CheckState) -> Evidence:
    """Take every step that can be taken; the evidence of all of them. Raises `UsageError`."""
    if await reach_role(state):
        await reach_bucket(state)
    state.evidence = replace(state.evidence, slowed=frozenset(state.retry.slowed))
    return state.evidence
