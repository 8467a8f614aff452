"""Limits: how many requests may be under way, found by trial, and two a second in an outage; and how many
requests, KMS calls or bytes a second. Pure.

Responses and the time come in, a limit comes out. The search multiplies the limit as long as that makes the
run faster, and stops where it does not: a service with a long latency needs many requests at once, while a
busy processor does not get faster with more of them.

If more than a few in a hundred requests are throttled, the limit is halved, or the last trial is taken back.
Requests that were under way at that time may be throttled too; they say nothing new. Below a limit that was
too high the search takes smaller steps, and tries now and then whether there is more room.
"""

import re
from dataclasses import dataclass

FIRST_LIMIT = 32
FIRST_STEP = 4.0  # the limit is multiplied by this until that does not pay,
STEP = 2.0  # then by this
SETTLE = 0.1  # seconds for new connections to be made
WINDOW = 0.05  # seconds over which a rate is measured, at least
LONG_WINDOW = 0.2  # the same, once a trial has not paid
WORTHWHILE = 0.06  # how much faster the run must become, as a share of what is added to the limit
FIRST_REST = 1.0  # seconds after which the search is taken up again; ever longer while it finds nothing
LONGEST_REST = 30.0
TOLERATED = 0.03  # of the responses may be throttled ones, counted over a round or
FEWEST = 100  # responses
FINEST = 1.06  # a smaller step towards a limit that was too high is not worth a trial
BEYOND = 1.1  # times what was too high, to see whether it still is
PAUSE = 0.5  # seconds between requests where even one at a time is throttled
LONGEST_PAUSE = 20.0  # that a server may demand
OUTAGE_FAILURES = 8  # in a row, of requests for objects
OUTAGE_THROTTLED_FOR = (
    2.0  # seconds; throttling alone is an outage only after that, since fewer requests may help
)
OUTAGE_INTERVAL = 0.5  # seconds between two requests
BURST = 0.1  # seconds
LATELY = 100  # responses
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtKMGT]?)i?([bB]?)(/s)?", re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(slots=True)
class AdaptiveLimit:
    """`ceiling` is the most that the user or the transport allows; `limit` is the present limit.

    `goal` is what the search has found, and where the limit returns to after an outage.
    """

    ceiling: int
    limit: float = 0.0
    paused_until: float = 0.0
    goal: float = 0.0
    _interrupted: bool = False  # by an outage, whose throttling says nothing of the limit
    _too_high: float = 0.0  # the last limit under which too many requests were throttled
    _cut_at: float = float("-inf")  # when the limit was last reduced for throttling
    _responses: int = 0  # since throttled ones are counted
    _throttled: int = 0
    _before: float = 0.0  # the goal of which the present one is the trial
    _best: float = 0.0  # responses a second with that
    _step: float = FIRST_STEP
    _window: float = WINDOW
    _rest: float = FIRST_REST
    _rest_until: float = float("-inf")
    _since: float | None = None
    _settling: bool = False
    _served: int = 0

    def __post_init__(self) -> None:
        self.goal = float(min(self.ceiling, FIRST_LIMIT))
        self.limit = self.limit or self.goal

    def allow(self, ceiling: int) -> None:
        """So many at most from now on."""
        self.ceiling = ceiling
        self.goal = min(self.goal, float(ceiling))
        self.limit = min(self.limit, self.goal)
        self._before, self._since = 0.0, None

    def throttled(self, now: float, retry_after: float | None = None, *, sent: float = float("inf")) -> None:
        """A request that was sent at time `sent` (seconds, monotonic) was throttled at time `now`."""
        if retry_after is not None:
            self.paused_until = max(self.paused_until, now + min(retry_after, LONGEST_PAUSE))
        if self._interrupted:
            return
        if self.limit < 2.0:
            self.paused_until = max(self.paused_until, now + PAUSE)
        if sent <= self._cut_at:  # under a higher limit
            return
        self._responded(1)
        self._throttled += 1
        if self._throttled >= TOLERATED * max(self.limit, FEWEST):
            self._cut(now)

    def interrupted(self, now: float) -> None:
        """An outage begins: start again with few requests after it."""
        if self._before:
            self.goal = self._before
        self._interrupted, self._too_high = True, 0.0
        self._pause_search(now)
        self.limit = max(1.0, min(self.limit, self.goal / 4))

    def served(self, now: float, count: int, *, saturated: bool) -> None:
        """So many requests succeeded; `saturated` says that others wait because of the limit."""
        self._interrupted = False
        self._responded(count)
        if self.limit < self.goal:
            step = max(1.0 / self.limit, 0.25)
            self.limit = min(self.goal, self.limit + count * step)
        elif not saturated:
            self._since = None
        elif self._since is None:
            self._since, self._served = now, 0
        else:
            self._served += count
            elapsed = now - self._since
            if self._settling:
                # Until they are made, the rate says nothing of how it will go with them.
                if elapsed >= SETTLE and self._served >= self.limit:
                    self._since, self._settling = None, False
            elif elapsed >= self._window and self._served >= 2 * self.limit:
                self._evaluate(now, self._served / elapsed)

    def _responded(self, count: int) -> None:
        self._responses += count
        if self._responses >= max(self.limit, FEWEST):
            self._responses = self._throttled = 0

    def _cut(self, now: float) -> None:
        """Too many were throttled."""
        self._cut_at, self._responses, self._throttled = now, 0, 0
        self._too_high, self._step, self._window = self.limit, BEYOND, LONG_WINDOW
        self.goal = self._before or max(1.0, self.limit / 2)
        self._end_search(now)
        self.limit = min(self.limit, self.goal)

    def _evaluate(self, now: float, rate: float) -> None:
        """A window at the full limit has passed: did the last trial make the run faster,
        is it time for another?"""
        self._since = None
        below = self.goal < self._too_high  # where to be served is enough
        growth = self.goal / self._before if self._before else 1.0
        paid = below or rate >= self._best * (1.0 + WORTHWHILE * (growth - 1.0))
        if self._before and not paid:
            self.goal = self.limit = self._before
            self._step, self._window = STEP, LONG_WINDOW
            self._end_search(now)
            return
        if self._before and not below:
            self._rest = max(FIRST_REST, self._rest / 2)
            self._step = max(self._step, min(STEP, 2.0 * self._step - 1.0))
        goal = self._next_goal(now)
        self._before = self.goal if goal > self.goal else 0.0
        if self._before:
            self._best, self._settling = rate, True
            self.goal = self.limit = goal

    def _next_goal(self, now: float) -> float:
        """Half the way to what was too high; where that is near, or nothing was,
        a step further once in a while."""
        goal = float(round((self.goal + self._too_high) / 2))
        if goal < FINEST * self.goal:
            if now < self._rest_until:
                return self.goal
            goal = max(self.goal * self._step, self._too_high * self._step, self.goal + 1.0)
        return min(float(self.ceiling), goal)

    def _end_search(self, now: float) -> None:
        self._pause_search(now)
        self._rest = min(LONGEST_REST, self._rest * 2)

    def _pause_search(self, now: float) -> None:
        self._since = None
        self._before = 0.0
        self._settling = False
        self._rest_until = now + self._rest


@dataclass(slots=True)
class Health:
    """Whether the service is down, or it is this object: counts successes of requests for objects, and runs a
    clock while there are none. `good` is the key of an object that could be read.

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
        """A request failed in a way that passes, perhaps only because of its rate;
        whether an outage begins with it."""
        self._failed += 1
        self._since = now if self._since is None else self._since
        lasting = now - self._since >= OUTAGE_THROTTLED_FOR or not throttled
        begins = not self.outage and self._failed >= OUTAGE_FAILURES and lasting
        self.outage = self.outage or begins
        return begins

    def succeeded(self, count: int = 1) -> None:
        self.served += count
        self._failed = 0
        self._since = None
        self.outage = False

    def requested(self, now: float) -> None:
        """A request is made, during an outage: the next one has to wait."""
        self.next_request = now + OUTAGE_INTERVAL

    def seconds_without_success(self, now: float) -> float:
        """How long nothing has succeeded, since the first failure."""
        return 0.0 if self._since is None else now - self._since


class Rate:
    """`per_second` of whatever it counts. What was spent is paid back before anything else may happen; of
    what was not spent, no more than a tenth of a second's worth is kept."""

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
    """Bytes a second, at least 1: "500K", "10MB/s", "80Mb/s" (bits);
    None where it is no rate. A K is 1,024."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        return None
    number, prefix, unit, per_second = match.groups()
    value = float(number) * 1024 ** _POWERS[prefix.lower()]
    if unit == "b" and per_second:
        value /= 8
    return int(value) if value >= 1 else None


class DecryptRate:
    """`per_second` calls of kms:Decrypt.

    Only a response shows whether its request cost a KMS call: a request is charged with the share of the
    latest responses that did, and its own response corrects that. So a bucket without KMS is not slowed down,
    and one that needs it for every object keeps to the rate from the first request on.
    """

    def __init__(self, per_second: float) -> None:
        self._rate = Rate(per_second)
        self._share = 1.0

    def wait(self, now: float) -> float:
        """Seconds until a request may be made that may cost a call, 0 if it may now."""
        return self._rate.wait(now)

    def requested(self, now: float) -> None:
        """Such a request is made."""
        self._rate.spend(now, self._share)

    def responded(self, now: float, *, costs_kms: bool) -> None:
        """It has cost a call, or has not."""
        self._rate.spend(now, float(costs_kms) - self._share)
        self._share += (float(costs_kms) - self._share) / LATELY
