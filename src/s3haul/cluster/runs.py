"""A run from end to end, assembled: plan it from a listing, drive it, work on single shards. The command line comes
through here; nothing is printed."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

from s3haul.aws.session import OpenStore, open_store
from s3haul.cluster.cutting import ShardSize
from s3haul.cluster.description import RunDescription, without_secrets
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.node import Node, open_node
from s3haul.cluster.planner import Page, Planned, Request, make_plan
from s3haul.cluster.records import Marker
from s3haul.cluster.schedule import Attempt
from s3haul.cluster.shard import attempt_shard
from s3haul.disk import Destination
from s3haul.engine.context import read_context
from s3haul.engine.parallel_listing import ParallelListing
from s3haul.errors import S3HaulError, UsageError
from s3haul.events import Emit
from s3haul.options import AccessOptions, DestinationOptions, Existing, SourceOptions, TransferOptions


def _ignore(_told: object) -> None:
    """Nobody listens."""


async def plan_listing(
    directory: RunDirectory,
    source: SourceOptions,
    destination: DestinationOptions,
    *,
    access: AccessOptions,
    transfer: TransferOptions,
    size: ShardSize,
    node_local: bool = False,
    on_event: Emit = _ignore,
    progress: Callable[[Planned], None] = _ignore,
) -> RunDescription:
    """List the source, and write the plan of it. `node_local` says that the destination is another disk on every node.
    Raises `S3HaulError`."""
    refuse_what_cannot_be_shared(access, transfer)
    if not source.recursive:
        raise UsageError("One object needs no plan.", hint="name a bucket or a prefix, or use s3haul cp")
    if not node_local:
        with Destination.open(destination.root, force=destination.force):
            pass  # it can be used, from here at least
    async with open_store(access, source, transfer, on_event=on_event) as bucket:
        request = Request(
            source,
            destination.root,
            destination.force,
            access,
            transfer,
            size,
            bucket.effective.endpoint,
            node_local,
        )
        return await make_plan(directory, request, _listed(bucket, source, on_event), progress=progress)


def refuse_what_cannot_be_shared(access: AccessOptions, transfer: TransferOptions) -> None:
    """Raises `UsageError` for what only one process can do."""
    without_secrets(access)
    if transfer.existing is Existing.SKIP:
        raise UsageError(
            "A run of many processes cannot leave existing files alone.",
            hint="a shard that is tried again meets files that its lost attempt made; use s3haul cp --existing skip",
        )


async def _listed(bucket: OpenStore, source: SourceOptions, on_event: Emit) -> AsyncIterator[Page]:
    ctx = read_context(bucket.store, source, bucket.transfer, on_event, credentials=bucket.credentials)
    listing = ParallelListing(ctx, (source.prefix,), limit=1)  # a plan needs the order of the keys
    async with aclosing(listing.batches()) as batches:
        async for batch in batches:
            yield Page(list(batch.refs), tuple(batch.unusable))


async def work_on_shards(
    directory: RunDirectory, local: Path, shards: list[int], *, sharers: int
) -> list[Marker]:
    """Haul these shards, one after the other, without a driver: for array jobs. Those that are finished are left
    alone. Returns all markers. Raises `S3HaulError`, after the others, where a shard could not be finished."""
    run = directory.describe()
    left = [shard for shard in shards if not directory.is_done(shard)]
    if left:
        async with open_node(directory, run, local, sharers=sharers, driven=False) as node:
            await _attempt_all(node, left)
    return [directory.marker(shard) for shard in shards]


async def _attempt_all(node: Node, shards: list[int]) -> None:
    failed: S3HaulError | None = None
    for shard in shards:
        try:
            await attempt_shard(node, _claimed(node.directory, shard))
        except S3HaulError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def _claimed(directory: RunDirectory, shard: int, *, after: int = 0) -> Attempt:
    """The next attempt at a shard, by a process that has no driver."""
    attempt = Attempt(shard, after + 1)
    while not directory.claim(attempt):
        attempt = attempt._replace(number=attempt.number + 1)
    return attempt


def forget_node(directory: RunDirectory, run: RunDescription, node: str) -> int:
    """The disk of a node is lost: its shards are to be hauled again; how many. A worker of it that still lives can
    finish none of them. Raises `UsageError` where nothing is lost with a node."""
    if not run.node_local:
        raise UsageError("The objects are in one place for all nodes: none is lost with a node.")
    markers = (directory.marker(shard) for shard in sorted(directory.done()))
    lost = [marker for marker in markers if marker.node == node]
    for marker in lost:
        _claimed(directory, marker.shard, after=marker.attempt)
        directory.retract(marker.shard)
    return len(lost)


def array_shards(run: RunDescription, text: str) -> tuple[list[int], int]:
    """The shards that "N" or "N/M" names, and how many processes work at the same time as far as that tells: "3/8" are
    the shards 3, 11, 19 and so on. Raises `UsageError`."""
    first, slash, count = text.partition("/")
    if not (first.isdecimal() and first.isascii() and (not slash or (count.isdecimal() and count.isascii()))):
        raise UsageError(f"{text!r} names no shard.", hint="a number, or N/M for every M-th shard from N on")
    number, step = int(first), int(count) if slash else run.shards
    if slash and number >= step:
        raise UsageError(f"{text!r} names no shard.", hint=f"N goes from 0 to {step - 1}")
    if number >= run.shards:
        if slash:
            return [], step  # more tasks than shards
        raise UsageError(f"The plan has {run.shards} shards, from 0 on, and no shard {number}.")
    return list(range(number, run.shards, step)), step
