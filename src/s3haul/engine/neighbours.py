"""A list does not name every key of the bucket, so what earlier runs brought decides too which keys are shadowed.

"a" beside "a/b" needs a name of its own, since "a" is a directory then (see `core.keypath`). The listing shows both; of a
list one may be named by another run. Runs in a thread.
"""

from collections.abc import Iterable, Iterator

from s3haul.core.keypath import safe_path
from s3haul.engine.context import Context
from s3haul.journal import KnownRow
from s3haul.models import ObjectRef, State

Placed = tuple[tuple[ObjectRef, KnownRow | None], bool]


def among_neighbours(ctx: Context, placed: list[Placed]) -> list[Placed]:
    """Objects of a list with what the journal knows of keys above and below them. Files that are in the way of their
    directories move aside."""
    _make_way(ctx, (ref.key for (ref, _), _ in placed))
    return [(entry, shadowed or ctx.journal.has_below(entry[0].key)) for entry, shadowed in placed]


def _make_way(ctx: Context, keys: Iterable[str]) -> None:
    base = ctx.source.base
    above = sorted({each for key in keys for each in _above(key, len(base))})
    for outcome in ctx.journal.outcomes_of(above):
        key = outcome.ref.key
        if outcome.state is not State.DONE or key.endswith("/"):
            continue
        old = ctx.destination.settle(safe_path(key, base=base))
        if outcome.path == str(old):
            new = ctx.destination.settle(safe_path(key, base=base, shadowed=True))
            if ctx.destination.relocate(old, new):
                ctx.journal.record(outcome._replace(path=str(new)))


def _above(key: str, start: int) -> Iterator[str]:
    """The keys that would be a directory of this one."""
    end = key.find("/", start)
    while end >= 0:
        yield key[:end]
        end = key.find("/", end + 1)
