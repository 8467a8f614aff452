"""Fault rules as data: which calls they hit and what they do. `effects` knows how each is done.

A rule is JSON-able, so that a test sets it in process and a script over HTTP:

    plan.add("reset", operation="GetObject", key="big.bin", exactly=2, after=1000)
    {"effect": "error", "operation": "GetObject", "glob": "logs/*", "first": 3,
     "status": 503, "code": "SlowDown", "message": "Please reduce your request rate."}

Each rule counts the calls that it matches (operation and key) from 1, and acts on the n-th ones that
`first`, `since`, `exactly` or `every` select; without any of them on all.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

ANY = "any"

# Every effect with its parameters and their defaults. `after`, `offset` and `count` are body bytes.
EFFECTS: dict[str, dict[str, Any]] = {
    # what happens before the request is served
    "delay": {"seconds": 1.0},
    "change": {},  # the object is overwritten by other bytes of the same size
    "delete": {},  # the object is deleted
    "expire-sessions": {},
    "error": {
        "status": 500,
        "code": "InternalError",
        "message": "We encountered an internal error. Please try again.",
        "headers": {},
    },
    "redirect": {"status": 307, "location": "", "region": ""},
    "ignore-range": {},  # a 200 with the whole body to a Range
    # what is wrong with the answer
    "wrong-checksum": {},
    "no-checksum": {},
    "wrong-etag": {},
    "flip": {"offset": 0},
    "extra": {"count": 5},  # more bytes than the object has, Content-Length to match
    "shorten": {"count": 1},  # fewer bytes than the object has, Content-Length to match
    "empty-200": {},
    "bare-204": {},
    "wrong-content-range": {},
    "no-content-length": {},
    "duplicate-content-length": {},
    # how the body goes out
    "close": {},  # before any header
    "reset": {"after": 0},  # RST in mid-body
    "short": {"after": 0},  # orderly close in mid-body
    "stall": {"after": 0},  # until the client leaves
    "trickle": {"rate": 100},  # bytes a second
    # what is wrong with a page of the listing
    "truncated-xml": {},
    "truncated-without-token": {},
    "repeated-token": {},  # the token that was sent comes back
    "wrong-key-count": {},
    "out-of-order": {},
    "duplicate-key": {},
    "duplicate-key-across-pages": {},
}


@dataclass(slots=True)
class FaultRule:
    """One effect and the calls it hits. `parameters` are complete:
    defaults are filled in by `FaultPlan.add`."""

    effect: str
    operation: str = ANY
    key: str | None = None
    glob: str | None = None
    first: int | None = None
    since: int | None = None
    exactly: int | None = None
    every: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    seen: int = 0  # calls that matched
    hits: int = 0  # calls that were disturbed

    def hit(self, operation: str, key: str) -> bool:
        """Whether this call is disturbed; counts it if it matches at all."""
        if self.operation not in (ANY, operation):
            return False
        if (self.key is not None and self.key != key) or (
            self.glob is not None and not fnmatchcase(key, self.glob)
        ):
            return False
        self.seen += 1
        if not self._selected(self.seen):
            return False
        self.hits += 1
        return True

    def _selected(self, number: int) -> bool:
        return (
            (self.first is None or number <= self.first)
            and (self.since is None or number >= self.since)
            and (self.exactly is None or number == self.exactly)
            and (self.every is None or number % self.every == 0)
        )


class FaultPlan:
    """The rules in force. All that match a call act on it, in the order they were added."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []
        self._lock = Lock()

    def add(
        self,
        effect: str,
        *,
        operation: str = ANY,
        key: str | None = None,
        glob: str | None = None,
        first: int | None = None,
        since: int | None = None,
        exactly: int | None = None,
        every: int | None = None,
        **parameters: Any,
    ) -> FaultRule:
        """Add a rule. Raises ValueError for an effect or a parameter that is not known."""
        defaults = EFFECTS.get(effect)
        if defaults is None:
            raise ValueError(f"no such effect: {effect!r}; known: {', '.join(EFFECTS)}")
        unknown = parameters.keys() - defaults.keys()
        if unknown:
            raise ValueError(f"effect {effect!r} takes no {', '.join(sorted(unknown))}")
        complete = defaults | parameters
        rule = FaultRule(effect, operation, key, glob, first, since, exactly, every, complete)
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: FaultRule) -> None:
        with self._lock:
            self._rules.remove(rule)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def match(self, operation: str, key: str) -> list[FaultRule]:
        """The rules that act on this call. `key` is the role ARN for AssumeRole, the prefix for a listing."""
        if not self._rules:
            return []
        with self._lock:
            return [rule for rule in self._rules if rule.hit(operation, key)]
