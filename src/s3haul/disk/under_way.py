"""What the disk is asked to do now, and since when: a mount that is gone may never answer, and nothing says so.

Used as a context manager by any number of threads at once, one operation each.
"""

import threading
import time
from collections.abc import Callable


class UnderWay:
    """The operations that have begun and not ended. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[int, float] = {}

    def __enter__(self) -> None:
        self._since[threading.get_ident()] = self._clock()

    def __exit__(self, *_error: object) -> None:
        del self._since[threading.get_ident()]

    def longest(self) -> float:
        """Seconds since the oldest of them has begun, 0 where there is none."""
        since = min(list(self._since.values()), default=None)
        return 0.0 if since is None else self._clock() - since
