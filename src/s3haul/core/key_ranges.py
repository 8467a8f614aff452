"""The ranges of keys that a listing is divided into, while it is read by several at a
time, and its pages. Pure.

A range has an exclusive lower limit, which is what StartAfter is, and an inclusive upper one: of two
neighbours the left one owns a key that equals the split point. A range is read page by page from its lower
limit; whatever lies before its cursor is accounted for. It can be split behind the cursor at any time, also
while a page of it is under way: what that page has beyond the new end is thrown away.

A range ends where a key behind it is seen, not where its last one is. So of two keys that a server sends one
after the other, whoever read the first reads the second, and a server with another order is found out as
surely as by one reader.

What was accounted for is given as intervals from one key, inclusive, to another, exclusive. `Coverage` proves
that these are adjacent and leave nothing out.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from s3haul.core.split_points import Alphabet
from s3haul.models import ObjectRef, Outcome, UnusableEntry

MOST_NEW = 64  # ranges that one split makes
WORTH_A_SPLIT = 3.0  # pages that are left in a range


class Interval(NamedTuple):
    """All keys with first <= key < end; `end` None: without end."""

    first: str
    end: str | None


class KeyRange:
    """The keys that begin with `prefix`, with after < key <= upto ("" and None: no limit)."""

    def __init__(self, prefix: str, after: str = "", upto: str | None = None) -> None:
        self.prefix, self.after, self.upto = prefix, after, upto
        self.cursor = after  # the last key that was read
        self.covered = just_after(after) if after else prefix  # where the next interval begins
        self.page: tuple[str, str] | None = None  # first and last key of the page that was read last
        self.pages = 0
        self.split_at = -1  # pages that were read when it was split last
        self.ended = False

    @property
    def end(self) -> str | None:
        """The first key behind the range, None where there can be none."""
        return prefix_end(self.prefix) if self.upto is None else just_after(self.upto)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """A page of the listing, or of a list that names objects. `refs` are in order. Nothing else is listed in
    `interval`, and nothing at all in the intervals of `empty`.

    `last`: it is the last page of `range`. `outcomes` are objects of a list that end here without a download;
    `lookups` counts the HEAD requests that the page took.
    """

    refs: Sequence[ObjectRef]
    interval: Interval
    range: KeyRange
    last: bool
    unusable: Sequence[UnusableEntry] = ()
    empty: tuple[Interval, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    lookups: int = 0


class Step(NamedTuple):
    """What one page comes to: how many of its keys are the range's own, what is accounted for now, and ranges
    that nobody has begun and that the page shows to be empty: nobody will read them."""

    own: int
    interval: Interval
    empty: tuple[Interval, ...]


class OpenRanges:
    """The ranges of one listing that are being read, or wait for somebody to read them."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self.waiting = [KeyRange(prefix) for prefix in prefixes]  # the next one comes first
        self.active: list[KeyRange] = []
        self._alphabet = Alphabet()

    def begin(self) -> KeyRange | None:
        """The next range to be read."""
        if not self.waiting:
            return None
        range_ = self.waiting.pop(0)
        self.active.append(range_)
        return range_

    def advance(self, range_: KeyRange, keys: Sequence[str], *, more: bool, whole: bool = True) -> Step:
        """A page of `range_` came: its keys in order, and whether more follow. `whole`:
        these are all the page's entries."""
        before, upto = range_.cursor, range_.upto
        own = len(keys) if upto is None else bisect_right(keys, upto)
        self._alphabet.learn(keys)
        empty = tuple(self._shown_empty(range_, keys, before, more=more)) if whole else ()
        if own:
            range_.cursor, range_.page = keys[own - 1], (keys[0], keys[own - 1])
        range_.pages += 1
        range_.ended = not more or own < len(keys)
        first, end = range_.covered, range_.end if range_.ended else just_after(range_.cursor)
        if not range_.ended and not range_.cursor:  # nothing was read yet
            end = first
        range_.covered = end if end is not None else first
        if range_.ended:
            self.active.remove(range_)
        return Step(own, Interval(first, end), empty)

    def points(self) -> tuple[KeyRange, list[str]] | None:
        """The range with the most pages left, and where to split it; None where no split is worth it.

        A range is split once a page at most: only a page shows where its keys are.
        """
        best, most = None, WORTH_A_SPLIT
        for range_ in self.active:
            if range_.page is None or range_.split_at == range_.pages:
                continue
            left = self._pages_left(range_)
            if left > most:
                best, most = range_, left
        if best is None:
            return None
        best.split_at = best.pages
        points = self._points_in(best)
        return (best, points) if points else None

    def split(self, range_: KeyRange, points: Sequence[str]) -> list[KeyRange]:
        """Divide what is left of `range_`; the new ranges wait.
        Points that it has passed meanwhile are left out."""
        upto = range_.upto
        good = [p for p in points if p > range_.cursor and (upto is None or p < upto)]
        if range_.ended or not good:
            return []
        new = [KeyRange(range_.prefix, low, high) for low, high in zip(good, [*good[1:], upto], strict=True)]
        range_.upto = good[0]
        self.waiting[:0] = new
        return new

    def _pages_left(self, range_: KeyRange) -> float:
        assert range_.page is not None
        if range_.upto is None:
            return float("inf")
        left = self._alphabet.pages_between(*range_.page, range_.cursor, range_.upto)
        return 100.0 if left is None else left

    def _points_in(self, range_: KeyRange) -> list[str]:
        assert range_.page is not None
        first, last = range_.page
        upto = range_.upto
        if upto is not None and self._alphabet.pages_between(first, last, range_.cursor, upto) is not None:
            middle = self._alphabet.middle(range_.cursor, upto)
            return [] if middle is None else [middle]
        points = self._alphabet.siblings(first, range_.cursor, range_.prefix)
        points = [point for point in points if upto is None or point < upto]
        return points[:: -(-len(points) // MOST_NEW)] if points else []

    def _shown_empty(
        self, range_: KeyRange, keys: Sequence[str], before: str, *, more: bool
    ) -> Iterable[Interval]:
        """A page says all of what lies between its cursor and its last key,
        and of everything behind that if no more follows."""
        last = keys[-1] if keys else ""
        for other in self.waiting[:]:
            if other.prefix != range_.prefix or other.after < before:
                continue
            behind = not more and other.after >= last
            inside = other.upto is not None and other.upto < last and not _any_in(other, keys)
            if behind or inside:
                self.waiting.remove(other)
                yield Interval(other.covered, other.end)


class Coverage:
    """Which keys were accounted for, as intervals that grow together."""

    def __init__(self) -> None:
        self._end_of: dict[str, str | None] = {}
        self._first_of: dict[str | None, str] = {}
        self._twice = False

    def add(self, interval: Interval) -> None:
        """Account for these keys."""
        first, end = interval
        if first == end:
            return
        self._twice |= first in self._end_of or end in self._first_of
        first = self._first_of.pop(first, first)
        if end is not None and end in self._end_of:
            end = self._end_of.pop(end)
        self._end_of[first] = end
        self._first_of[end] = first

    def is_exactly(self, prefixes: Iterable[str]) -> bool:
        """Whether it is all keys that begin with one of these, each once."""
        whole = Coverage()
        for prefix in prefixes:
            whole.add(Interval(prefix, prefix_end(prefix)))
        return not self._twice and self._end_of == whole._end_of


def just_after(key: str) -> str:
    """The next text in order: no key lies between."""
    return key + "\0"


def prefix_end(prefix: str) -> str | None:
    """The first text behind all that begin with `prefix`; None where nothing can come behind them."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at]) + 1
        if code <= 0x10FFFF:
            return prefix[:at] + chr(0xE000 if code == 0xD800 else code)
    return None


def may_have_keys_below(key: str, upto: str | None) -> bool:
    """Whether keys that begin with `key` and "/" may lie behind `upto`,
    of a listing that has come so far with none of them seen."""
    return upto is not None and upto.startswith(key) and upto[len(key) : len(key) + 1] <= "/"


def ancestors_across(point: str) -> list[str]:
    """The keys up to a split point that may have keys below them (that begin with the
    key and "/") behind it."""
    return [point[:at] for at in range(1, len(point) + 1) if point[at : at + 1] <= "/"]


def _any_in(range_: KeyRange, keys: Sequence[str]) -> bool:
    at = bisect_right(keys, range_.after)
    return at < len(keys) and (range_.upto is None or keys[at] <= range_.upto)
