"""A process that works on shards of one run, one after the other: its credentials, the open bucket, its part of the
rate budget. Each process assumes the role by itself; a session serves all of its shards."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from s3haul.api.download import within_open_files
from s3haul.aws.session import OpenStore, open_store
from s3haul.cluster.description import RunDescription, with_external_id
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.shares import decode_sharers, share_of
from s3haul.core.stats import Stats
from s3haul.errors import CredentialsError
from s3haul.events import Event
from s3haul.options import LimitOptions, TransferOptions
from s3haul.store.limited import LimitedStore, fitting


@dataclass(slots=True)
class Node:
    """Made by `open_node`. `stats` are those of the shard under way; `share` is its part of the rate budget."""

    directory: RunDirectory
    run: RunDescription
    local: Path
    bucket: OpenStore
    store: LimitedStore
    share: LimitOptions
    stats: Stats
    name: str
    driven: bool

    def observe(self, event: Event) -> None:
        """Count an event for the shard under way."""
        self.stats.observe(event)

    def take_share(self) -> None:
        """Keep to this worker's part of the rate budget, as the driver last told it; to the one that it has where no
        driver tells."""
        if self.driven and (told := decode_sharers(self.directory.limits() or b"")):
            self.share = share_of(self.run.transfer, told)
            self.store.limit(self.share)


@asynccontextmanager
async def open_node(
    directory: RunDirectory,
    run: RunDescription,
    local: Path,
    *,
    sharers: int = 1,
    driven: bool = True,
    name: str = "",
) -> AsyncIterator[Node]:
    """A worker, with credentials of its own; one of `sharers`, unless it is `driven` and the driver tells of another
    number. What an earlier driver said is nothing to one that has no driver. Raises `S3HaulError`."""
    nodes: list[Node] = []

    def emit(event: Event) -> None:
        for node in nodes:
            node.observe(event)

    told = decode_sharers(directory.limits() or b"") if driven else None
    share = share_of(run.transfer, told or sharers)
    transfer = _unlimited(fitting(within_open_files(run.transfer, emit), share.bandwidth))
    opening = open_store(with_external_id(run), run.source, transfer, on_event=emit, ask_mfa=_no_code)
    async with opening as bucket:
        store = LimitedStore(bucket.store, share)
        name = name or os.uname().nodename
        node = Node(directory, run, local, bucket, store, share, Stats(), name, driven)
        nodes.append(node)
        yield node


def _unlimited(transfer: TransferOptions) -> TransferOptions:
    """The share is kept by the node's own store, which can change it."""
    return replace(transfer, max_rps=None, max_kms_rps=None, bandwidth=None)


async def _no_code(serial: str) -> str:
    raise CredentialsError(f"a worker has nobody to ask for the code of {serial}", id="S3H-STS-08")
