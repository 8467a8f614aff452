"""A process that works on shards of a run (`Node`), and one attempt at a shard: the ordinary engine on
planned objects, then the audit and the marker.

Each process assumes the role itself; its session serves all of its shards. An attempt reports its progress
every few seconds, and checks whether it is still needed: if the driver has started a later attempt at the
shard, this one stops. Both may run for a while: each has temporary files of its own and verifies before it
renames, and only one marker can be published.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path

from s3haul.api.download import job_on, raise_open_files, within_open_files
from s3haul.aws.session import OpenStore, open_store
from s3haul.cluster.broker import BrokeredSessions
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.journal_directory import JournalDirectory, remove_finished
from s3haul.cluster.plan import Attempt, Shard, gzipped
from s3haul.cluster.records import AttemptReport, Marker, RunDescription, share_of, with_external_id
from s3haul.concurrency import in_thread, main_error
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.disk.root import sweep
from s3haul.engine.run import run_job
from s3haul.errors import CredentialsError, DestinationError, S3HaulError
from s3haul.events import Event
from s3haul.journal import manifest_lines
from s3haul.models import ListPage
from s3haul.options import LimitOptions, TransferOptions
from s3haul.store.protocol import ObjectStore, WrappedStore
from s3haul.store.rate_limited import RateLimitedStore, fitting

PAGE = 1000
REPORT_EVERY = 2.0  # seconds
_LAST = 1 << 30  # the sequence number of the last report


@dataclass(slots=True)
class Node:
    """Created by `open_node`. `stats` are those of the current shard;
    `share` is this process's part of the rate limits."""

    directory: RunDirectory
    run: RunDescription
    local: Path
    bucket: OpenStore
    store: RateLimitedStore
    share: LimitOptions
    stats: Stats
    name: str
    driven: bool

    def observe(self, event: Event) -> None:
        """Count an event for the current shard."""
        self.stats.observe(event)

    def take_share(self) -> None:
        """Use the share of the rate limits that the driver wrote last; without a driver, the share stays."""
        if self.driven and (sharers := self.directory.sharers()):
            self.share = share_of(self.run.transfer, sharers)
            self.store.limit(self.share)


@asynccontextmanager
async def open_node(
    directory: RunDirectory,
    run: RunDescription,
    local: Path,
    *,
    sharers: int = 1,
    driven: bool = True,
    broker: str = "",
) -> AsyncIterator[Node]:
    """A worker process with a session of its own, which it gets from `broker`, if there is one. `sharers`
    processes divide the rate limits; a driver may change that number in `limits.json`, which is read only if
    the process is `driven`. Raises `S3HaulError`."""
    node: Node | None = None
    first = Stats()  # of the first shard: what happens here counts there

    def emit(event: Event) -> None:
        (first if node is None else node.stats).observe(event)

    share = share_of(run.transfer, (driven and directory.sharers()) or sharers)
    raise_open_files(run.transfer.concurrency)
    transfer = _unlimited(fitting(within_open_files(run.transfer, emit), share.bandwidth))
    opening = open_store(
        run.access if broker else with_external_id(run),
        run.source,
        transfer,
        on_event=emit,
        ask_mfa=_no_code,
        assume=BrokeredSessions(broker) if broker else None,
    )
    async with opening as bucket:
        store = RateLimitedStore(bucket.store, share)
        name = os.uname().nodename
        node = Node(directory, run, local, bucket, store, share, first, name, driven)
        yield node


def _unlimited(transfer: TransferOptions) -> TransferOptions:
    """Without rate limits: the node's `RateLimitedStore` applies them, because they can change."""
    return replace(transfer, max_rps=None, max_kms_rps=None, bandwidth=None)


async def _no_code(serial: str) -> str:
    raise CredentialsError(f"a worker cannot ask for the code of {serial}", id="S3H-STS-08")


class SupersededError(S3HaulError):
    """A later attempt at this shard has begun, or the shard is finished: this one stops."""

    default_id = "S3H-RUN-04"


async def attempt_shard(node: Node, attempt: Attempt) -> Marker | None:
    """Copy the shard and publish it. None if another process has finished it. Raises `S3HaulError`,
    which is also in the last report."""
    shard_attempt = _ShardAttempt(node, attempt, time.monotonic())
    try:
        await shard_attempt.report()
        return await shard_attempt.run()
    except S3HaulError as error:
        node.directory.report(replace(shard_attempt.state(), sequence=_LAST).failed(error))
        raise
    finally:
        node.stats = Stats()


@dataclass(slots=True)
class _ShardAttempt:
    node: Node
    attempt: Attempt
    started: float
    sequence: int = 0

    async def run(self) -> Marker | None:
        node, run = self.node, self.node.run
        shard = await in_thread(None, node.directory.read_shard, self.attempt.shard, run)
        journal_directory = await in_thread(None, JournalDirectory.take, node.local, run.run_id, self.attempt)
        staging = f"{run.run_id}-{journal_directory.name}"
        try:
            with closing(_open_destination(run, staging)) as destination:
                destination.lock()
                await self._haul(shard, destination, journal_directory)
            marker = await in_thread(None, self._publish, journal_directory)
            sweep(Path(run.destination), staging)
            journal_directory.remove()
        finally:
            journal_directory.close()
        remove_finished(node.local, run.run_id, node.directory.is_done)
        return marker

    async def _haul(
        self, shard: Shard, destination: Destination, journal_directory: JournalDirectory
    ) -> None:
        job = replace(
            job_on(self.node.bucket, self.node.run.source, destination),
            store=PlannedStore(self.node.store, shard),
            journal=journal_directory.journal,
            shadowed=frozenset(shard.shadowed),
        )
        try:
            async with asyncio.TaskGroup() as group:
                reporting = group.create_task(self._keep_reporting())
                await run_job(job, self.node.stats, self.node.observe)
                reporting.cancel()
        except BaseExceptionGroup as errors:
            raise main_error(errors) from errors

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY)
            await in_thread(None, self._refuse_superseded)
            await in_thread(None, self.node.take_share)
            await self.report()

    async def report(self) -> None:
        """Write the progress."""
        self.sequence += 1
        await in_thread(None, self.node.directory.report, self.state())

    def state(self) -> AttemptReport:
        stats = self.node.stats
        return AttemptReport(
            shard=self.attempt.shard,
            attempt=self.attempt.number,
            node=self.node.name,
            pid=os.getpid(),
            sequence=self.sequence,
            objects=stats.finished,
            bytes=stats.already_bytes + stats.found_bytes + stats.resumed + stats.received,
        )

    def _refuse_superseded(self) -> None:
        directory, shard = self.node.directory, self.attempt.shard
        if not directory.is_latest(self.attempt) or directory.is_done(shard):
            raise SupersededError(
                f"A later attempt at shard {shard} has begun, or the shard is finished.",
                hint="nothing: this attempt did not report for too long",
            )

    def _publish(self, journal_directory: JournalDirectory) -> Marker | None:
        if not self.node.directory.is_done(self.attempt.shard):
            self._refuse_superseded()
        audit = gzipped(manifest_lines(journal_directory.journal))
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
            f"{run.destination} does not distinguish upper and lower case.",
            hint="copy to a case-sensitive file system, or with s3haul cp",
            id="S3H-DST-10",
        )
    return destination


class PlannedStore(WrappedStore):
    """Lists the objects of one shard; everything else as the store. To the engine it is a small bucket."""

    def __init__(self, store: ObjectStore, shard: Shard) -> None:
        super().__init__(store)
        self._shard = shard

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:  # noqa: ARG002 - the plan decides
        """A page of the shard; entries that name no object are in the last one."""
        first, refs = int(token or 0), self._shard.refs
        page = tuple(refs[first : first + PAGE])
        if first + PAGE < len(refs):
            return ListPage(page, True, str(first + PAGE), len(page))
        unusable = tuple(self._shard.unusable)
        return ListPage(page, False, None, len(page) + len(unusable), unusable=unusable)
