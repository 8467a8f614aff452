"""The bucket listed once more at the end of a run, and compared with the journal: what came,
changed or went meanwhile.

Nothing is fetched and nothing recorded: the next run does that. Each page is compared with the rows of its
own range of keys, so that nothing grows with the bucket.
"""

from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

from s3haul.concurrency import in_thread
from s3haul.core.filters import key_selector, object_selector, prefixes_to_list
from s3haul.core.key_ranges import Interval, ListedPage, just_after
from s3haul.core.text import is_text
from s3haul.engine.context import Context
from s3haul.engine.listing import list_limit
from s3haul.engine.parallel_listing import CurrentLister, ParallelListing
from s3haul.events import Reconciled
from s3haul.journal import KnownRow
from s3haul.models import ObjectRef, same_etag

EXAMPLES = 3
PAGE = 1000


@dataclass(slots=True)
class _Differences:
    added: int = 0
    changed: int = 0
    deleted: int = 0
    examples: list[str] = field(default_factory=list)

    def show(self, key: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(key)


async def reconcile(ctx: Context) -> None:
    """Emits `Reconciled`. Raises what ends the run."""
    await in_thread(ctx.threads, ctx.journal.flush)
    found = _Differences()
    prefixes = prefixes_to_list(ctx.options.filters, ctx.source.prefix)
    async with aclosing(ParallelListing(ctx, CurrentLister(ctx), prefixes, list_limit(ctx)).pages()) as pages:
        async for page in pages:
            await in_thread(ctx.threads, _compare, ctx, page, found)
    ctx.emit(Reconciled(found.added, found.changed, found.deleted, tuple(found.examples)))


def _compare(ctx: Context, page: ListedPage, found: _Differences) -> None:
    """One page against the rows of the same keys. Runs in a thread."""
    selected = object_selector(ctx.options, ctx.source.base)
    first, end = page.interval
    behind = just_after(page.refs[-1].key) if page.refs else first
    rows = ctx.journal.committed.known(first, behind)
    for ref in page.refs:
        row = rows.pop(ref.key, None)
        if selected(ref):
            _compare_one(ref, row, found)
    for entry in page.unusable:
        rows.pop(entry.key, None)
    _count_deleted(ctx, list(rows), found)
    unusable = {entry.key for entry in page.unusable}
    for interval in (Interval(behind, end), *page.empty):
        for keys in _keys_in(ctx, interval):
            _count_deleted(ctx, [key for key in keys if key not in unusable], found)


def _keys_in(ctx: Context, interval: Interval) -> Iterator[list[str]]:
    """The listed keys of the journal in an interval, a page at a time."""
    first, end = interval
    while keys := ctx.journal.committed.keys_between(first, end, PAGE):
        yield keys
        first = just_after(keys[-1])


def _compare_one(ref: ObjectRef, row: KnownRow | None, found: _Differences) -> None:
    if row is None:
        found.added += 1
    elif not same_etag(row.etag, ref.etag) or row.size != ref.size:
        found.changed += 1
    else:
        return
    found.show(ref.key)


def _count_deleted(ctx: Context, keys: list[str], found: _Differences) -> None:
    """Count keys that are not listed. One that is not UTF-8 may be listed by a page that
    does not cover its place."""
    selected = key_selector(ctx.options, ctx.source.base)
    for key in filter(selected, filter(is_text, keys)):
        found.deleted += 1
        found.show(key)
