"""Rates: how many bytes, requests or KMS calls per second are allowed, and how people write such a rate.

Pure: amounts and the time come in. What was spent is paid back before anything else may happen; of what was not spent,
no more than a tenth of a second's worth is kept. Only a response tells whether its request cost a KMS call: a request
is charged with the share of the latest responses that did, and its own response corrects that. So a bucket without KMS
is not slowed down, and one that needs it for every object keeps to the rate from the first request on.
"""

import re

BURST = 0.1  # seconds
LATELY = 100  # answers

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtKMGT]?)i?([bB]?)(/s)?", re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


class Rate:
    """`per_second` of whatever it counts."""

    def __init__(self, per_second: float) -> None:
        self._seconds_each = 1.0 / per_second
        self._free_at = float("-inf")  # when all that was spent is paid

    def wait(self, now: float) -> float:
        """Seconds until something may happen, 0 if it may now."""
        return max(0.0, self._free_at - now)

    def spend(self, now: float, amount: float = 1.0) -> None:
        """So much has happened, or will once `wait` is over."""
        burst = max(0.0, BURST - self._seconds_each)
        self._free_at = max(self._free_at, now - burst) + amount * self._seconds_each


def parse_rate(text: str) -> int | None:
    """Bytes a second, at least 1: "500K", "10MB/s", "80Mb/s" (bits); None where it is no rate. A K is 1,024."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        return None
    number, prefix, unit, per_second = match.groups()
    value = float(number) * 1024 ** _POWERS[prefix.lower()]
    if unit == "b" and per_second:
        value /= 8
    return int(value) if value >= 1 else None


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
