"""Who may fetch a large body next: fair between objects, leaving room to small ones, within the memory.

A lane is the right to one large request at a time: a whole object beyond the small ones, or a range. It is
taken before the gate, which is what limits requests; lanes keep a few huge objects from filling it. While
small objects ask for the gate too, lanes are at most half of it. A free lane goes to the object that has
the fewest.
"""

import asyncio
from collections import Counter

from s3haul.engine.gate import Gate

LANE_BYTES = 3 << 20  # of one body: a piece being written, one being received, and what TLS holds


class Lanes:
    """`memory` is in bytes. An owner stands for one object, and has at most one `enter` under way."""

    def __init__(self, gate: Gate, memory: int) -> None:
        self._gate = gate
        self._most = max(1, memory // LANE_BYTES)
        self._taken = 0
        self._of: Counter[object] = Counter()
        self._waiting: dict[object, asyncio.Future[None]] = {}

    async def enter(self, owner: object) -> None:
        """Take a lane; `leave` gives it back."""
        if not self._waiting and self._taken < self._allowed():
            self._take(owner)
            return
        waiter = self._waiting[owner] = asyncio.get_running_loop().create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave(owner)
            else:
                self._waiting.pop(owner, None)
            raise

    def leave(self, owner: object) -> None:
        """Give a lane back."""
        self._taken -= 1
        self._of[owner] -= 1
        if not self._of[owner]:
            del self._of[owner]
        while self._waiting and self._taken < self._allowed():
            poorest = min(self._waiting, key=self._of.__getitem__)
            waiter = self._waiting.pop(poorest)
            if not waiter.done():
                self._take(poorest)
                waiter.set_result(None)

    def _take(self, owner: object) -> None:
        self._taken += 1
        self._of[owner] += 1

    def _allowed(self) -> int:
        gate = self._gate.statistics()
        limit = int(gate["limit"])
        small = int(gate["busy"] + gate["waiting"]) - self._taken
        return max(1, min(self._most, limit - max(0, min(small, limit // 2))))
