"""A store of keys alone, whose pages come in any order, and what a parallel listing makes of it."""

import asyncio
import bisect
import random
from contextlib import aclosing

from s3haul.engine.context import read_context
from s3haul.engine.parallel_listing import CurrentLister, ParallelListing
from s3haul.models import ListPage, ObjectRef
from s3haul.options import SourceOptions, TransferOptions


class KeyStore:
    """As much of `store.ObjectStore` as a listing needs. Answers take some turns of the event loop."""

    def __init__(self, keys, *, page_size=10, seed=1, turns=3):
        self.keys, self.page_size = sorted(keys), page_size
        self.asked = []  # (prefix, token, start_after)
        self.now = self.most = 0
        self._dice, self._most_turns = random.Random(seed), turns

    async def list_page(self, prefix, *, token=None, start_after=""):
        self.asked.append((prefix, token, start_after))
        start_after.encode()
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self._turns()
            page = self.page(prefix, token, start_after)
            await self._turns()
            return page
        finally:
            self.now -= 1

    def page(self, prefix, token, start_after):
        after = token if token is not None else start_after
        at = bisect.bisect_right(self.keys, after) if after else bisect.bisect_left(self.keys, prefix)
        found = [key for key in self.keys[at : at + self.page_size + 1] if key.startswith(prefix)]
        keys, more = found[: self.page_size], len(found) > self.page_size
        refs = tuple(ObjectRef(key, 1, '"e"', 0.0) for key in keys)
        return ListPage(refs, more, keys[-1] if more else None, len(keys))

    async def _turns(self):
        for _ in range(self._dice.randint(0, self._most_turns)):
            await asyncio.sleep(0)


def calls(store, prefix="", emit=lambda _event: None, **options):
    transfer = TransferOptions(max_attempts=2, **options)

    async def nap(_seconds):
        pass

    source = SourceOptions(bucket="bucket", prefix=prefix)
    return read_context(store, source, transfer, emit, sleep=nap)


async def listed(store, prefixes=("",), *, limit=16, each=None, **more):
    """All keys in the order in which they came, and the listing."""
    ctx = calls(store, more.pop("prefix", prefixes[0]))
    listing = ParallelListing(ctx, CurrentLister(ctx), prefixes, limit, **more)
    keys = []
    async with aclosing(listing.pages()) as pages:
        async for page in pages:
            keys += [ref.key for ref in page.refs]
            if each is not None:
                await each(page)
    return keys, listing
