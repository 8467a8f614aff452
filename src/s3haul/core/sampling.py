"""Which objects stand for a bucket that is too large to ask for each: spread over the whole range of keys.

Pure. A page of the listing shows one neighbourhood; `jumps` says where to look next, `spread` picks
evenly from what was seen.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
_LAST = "\U0010ffff"
DEEPEST = 4  # directories below the prefix


def spread(found: Sequence[T], count: int) -> list[T]:
    """At most `count` of `found`, in order and evenly spaced, the first and the last among them."""
    if len(found) <= count:
        return list(found)
    step = (len(found) - 1) / (count - 1)
    return [found[round(index * step)] for index in range(count)]


def representative(found: Sequence[T], count: int, alike: Callable[[T], Hashable]) -> list[T]:
    """At most `count` of `found`: one of each kind as far as half of the places go, the others spread evenly."""
    if len(found) <= count:
        return list(found)
    kinds: dict[Hashable, int] = {}
    for index, one in enumerate(found):
        kinds.setdefault(alike(one), index)
    chosen = set(spread(list(kinds.values()), count // 2))
    others = [index for index in range(len(found)) if index not in chosen]
    return [found[index] for index in sorted(chosen.union(spread(others, count - len(chosen))))]


def jumps(base: str, last: str) -> Iterator[str]:
    """Where to list on after a page that ends with `last`: beyond that key's directories, the outermost
    first, so that few pages see every corner. `base` is the prefix of the listing."""
    parts = last[len(base) :].split("/")[:-1][:DEEPEST]
    for depth in range(1, len(parts) + 1):
        yield base + "/".join(parts[:depth]) + "/" + _LAST
    yield last
