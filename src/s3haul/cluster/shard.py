"""One attempt at one shard: the ordinary engine on planned objects, then the audit and the marker.

It reports every few seconds how far it is, and looks whether it is still wanted: an attempt that was given up for dead
and lives stops as soon as it learns of a later one. What it does until then is harmless: it has temporary files of its
own, verifies before it renames, and a shard's marker is published once.
"""

import asyncio
import gzip
import hashlib
import os
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from s3haul.api.download import job_on
from s3haul.cluster.cutting import Shard
from s3haul.cluster.description import RunDescription
from s3haul.cluster.node import Node
from s3haul.cluster.planned_store import PlannedStore
from s3haul.cluster.records import Marker, Report
from s3haul.cluster.schedule import Attempt
from s3haul.cluster.workplace import Workplace, remove_finished
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.disk.shards import sweep
from s3haul.engine.run import haul
from s3haul.engine.tasks import most_telling
from s3haul.errors import DestinationError, S3HaulError
from s3haul.journal import manifest_lines
from s3haul.threads import in_thread

REPORT_EVERY = 2.0  # seconds
_LEVEL = 6
_LAST = 1 << 30  # the sequence number of the last report


class SupersededError(S3HaulError):
    """A later attempt at this shard has begun, or the shard is finished: this one stops."""

    default_id = "S3H-RUN-04"


async def attempt_shard(node: Node, attempt: Attempt) -> Marker | None:
    """Haul the shard and publish it; None where somebody else has finished it. Raises `S3HaulError`, which the last
    report tells, too."""
    node.stats = Stats()
    shard_attempt = _ShardAttempt(node, attempt, time.monotonic())
    try:
        await shard_attempt.report()
        return await shard_attempt.run()
    except S3HaulError as error:
        node.directory.report(replace(shard_attempt.state(), sequence=_LAST).failed(error))
        raise


@dataclass(slots=True)
class _ShardAttempt:
    node: Node
    attempt: Attempt
    started: float
    sequence: int = 0

    async def run(self) -> Marker | None:
        node, run = self.node, self.node.run
        shard = await in_thread(None, node.directory.read_shard, self.attempt.shard, run)
        workplace = await in_thread(None, Workplace.take, node.local, run.run_id, self.attempt)
        staging = f"{run.run_id}-{workplace.name}"
        try:
            with closing(_open_destination(run, staging)) as destination:
                destination.lock()
                await self._haul(shard, destination, workplace)
            marker = await in_thread(None, self._publish, workplace)
            sweep(Path(run.destination), staging)
            workplace.remove()
        finally:
            workplace.close()
        remove_finished(node.local, run.run_id, node.directory.is_done)
        return marker

    async def _haul(self, shard: Shard, destination: Destination, workplace: Workplace) -> None:
        job = replace(
            job_on(self.node.bucket, self.node.run.source, destination),
            store=PlannedStore(self.node.store, shard),
            journal=workplace.journal,
            shadowed=frozenset(shard.shadowed),
        )
        try:
            async with asyncio.TaskGroup() as group:
                reporting = group.create_task(self._report_on())
                await haul(job, self.node.stats, self.node.observe)
                reporting.cancel()
        except BaseExceptionGroup as errors:
            raise most_telling(errors) from errors

    async def _report_on(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY)
            await in_thread(None, self._refuse_superseded)
            await in_thread(None, self.node.take_share)
            await self.report()

    async def report(self) -> None:
        """Say how far it is."""
        self.sequence += 1
        await in_thread(None, self.node.directory.report, self.state())

    def state(self) -> Report:
        stats = self.node.stats
        return Report(
            shard=self.attempt.shard,
            attempt=self.attempt.number,
            node=self.node.name,
            pid=os.getpid(),
            sequence=self.sequence,
            objects=stats.ended,
            bytes=stats.already_bytes + stats.found_bytes + stats.resumed + stats.received,
        )

    def _refuse_superseded(self) -> None:
        directory, shard = self.node.directory, self.attempt.shard
        if not directory.is_latest(self.attempt) or directory.is_done(shard):
            raise SupersededError(
                f"A later attempt at shard {shard} has begun, or the shard is finished.",
                hint="nothing: this attempt was taken for dead",
            )

    def _publish(self, workplace: Workplace) -> Marker | None:
        if not self.node.directory.is_done(self.attempt.shard):
            self._refuse_superseded()
        text = "".join(f"{line}\n" for line in manifest_lines(workplace.journal))
        audit = gzip.compress(text.encode("ascii"), _LEVEL, mtime=0)
        marker = Marker.of(
            self.node.stats,
            shard=self.attempt.shard,
            attempt=self.attempt.number,
            node=self.node.name,
            audit_sha256=hashlib.sha256(audit).hexdigest(),
            seconds=time.monotonic() - self.started,
        )
        return marker if self.node.directory.publish(marker, audit) else None


def _open_destination(run: RunDescription, staging: str) -> Destination:
    destination = Destination.open(Path(run.destination), force=run.force, shard=staging)
    if destination.folds_names:
        destination.close()
        raise DestinationError(
            f"{run.destination} takes names for one another that differ in case alone.",
            hint="haul to a file system that tells them apart, or with s3haul cp",
            id="S3H-DST-10",
        )
    return destination
