"""Objects that KMS holds back, kept apart: while others are served, these wait for each other and for nobody else.

KMS has a quota of its own, for the keys and not for the bucket. Where next to everything is encrypted with it, there
is nobody to keep apart from, and its refusals slow down the run as those of S3 do.
"""

from collections.abc import Callable

from s3haul.models import Outcome, State
from s3haul.store.limiter import ConcurrencyLimiter

MOST = 2000  # objects; beyond, everybody slows down
ENOUGH = 0.05  # of the objects that were served lately
LATELY = 1000  # objects


class KmsThrottling:
    """`limiter` is for the requests of parked objects; they go through the limiter of all requests as well."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.limiter = limiter
        self._count = 0
        self.on_entry: Callable[[str], None] = lambda _key: None  # is given the key
        self._plain = self._encrypted = 0.0

    def saw(self, outcome: Outcome) -> None:
        """What was served lately?"""
        if outcome.state is not State.DONE:
            return
        if outcome.sse.startswith("aws:kms"):
            self._encrypted += 1
        else:
            self._plain += 1
        if self._plain + self._encrypted > LATELY:
            self._plain, self._encrypted = self._plain / 2, self._encrypted / 2

    def enter(self, key: str) -> bool:
        """Take a place, if it makes sense; `leave` gives it back."""
        if self._count >= MOST or self._plain <= ENOUGH * (self._plain + self._encrypted):
            return False
        self._count += 1
        self.on_entry(key)
        return True

    def taken(self) -> int:
        """How many objects are parked."""
        return self._count

    def leave(self) -> None:
        self._count -= 1
