"""The record of what the server was asked, for assertions: each call, and counters that never forget."""

from collections import Counter, deque
from dataclasses import dataclass

_KEPT = 200_000


@dataclass(slots=True)
class Call:
    """One answered request. `sent` grows while the body goes out; `key` is the role ARN for AssumeRole.

    `range` and `part` are the Range header and partNumber as sent ("" if none), `effects` the faults.
    """

    operation: str
    bucket: str
    key: str
    status: int
    code: str = ""  # of an error answer
    range: str = ""
    part: str = ""
    if_match: str = ""
    access_key_id: str = ""
    effects: tuple[str, ...] = ()
    sent: int = 0


class CallLog:
    """The last 200,000 calls, and how many there were of each operation. Written by one thread."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=_KEPT)
        self._counts: Counter[str] = Counter()
        self.bytes_sent = 0

    def add(self, call: Call) -> None:
        self._calls.append(call)
        self._counts[call.operation] += 1

    def snapshot(self) -> list[Call]:
        return list(self._calls)

    def count(self, operation: str, *, key: str | None = None, status: int | None = None) -> int:
        if key is None and status is None:
            return self._counts[operation]
        return sum(
            call.operation == operation and key in (None, call.key) and status in (None, call.status)
            for call in self.snapshot()
        )

    def summary(self) -> dict[str, object]:
        return {
            "operations": dict(self._counts),
            "statuses": dict(Counter(str(call.status) for call in self.snapshot())),
            "bytes_sent": self.bytes_sent,
        }

    def clear(self) -> None:
        self._calls.clear()
        self._counts.clear()
        self.bytes_sent = 0
