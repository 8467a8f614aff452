"""The ladder: one link of the access after the other, until one breaks; then what tells the rows apart.

Each step is reported as it is taken. Nothing is decided here beyond the order: the evidence is judged in
`core.judgement`.
"""

from dataclasses import replace

from s3haul.core.evidence import Evidence
from s3haul.preflight.bucket import reach_bucket
from s3haul.preflight.climb import Climb
from s3haul.preflight.role import reach_role


async def climb(ladder: Climb) -> Evidence:
    """Take every step that can be taken; the evidence of all of them. Raises `UsageError`."""
    if await reach_role(ladder):
        await reach_bucket(ladder)
    ladder.evidence = replace(ladder.evidence, slowed=frozenset(ladder.patience.slowed))
    return ladder.evidence
