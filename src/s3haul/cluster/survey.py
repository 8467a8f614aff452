"""The state of a run, read from RUN at any time, without contact to the driver or the workers."""

import json
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.records import Report, RunDescription
from s3haul.cluster.schedule import Attempt


@dataclass(slots=True)
class NodeWork:
    """The work that one node has finished."""

    shards: int = 0
    objects: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Survey:
    """`retried` are shards with more than one attempt; `under_way` are the last reports of attempts that have not
    reported their end; `events` are those of the drivers."""

    run: RunDescription
    shards_done: int = 0
    objects: int = 0
    bytes: int = 0
    again: int = 0
    retried: dict[int, int] = field(default_factory=dict)
    under_way: list[Report] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    nodes: dict[str, NodeWork] = field(default_factory=dict)
    warnings: Counter[str] = field(default_factory=Counter)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.shards_done == self.run.shards

    def quantiles(self) -> tuple[float, float, float]:
        """Seconds that a shard took: shortest, median, longest; zeros if none is done."""
        seconds = self.seconds or [0.0]
        return min(seconds), statistics.median(seconds), max(seconds)


def survey(directory: RunDirectory) -> Survey:
    """Read everything. Raises `S3HaulError`."""
    found = Survey(directory.describe())
    done = directory.done()
    for number in sorted(done):
        marker = directory.marker(number)
        found.shards_done += 1
        found.objects += marker.objects
        found.bytes += marker.bytes
        found.again += marker.again
        found.failed.update(marker.failed)
        found.skipped.update(marker.skipped)
        found.retries.update(marker.retries)
        found.warnings.update(set(marker.warnings))
        found.seconds.append(marker.seconds)
        node = found.nodes.setdefault(marker.node, NodeWork())
        node.shards += 1
        node.objects += marker.objects
        node.bytes += marker.bytes
        node.seconds += marker.seconds
    for shard, latest in sorted(directory.latest_attempts().items()):
        if latest > 1:
            found.retried[shard] = latest
        if shard not in done:
            report = directory.last_report(Attempt(shard, latest))
            if report is not None and not report.ended:
                found.under_way.append(report)
    found.events = [json.loads(line) for line in directory.events()]
    return found
