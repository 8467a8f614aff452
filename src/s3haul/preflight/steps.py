"""The ladder: one link of the access after the other, until one breaks; then what tells the rows apart.

Each step is reported as it is taken. Nothing is decided here beyond the order: the evidence is checked in
`diagnose.causes`.
"""

from dataclasses import replace

from s3haul.diagnose.evidence import Evidence
from s3haul.preflight.bucket import reach_bucket
from s3haul.preflight.role import reach_role
from s3haul.preflight.state import CheckState


async def climb(ladder: CheckState) -> Evidence:
    """Take every step that can be taken; the evidence of all of them. Raises `UsageError`."""
    if await reach_role(ladder):
        await reach_bucket(ladder)
    ladder.evidence = replace(ladder.evidence, slowed=frozenset(ladder.patience.slowed))
    return ladder.evidence
