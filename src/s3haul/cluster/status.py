"""The state of a run, read from RUN at any time, without contact to the driver or the workers;
and what is lost with a node."""

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.plan import Attempt
from s3haul.cluster.records import AttemptReport, RunDescription
from s3haul.errors import UsageError


@dataclass(slots=True)
class NodeWork:
    """The work that one node has finished."""

    shards: int = 0
    objects: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class RunStatus:
    """`retried` are shards with more than one attempt; `under_way` are the last reports of attempts that have
    not reported their end; `events` are those of the drivers."""

    run: RunDescription
    shards_done: int = 0
    objects: int = 0
    bytes: int = 0
    again: int = 0
    retried: dict[int, int] = field(default_factory=dict)
    under_way: list[AttemptReport] = field(default_factory=list)
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


def read_status(directory: RunDirectory) -> RunStatus:
    """Read everything. Raises `S3HaulError`."""
    found = RunStatus(directory.describe())
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
    found.events = directory.events()
    return found


def forget_node(directory: RunDirectory, run: RunDescription, node: str) -> int:
    """The disk of a node is lost: mark its shards as not finished. Returns how many. A worker that still runs
    on that node cannot finish them. Raises `UsageError` if the nodes share one destination."""
    if not run.node_local:
        raise UsageError("The objects are in one place for all nodes: none is lost with a node.")
    markers = [directory.marker(shard) for shard in sorted(directory.done())]
    lost = [marker for marker in markers if marker.node == node]
    if not lost:
        nodes = ", ".join(sorted({marker.node for marker in markers})) or "none"
        raise UsageError(
            f"No finished shard is on a node {node!r}.", hint=f"nodes with finished shards: {nodes}"
        )
    for marker in lost:
        directory.claim(marker.shard)  # supersedes older attempts
        directory.retract(marker.shard)
    return len(lost)
