"""Hashes the segments of a file while its ranges arrive: in order within a segment, several segments at a time.

Needed for digests that cannot be combined from those of blocks (SHA1, SHA256, SHA512, MD5, XXHASH). Ranges arrive in
any order, so blocks are read back in order, mostly from the page cache, as soon as they follow the last hashed byte.
"""

from collections.abc import Awaitable, Callable

from s3haul.core.checksums import Data, Hasher, new_hasher
from s3haul.core.ranges import BlockMap, RangePlan

# Passes the bytes from a first to an end (exclusive) to an update function, in a thread.
Feed = Callable[[Callable[[Data], None], int, int], Awaitable[None]]


class Hashing:
    """The running digests of one file. After `claim` or `resting` returned a segment, call `advance` with it."""

    def __init__(self, plan: RangePlan, block_map: BlockMap, algorithm: str, feed: Feed) -> None:
        self._plan, self._block_map, self._algorithm, self._feed = plan, block_map, algorithm, feed
        self._hashers: list[Hasher] = []
        self._next: list[int] = []
        self._busy: set[int] = set()
        for number in range(len(plan.segments)):
            self._hashers.append(self._new())
            self._next.append(plan.segment(number)[0])

    def claim(self, block: int) -> int | None:
        """The segment that can be hashed further now that this block is written; None if there is none, or it is busy."""
        number = self._plan.segment_of(block)
        if number in self._busy or self._next[number] != block:
            return None
        self._busy.add(number)
        return number

    def resting(self) -> list[int]:
        """All segments that can be hashed further, for the start."""
        firsts = enumerate(self._next)
        found = [number for number, first in firsts if self._stored_end(number, first) > first]
        self._busy.update(found)
        return found

    async def advance(self, number: int) -> None:
        """Hash the written blocks of a segment, up to the first one that is missing."""
        try:
            while (end := self._stored_end(number, first := self._next[number])) > first:
                start, stop = self._plan.start(first), self._plan.start(end)
                await self._feed(self._hashers[number].update, start, stop)
                self._next[number] = end
        finally:
            self._busy.discard(number)

    def restart(self, number: int) -> None:
        """Start a segment again: it will be fetched again."""
        self._hashers[number] = self._new()
        self._next[number] = self._plan.segment(number)[0]

    def digests(self) -> list[bytes]:
        """The digests of all segments, once everything is written and hashed."""
        return [hasher.digest() for hasher in self._hashers]

    def _stored_end(self, number: int, first: int) -> int:
        return self._block_map.stored_end(first, self._plan.segment(number)[1])

    def _new(self) -> Hasher:
        return new_hasher(self._algorithm)
