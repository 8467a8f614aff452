"""So many KMS calls a second and no more, though only an answer tells whether its request cost one.

Pure: answers and the time come in. A request is charged with the share of the latest answers that cost a call, and the
rest of the account is settled by its answer: so a bucket that needs no KMS is not held back, and one that needs it for
every object keeps to the rate from the first request on.
"""

from s3haul.core.rate import Rate

LATELY = 100  # answers


class DecryptRate:
    """`per_second` calls of kms:Decrypt."""

    def __init__(self, per_second: float) -> None:
        self._rate = Rate(per_second)
        self._share = 1.0

    def wait(self, now: float) -> float:
        """Seconds until a request may be made that may cost a call, 0 if it may now."""
        return self._rate.wait(now)

    def asked(self, now: float) -> None:
        """Such a request is made."""
        self._rate.spend(now, self._share)

    def answered(self, now: float, *, costs_kms: bool) -> None:
        """It has cost a call, or has not."""
        self._rate.spend(now, float(costs_kms) - self._share)
        self._share += (float(costs_kms) - self._share) / LATELY
