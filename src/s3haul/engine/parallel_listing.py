"""Reads a listing with several requests at a time: each reads a range of the keys, page by page.

    first page -> second page -> does StartAfter work? -> ranges are split as long as pages are waited for

All requests have the prefix of the source and no delimiter: only StartAfter differs, so a policy judges
them alike. Each reader requests its next page while its last one is processed. A server on which StartAfter
does not work is read by one reader, with tokens alone, as is everything with a limit of 1.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Generic, Protocol

from s3haul.core.key_ranges import Coverage, Interval, KeyRange, ListedPage, OpenRanges
from s3haul.core.listing_validator import ListingValidator, incomplete
from s3haul.core.text import is_text, key_octets
from s3haul.engine.context import ReadContext
from s3haul.errors import AccessError
from s3haul.events import Warned
from s3haul.models import E, KeyPage, ListPage, ObjectRef

SERIAL_PAGES = 2  # are read before it is worth a request to find out about StartAfter
WAITING_PAGES = 2  # read and not processed yet; with the page of each reader, the memory of a listing
_KEY = attrgetter("key")


# Whether a range of the keys with this prefix may begin after this key:
# it is read before those to its left have ended.
MaySplit = Callable[[str, str], Awaitable[bool]]


async def always(_prefix: str, _point: str) -> bool:
    """As `MaySplit`."""
    return True


class Lister(Protocol[E]):
    """What is listed: pages of entries, one for each key in order; the objects that these stand for, and the
    interval of their keys for an interval of the entries' keys. `requests` counts."""

    requests: int

    async def list_page(
        self, prefix: str, *, token: str | None = None, start_after: str = ""
    ) -> KeyPage[E]: ...

    def refs(self, entries: Sequence[E]) -> Sequence[ObjectRef]: ...

    def interval(self, interval: Interval) -> Interval: ...


class CurrentLister:
    """As `Lister`, of the objects of the bucket."""

    def __init__(self, ctx: ReadContext) -> None:
        self.requests = 0
        self._store = ctx.store

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        self.requests += 1
        return await self._store.list_page(prefix, token=token, start_after=start_after)

    def refs(self, entries: Sequence[ObjectRef]) -> Sequence[ObjectRef]:
        return entries

    def interval(self, interval: Interval) -> Interval:
        return interval


class ParallelListing(Generic[E]):
    """One listing of all keys that begin with one of `prefixes`, by at most `limit` readers."""

    def __init__(
        self,
        ctx: ReadContext,
        lister: Lister[E],
        prefixes: Sequence[str],
        limit: int,
        may_split: MaySplit = always,
    ) -> None:
        self.prefixes = tuple(prefixes)
        self._ctx = ctx
        self._lister = lister
        self._limit = limit
        self._may_split = may_split
        self._ranges = OpenRanges(prefixes)
        self._queue: asyncio.Queue[ListedPage | Exception | None] = asyncio.Queue(WAITING_PAGES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0  # readers
        self._allowed = 1
        self._pages = 0
        self._start_after_works: bool | None = None  # not known yet
        self._probing = False
        self._repeated = False

    async def pages(self) -> AsyncGenerator[ListedPage, None]:
        """The listing, in the order in which pages come; in the order of the keys with a limit of 1. To be
        closed (`contextlib.aclosing`). Raises `ListingIncompleteError` or what ends the run."""
        coverage = Coverage()
        try:
            if self.prefixes:
                await self._begin()
                while (listed := await self._queue.get()) is not None:
                    if isinstance(listed, Exception):
                        raise listed
                    for interval in (listed.interval, *listed.empty):
                        coverage.add(interval)
                    yield listed
            if not coverage.is_exactly(self.prefixes):
                raise incomplete("ranges of keys are missing or were read twice", after=None)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self) -> None:
        """The first page. Who may list the source's whole prefix need not have the
        right to list less of it."""
        whole = self._ctx.source.prefix
        range_ = self._ranges.begin()
        assert range_ is not None
        try:
            page = await self._lister.list_page(range_.prefix)
        except AccessError:
            if self.prefixes == (whole,):
                raise
            self.prefixes = (whole,)
            self._ranges = OpenRanges(self.prefixes)
            range_ = self._ranges.begin()
            assert range_ is not None
            page = await self._lister.list_page(whole)
        self._start(partial(self._read, range_, page))

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        self._running += 1
        task = asyncio.get_running_loop().create_task(self._run_reader(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_reader(self, work: Callable[[], Awaitable[None]]) -> None:
        """One reader's task, to the end of its range."""
        try:
            await work()
            self._running -= 1
            await self._grow()
            if not self._running:
                await self._queue.put(None)
        except Exception as error:  # noqa: BLE001 - raised again where the pages are waited for
            await self._queue.put(error)

    async def _read(self, range_: KeyRange, page: KeyPage[E] | None = None) -> None:
        """All pages of a range; the first one may be here already."""
        validator = ListingValidator(range_.prefix, after=range_.after or None)
        if page is None:
            page = await self._lister.list_page(range_.prefix, start_after=range_.after)
        while True:
            listed = self._accept(range_, validator, page)
            self._pages += 1
            if self._queue.empty() and self._pages >= SERIAL_PAGES:
                self._allowed = min(self._limit, self._allowed + 1)
            await self._queue.put(listed)
            if range_.ended:
                return
            await self._grow()
            page = await self._lister.list_page(range_.prefix, token=page.token)

    def _accept(self, range_: KeyRange, validator: ListingValidator, page: KeyPage[E]) -> ListedPage:
        entries = validator.accept(page)
        if validator.repeated and not self._repeated:
            self._repeated = True
            self._ctx.emit(Warned("The listing names keys more than once; each counts once.", "S3H-INT-04"))
        keys, upto, unusable = list(map(_KEY, entries)), range_.upto, page.unusable
        if unusable:
            texts = [entry.key for entry in unusable if is_text(entry.key)]
            step = self._ranges.advance(
                range_, sorted(keys + texts), more=page.truncated, whole=len(texts) == len(unusable)
            )
            if upto is not None:
                unusable = tuple(entry for entry in unusable if key_octets(entry.key) <= key_octets(upto))
        else:
            step = self._ranges.advance(range_, keys, more=page.truncated)
        if upto is not None:
            entries = entries[: bisect_right(keys, upto)]
        return ListedPage(
            refs=self._lister.refs(entries),
            interval=self._lister.interval(step.interval),
            range=range_,
            last=range_.ended,
            unusable=unusable,
            empty=tuple(map(self._lister.interval, step.empty)),
        )

    async def _grow(self) -> None:
        """Begin to read more ranges, where more readers are allowed."""
        while self._running < self._allowed:
            if not self._ranges.waiting and not await self._split():
                return
            if self._running < self._allowed and (range_ := self._ranges.begin()):
                self._start(partial(self._read, range_))

    async def _split(self) -> bool:
        """Whether there are ranges now that nobody reads."""
        if self._limit == 1 or self._start_after_works is False or self._probing:
            return False
        found = self._ranges.points()
        if found is None:
            return False
        range_, points = found
        points = [point for point in points if await self._may_split(range_.prefix, point)]
        if points and self._start_after_works is None:
            self._probing = True
            self._start(partial(self._probe, range_, points[0]))
            return False
        return bool(self._ranges.split(range_, points))

    async def _probe(self, range_: KeyRange, point: str) -> None:
        """Request the keys after `point`, as the first ones of a new range, and see whether the server
        understands; until then nothing depends on it."""
        try:
            page = await self._lister.list_page(range_.prefix, start_after=point)
            first = next(iter(page.entries), None)
            if first is None:
                return  # nothing is there, or the server is at a loss: try elsewhere
            self._start_after_works = first.key > point
        finally:
            self._probing = False
        if self._start_after_works and self._ranges.split(range_, [point]):
            new = self._ranges.begin()
            assert new is not None
            await self._read(new, page)
