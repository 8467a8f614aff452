"""How many requests may be under way: additive increase, multiplicative decrease.

Pure: samples and the time come in, a limit comes out. A throttle answer halves the limit (at most once
a second, since answers to requests sent before the cut say nothing new) and pauses everybody for
a while that grows as long as nothing succeeds in between.
"""

from dataclasses import dataclass

CUT_INTERVAL = 1.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0


@dataclass(slots=True)
class Tuner:
    """`ceiling` is the most that the user or the transport allows; `limit` is what holds now."""

    ceiling: int
    limit: float = 0.0
    paused_until: float = 0.0
    _pause: float = FIRST_PAUSE
    _last_cut: float = float("-inf")

    def __post_init__(self) -> None:
        self.limit = self.limit or float(self.ceiling)

    def throttled(self, now: float, retry_after: float | None = None) -> None:
        """A request was refused for its rate at time `now` (seconds, monotonic)."""
        if now - self._last_cut >= CUT_INTERVAL:
            self._last_cut = now
            self.limit = max(1.0, self.limit / 2)
            self.paused_until = max(self.paused_until, now + self._pause)
            self._pause = min(LONGEST_PAUSE, self._pause * 2)
        if retry_after is not None:
            self.paused_until = max(self.paused_until, now + min(retry_after, LONGEST_PAUSE))

    def succeeded(self) -> None:
        """A request was served; the limit grows by about one per round of requests, faster when low."""
        self._pause = FIRST_PAUSE
        if self.limit < self.ceiling:
            self.limit = min(float(self.ceiling), self.limit + max(1.0 / self.limit, 0.25))
