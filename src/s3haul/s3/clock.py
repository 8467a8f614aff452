"""The time for signatures: the clock of this machine, corrected if a server refuses it."""

import time
from collections.abc import Callable

from s3haul.errors import Fault, FaultKind

LARGEST_SKEW = 86_400.0  # seconds
TOLERABLE_SKEW = 60.0

# Codes of S3 and STS for a wrong clock. The response to a HEAD has no document, so its code is the bare status.
_CODES = frozenset(
    {"RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired", "403"}
)


class ServerClock:
    """Our clock plus an offset, which is learned from a server that refuses our time.

    The offset is at most one day, which is enough for a wrong time zone. With a larger one, a hostile server could
    collect signatures that become valid later. TLS certificates cannot be checked with such a clock anyway.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0

    def now(self) -> float:
        """Corrected time for signatures, in epoch seconds."""
        return self._clock() + self._offset

    def ours(self) -> float:
        """Time of this machine, in epoch seconds."""
        return self._clock()

    @property
    def offset(self) -> float:
        """The correction that is added to our clock, in seconds."""
        return self._offset

    def learn(self, fault: Fault, offset: float) -> bool:
        """Correct the clock if `fault` is about it. Returns whether to repeat a request signed with `offset`."""
        if fault.kind is not FaultKind.HTTP or fault.code not in _CODES or fault.skew is None:
            return False
        if abs(fault.skew) > LARGEST_SKEW or abs(fault.skew - offset) <= TOLERABLE_SKEW:
            return False
        self._offset = fault.skew
        return True
