"""A batch of the objects of a run: a page of the listing, or of a list that names objects. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass

from s3haul.core.key_ranges import Interval, KeyRange, just_after
from s3haul.models import ObjectRef, Outcome, UnusableEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`refs` are in order. Nothing else is listed in `interval`, and nothing at all in the intervals of `empty`.

    `ended`: this is the last batch of `range`. `outcomes` are objects of a list that end here without a download;
    `lookups` counts the HEAD requests that the batch took.
    """

    refs: Sequence[ObjectRef]
    interval: Interval
    range: KeyRange
    ended: bool
    unusable: Sequence[UnusableEntry] = ()
    empty: tuple[Interval, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    lookups: int = 0


class SerialBatches:
    """Makes batches of a source that names its objects in the order of their keys: they are all of one range."""

    def __init__(self, prefix: str) -> None:
        self._range = KeyRange(prefix)
        self._first = ""

    def next(
        self,
        refs: Sequence[ObjectRef],
        last: str,
        *,
        final: bool,
        unusable: Sequence[UnusableEntry] = (),
        outcomes: tuple[Outcome, ...] = (),
        lookups: int = 0,
    ) -> Batch:
        """The batch of all keys up to `last` ("": of none); the `final` one is of all keys that follow, too."""
        first = self._first
        if last:
            self._first = just_after(last)
        return Batch(
            refs=refs,
            interval=Interval(first, None if final else self._first),
            range=self._range,
            ended=final,
            unusable=unusable,
            outcomes=outcomes,
            lookups=lookups,
        )
