"""Which keys are directories of other keys ("a" beside "a/b"), in a listing whose ranges come in any order.

Within a range `ShadowFilter` finds them. Where a range ends between a key and the keys that may lie below
it, S3 is asked whether there are any: for a handful of keys in a whole listing, mostly none. A list does not
name every key of the bucket: for those, the journal knows which keys earlier runs copied
(`among_neighbours`, in a thread).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from s3haul.core.key_ranges import KeyRange, may_have_keys_below
from s3haul.core.keypath import ShadowFilter, safe_path
from s3haul.engine.context import Context
from s3haul.engine.parallel_listing import Lister
from s3haul.journal import KnownRow
from s3haul.models import ObjectRef, State

LONGEST_KEY = 1024  # bytes

T = TypeVar("T")
# An entry of the listing with what the journal knows of it, and whether its key is shadowed.
Entry = tuple[ObjectRef, KnownRow | None]
Placed = tuple[Entry, bool]


class Shadows(Generic[T]):
    """Items with the verdict "shadowed?"; `key` returns an item's key.
    `known` keys are shadowed in any case."""

    def __init__(
        self, lister: Lister[Any], key: Callable[[T], str], known: Collection[str] = frozenset()
    ) -> None:
        self._lister = lister
        self._key = key
        self._known = known
        self._filters: dict[KeyRange, ShadowFilter[T]] = {}
        self._open: list[tuple[T, str]] = []  # items, each with the prefix of its listing
        self._below: dict[str, bool] = {}  # whether there are keys below a key, once requested

    def push(self, range_: KeyRange, items: Sequence[T], *, last: bool) -> list[tuple[T, bool]]:
        """The next items of a range, the last ones if it has ended; returns those with a verdict now."""
        shadows = self._filters.get(range_)
        if shadows is None:
            shadows = self._filters[range_] = ShadowFilter(key=self._key, known=self._known)
        decided = shadows.push_all(items)
        if last:
            del self._filters[range_]
            for item, known in shadows.flush():
                if known:
                    decided.append((item, True))
                elif may_have_keys_below(self._key(item), range_.upto):
                    self._open.append((item, range_.prefix))
                else:
                    decided.append((item, False))
        return decided

    async def looked_up(self) -> list[tuple[T, bool]]:
        """The items of ended ranges whose verdict needs a request to S3, with that verdict."""
        open_, self._open = self._open, []
        return [(item, await self.has_keys_below(self._key(item), prefix)) for item, prefix in open_]

    async def has_keys_below(self, key: str, prefix: str) -> bool:
        """Whether keys begin with `key` and "/", by a request for the same prefix as all others."""
        if key not in self._below:
            self._below[key] = await _has_keys_below(self._lister, key, prefix)
        return self._below[key]


async def _has_keys_below(lister: Lister[Any], key: str, prefix: str) -> bool:
    """No key is the last one before `key` + "/", so that the answer may begin with some that are less."""
    directory, end, token, before = key + "/", key + "0", None, key + ".\U0010ffff"
    if len(directory.encode()) > LONGEST_KEY:
        return False
    if len(before.encode()) > LONGEST_KEY:
        before = key + "."
    while True:
        page = await lister.list_page(prefix, token=token, start_after=before)
        found = [ref.key for ref in lister.refs(page.entries)] + [entry.key for entry in page.unusable]
        if any(each.startswith(directory) for each in found):
            return True
        if not page.truncated or any(entry.key >= end for entry in page.entries):
            return False
        token = page.token


def among_neighbours(ctx: Context, placed: list[Placed]) -> list[Placed]:
    """Move files aside that are in the way of the directories of these objects of a list; returns the
    objects, with what the journal knows of keys below them."""
    _make_way(ctx, (ref.key for (ref, _), _ in placed))
    return [(entry, shadowed or ctx.journal.committed.has_below(entry[0].key)) for entry, shadowed in placed]


def _make_way(ctx: Context, keys: Iterable[str]) -> None:
    base = ctx.source.base
    above = sorted({each for key in keys for each in _above(key, len(base))})
    for outcome in ctx.journal.committed.outcomes_of(above):
        key = outcome.ref.key
        if outcome.state is not State.DONE or key.endswith("/"):
            continue
        old = ctx.destination.path_on_disk(safe_path(key, base=base))
        if outcome.path == str(old):
            new = ctx.destination.path_on_disk(safe_path(key, base=base, shadowed=True))
            if ctx.destination.relocate(old, new):
                ctx.journal.record(outcome._replace(path=str(new)))


def _above(key: str, start: int) -> Iterator[str]:
    """The keys that would be a directory of this one."""
    end = key.find("/", start)
    while end >= 0:
        yield key[:end]
        end = key.find("/", end + 1)
