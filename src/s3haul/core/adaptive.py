"""How many requests may be under way: found by trial, cut when the service says that it is too many.

Pure: answers and the time come in, a limit comes out. The search doubles the limit as long as that makes
the run faster, and settles where it does not: with a slow service or a long way to it many requests must
be under way, with a busy processor more of them only cost memory. A throttle answer halves the limit (at
most once a second, since answers to requests sent before the cut say nothing new) and pauses everybody.
Where others are served all the while, the limit was too high, and the search halves its steps towards it.
"""

from dataclasses import dataclass

FIRST_LIMIT = 32
SETTLE = 0.2  # seconds for new connections to be made
WINDOW = 0.1  # seconds over which a rate is measured, at least
WORTHWHILE = 0.15  # how much faster the run must become, as a share of what is added to the limit
FIRST_REST = 1.0  # seconds after which the search is taken up again; ever longer while it finds nothing
LONGEST_REST = 30.0
CUT_INTERVAL = 1.0
PAUSE = 0.5
LONGEST_PAUSE = 20.0  # that a server may ask for
SOON = 30.0  # seconds between two cuts, of which the second one is no accident
FINEST = 1.06  # a smaller step towards a limit that was refused is not worth a trial


@dataclass(slots=True)
class AdaptiveLimit:
    """`ceiling` is the most that the user or the transport allows; `limit` is what holds now.

    `goal` is what the search has found, and where the limit returns to after a cut.
    """

    ceiling: int
    limit: float = 0.0
    paused_until: float = 0.0
    goal: float = 0.0
    _refused: float = 0.0  # a limit that was too high
    _last_cut: float = float("-inf")
    _served_since_cut: bool = False
    _before: float = 0.0  # the goal of which the present one is the trial
    _best: float = 0.0  # answers a second with that
    _rest: float = FIRST_REST
    _rest_until: float = float("-inf")
    _since: float | None = None
    _settling: bool = False
    _served: int = 0

    def __post_init__(self) -> None:
        self.goal = float(min(self.ceiling, FIRST_LIMIT))
        self.limit = self.limit or self.goal

    def throttled(self, now: float, retry_after: float | None = None) -> None:
        """A request was refused for its rate at time `now` (seconds, monotonic)."""
        if self._before:  # the trial has its answer
            self._refused, self.goal = self.goal, self._before
            self.limit = min(self.limit, self.goal)
            self._end_search(now)
            self._last_cut = now
        elif now - self._last_cut >= CUT_INTERVAL:
            if now - self._last_cut < SOON and self._served_since_cut:
                self._refused, self.goal = self.limit, max(1.0, self.limit / 2)
            self._pause_search(now)
            self._last_cut, self._served_since_cut = now, False
            self.limit = max(1.0, self.limit / 2)
            self.paused_until = max(self.paused_until, now + PAUSE)
        if retry_after is not None:
            self.paused_until = max(self.paused_until, now + min(retry_after, LONGEST_PAUSE))

    def interrupted(self, now: float) -> None:
        """An outage begins. What comes after it begins gently."""
        if self._before:
            self.goal = self._before
        self._pause_search(now)
        self.limit = max(1.0, min(self.limit, self.goal / 4))

    def served(self, now: float, count: int, *, crowded: bool) -> None:
        """So many requests were answered; `crowded` says that others wait because of the limit."""
        self._served_since_cut = True
        if self.limit < self.goal:
            step = max(1.0 / self.limit, 0.25)
            self.limit = min(self.goal, self.limit + count * step)
        elif not crowded:
            self._since = None
        elif self._since is None:
            self._since, self._served = now, 0
        elif self._settling:
            # Until they are made, the rate tells nothing of how it will go with them.
            if now - self._since >= SETTLE:
                self._since, self._settling = None, False
        else:
            self._served += count
            elapsed = now - self._since
            if elapsed >= WINDOW and self._served >= 2 * self.limit:
                self._evaluate(now, self._served / elapsed)

    def _evaluate(self, now: float, rate: float) -> None:
        """A window at the full limit has passed: has the last trial paid, is it time for another?"""
        self._since = None
        growth = self.goal / self._before if self._before else 1.0
        paid = rate >= self._best * (1.0 + WORTHWHILE * (growth - 1.0))
        if self._before and paid:
            self._rest = FIRST_REST
        if self._before and not paid:
            self.goal = self.limit = self._before
            self._end_search(now)
        elif now >= self._rest_until and (goal := self._next_goal()) > self.goal:
            self._before, self._best, self._settling = self.goal, rate, True
            self.goal = self.limit = goal
        else:
            self._before = 0.0
            if self._refused and now >= self._rest_until:  # in time, ask again whether it still is too high
                self._refused = 0.0
                self._rest_until = now + LONGEST_REST

    def _next_goal(self) -> float:
        """Twice as much, or half the way to what was refused; the same where that is hardly more."""
        goal = min(float(self.ceiling), self.goal * 2)
        if self._refused > self.goal:
            goal = min(goal, float(round((self.goal + self._refused) / 2)))
            return goal if goal >= FINEST * self.goal else self.goal
        return goal

    def _end_search(self, now: float) -> None:
        self._pause_search(now)
        self._rest = min(LONGEST_REST, self._rest * 2)

    def _pause_search(self, now: float) -> None:
        self._since = None
        self._before = 0.0
        self._settling = False
        self._rest_until = now + self._rest
