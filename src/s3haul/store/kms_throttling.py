"""A limiter of their own for objects that KMS throttles, so that objects that need no KMS call go on at full speed.

The request quota of KMS belongs to the account of the key, not to the bucket. If nearly all objects need KMS, a second
limiter would not help, and throttling by KMS slows the whole run down as that of S3 does.
"""

from collections.abc import Callable

from s3haul.models import Outcome, State
from s3haul.store.limiter import ConcurrencyLimiter

MOST = 2000  # objects; with more, the whole run slows down
ENOUGH = 0.05  # of the objects that were served lately
LATELY = 1000  # objects


class KmsThrottling:
    """`limiter` is for the requests of throttled objects; they pass the limiter of all requests as well."""

    def __init__(self, limiter: ConcurrencyLimiter) -> None:
        self.limiter = limiter
        self._count = 0
        self._on_entry: Callable[[str], None] = lambda _key: None
        self._plain = self._encrypted = 0.0

    def call_on_entry(self, callback: Callable[[str], None]) -> None:
        """Call this with the key of each object that enters."""
        self._on_entry = callback

    def saw(self, outcome: Outcome) -> None:
        """Count which kind of object was read lately."""
        if outcome.state is not State.DONE:
            return
        if outcome.sse.startswith("aws:kms"):
            self._encrypted += 1
        else:
            self._plain += 1
        if self._plain + self._encrypted > LATELY:
            self._plain, self._encrypted = self._plain / 2, self._encrypted / 2

    @property
    def helps(self) -> bool:
        """Whether there are objects without KMS that could go on meanwhile."""
        return self._count < MOST and self._plain > ENOUGH * (self._plain + self._encrypted)

    def enter(self, key: str) -> bool:
        """Move an object to the second limiter if that helps; `leave` ends it."""
        if not self.helps:
            return False
        self._count += 1
        self._on_entry(key)
        return True

    def taken(self) -> int:
        """How many objects use the second limiter."""
        return self._count

    def leave(self) -> None:
        self._count -= 1
