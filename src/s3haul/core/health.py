"""Is the service down, or is it this object? Counts successes, and runs a clock while there are none.

Pure: successes, failures and the time come in. Failures in a row with no success between them make an outage: then
requests are made one by one, whoever makes them, and the next success ends it.
"""

from dataclasses import dataclass

IN_A_ROW = 8
REFUSED_FOR = 2.0  # seconds of throttling: until then, fewer requests may help
INTERVAL = 0.5  # seconds between two requests during an outage


@dataclass(slots=True)
class Health:
    """Of the requests for objects. `served` counts successes; `good` is the key of an object that could be read.

    `accepted` counts pages too: requests whose credentials were good.
    """

    served: int = 0
    accepted: int = 0
    renewed: int = -1  # `accepted` when the credentials were last renewed
    good: str = ""
    next_request: float = 0.0
    _failed: int = 0
    _since: float | None = None
    outage: bool = False

    def failed(self, now: float, *, throttled: bool = False) -> bool:
        """A request failed in a way that passes, perhaps only because of its rate; whether an outage begins with it."""
        self._failed += 1
        self._since = now if self._since is None else self._since
        lasting = now - self._since >= REFUSED_FOR or not throttled
        begins = not self.outage and self._failed >= IN_A_ROW and lasting
        self.outage = self.outage or begins
        return begins

    def succeeded(self, count: int = 1) -> None:
        self.served += count
        self._failed = 0
        self._since = None
        self.outage = False

    def asked(self, now: float) -> None:
        """A request is made, during an outage: the next one has to wait."""
        self.next_request = now + INTERVAL

    def seconds(self, now: float) -> float:
        """How long nothing has succeeded, since the first failure."""
        return 0.0 if self._since is None else now - self._since
