"""Hashes a file behind the writes: in order within each segment, segment beside segment, in threads.

For digests that cannot be combined from those of blocks (SHA1, SHA256, SHA512, MD5): the ranges land in any
order, and what lies ready behind the last hashed byte is read back, mostly from the page cache.
"""

from collections.abc import Awaitable, Callable

from s3haul.core.block_map import BlockMap
from s3haul.core.checksums import Data, Hasher, new_hasher
from s3haul.core.ranges import RangePlan

# Feeds the bytes from the first to the end (exclusive) to an update, off the event loop.
Feed = Callable[[Callable[[Data], None], int, int], Awaitable[None]]


class Hashing:
    """The hashes of one file. Whoever is given a segment by `claim` or `resting` calls `advance` with it."""

    def __init__(self, plan: RangePlan, block_map: BlockMap, algorithm: str, feed: Feed) -> None:
        self._plan, self._block_map, self._algorithm, self._feed = plan, block_map, algorithm, feed
        self._hashers: list[Hasher] = []
        self._next: list[int] = []
        self._busy: set[int] = set()
        for number in range(len(plan.segments)):
            self._hashers.append(self._new())
            self._next.append(plan.segment(number)[0])

    def claim(self, block: int) -> int | None:
        """The segment that can go on because this block has landed; None if it is busy or waits for others."""
        number = self._plan.segment_of(block)
        if number in self._busy or self._next[number] != block:
            return None
        self._busy.add(number)
        return number

    def resting(self) -> list[int]:
        """All segments that can go on, for the beginning."""
        firsts = enumerate(self._next)
        found = [number for number, first in firsts if self._landed_end(number, first) > first]
        self._busy.update(found)
        return found

    async def advance(self, number: int) -> None:
        """Hash what has landed of a segment, until there is no more."""
        try:
            while (end := self._landed_end(number, first := self._next[number])) > first:
                start, stop = self._plan.start(first), self._plan.start(end)
                await self._feed(self._hashers[number].update, start, stop)
                self._next[number] = end
        finally:
            self._busy.discard(number)

    def restart(self, number: int) -> None:
        """The bytes of a segment will be others."""
        self._hashers[number] = self._new()
        self._next[number] = self._plan.segment(number)[0]

    def digests(self) -> list[bytes]:
        """Of all segments, once everything has landed and is hashed."""
        return [hasher.digest() for hasher in self._hashers]

    def _landed_end(self, number: int, first: int) -> int:
        return self._block_map.landed_end(first, self._plan.segment(number)[1])

    def _new(self) -> Hasher:
        hasher = new_hasher(self._algorithm)
        assert hasher is not None, "only supported algorithms get here"
        return hasher
