"""The time to sign with: this machine's, put right by a server that refuses it."""

import time
from collections.abc import Callable

from s3haul.errors import Fault, FaultKind

LARGEST_SKEW = 86_400.0  # seconds
TOLERABLE_SKEW = 60.0

# S3's, STS's, and that of a HEAD, which names no reason for its 403.
_CODES = frozenset(
    {"RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired", "403"}
)


class ServerClock:
    """Our clock, put right by the server's where that refuses ours.

    At most a day: enough for a wrong time zone. Anything more would be a signature for another day,
    which a hostile server could keep for later, and certificates could not be checked by such a clock.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0

    def now(self) -> float:
        """Epoch seconds to sign with."""
        return self._clock() + self._offset

    def ours(self) -> float:
        """Epoch seconds as this machine has them."""
        return self._clock()

    @property
    def offset(self) -> float:
        """What is added to our clock, in seconds."""
        return self._offset

    def learn(self, fault: Fault, offset: float) -> bool:
        """Puts the clock right if `fault` is about it; whether a request signed at `offset` is worth repeating."""
        if fault.kind is not FaultKind.HTTP or fault.code not in _CODES or fault.skew is None:
            return False
        if abs(fault.skew) > LARGEST_SKEW or abs(fault.skew - offset) <= TOLERABLE_SKEW:
            return False
        self._offset = fault.skew
        return True
