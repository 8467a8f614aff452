"""The course of one run as a list of samples that never grows beyond a limit.

Pure: samples in, samples out. When the list is full, neighbours become one, and from then on a sample covers twice the
time: a run of a minute is known by the second, one of a week by the half hour.
"""

from collections.abc import Sequence
from typing import NamedTuple

MOST = 480  # samples of a run
SHORTEST = 0.95  # seconds that a sample covers, at least; one is taken every second


class Sample(NamedTuple):
    """What happened in the `seconds` after `start`, which counts from the beginning of the run.

    `limit` is how many requests were allowed at a time, at most. Of the first-byte times of a sample of requests: the
    median and the 99th percentile, None where there was none.
    """

    start: float
    seconds: float
    bytes: int
    objects: int
    listed: int
    limit: int
    retries: int
    throttles: int
    renewals: int
    first_byte: float | None = None
    first_byte_high: float | None = None


class Series:
    """Give it samples in order, each beginning where the last one ended."""

    def __init__(self) -> None:
        self._whole: list[Sample] = []
        self._open: Sample | None = None  # covers too little time yet
        self._shortest = SHORTEST

    def add(self, sample: Sample) -> None:
        joined = sample if self._open is None else join((self._open, sample))
        if joined.seconds < self._shortest:
            self._open = joined
            return
        self._open = None
        self._whole.append(joined)
        if len(self._whole) == MOST:
            self._whole = [join(self._whole[at : at + 2]) for at in range(0, MOST, 2)]
            self._shortest *= 2

    @property
    def samples(self) -> list[Sample]:
        """The last one may cover less time than the others."""
        return self._whole if self._open is None else [*self._whole, self._open]


def join(neighbours: Sequence[Sample]) -> Sample:
    """Some samples as one. The percentiles of all are not known any more: the greatest stands for them."""
    return Sample(
        start=neighbours[0].start,
        seconds=sum(each.seconds for each in neighbours),
        bytes=sum(each.bytes for each in neighbours),
        objects=sum(each.objects for each in neighbours),
        listed=sum(each.listed for each in neighbours),
        limit=max(each.limit for each in neighbours),
        retries=sum(each.retries for each in neighbours),
        throttles=sum(each.throttles for each in neighbours),
        renewals=sum(each.renewals for each in neighbours),
        first_byte=_greatest([each.first_byte for each in neighbours]),
        first_byte_high=_greatest([each.first_byte_high for each in neighbours]),
    )


def _greatest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
