"""What every part of one run shares: built once and passed down. No behaviour beyond handing out these parts.

The parts stay the same during a run; what they limit (the rates of `rate_limited`, the limiters) may change.
`ReadContext` is for reading from S3; `Context` is also for writing to the disk and the journal.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from s3haul.core.key_ranges import ListedPage
from s3haul.core.limits import AdaptiveLimit
from s3haul.core.retry import RetryLimits
from s3haul.disk import Destination
from s3haul.events import Emit
from s3haul.journal import Journal
from s3haul.options import SourceOptions, TransferOptions
from s3haul.store.limiter import ConcurrencyLimiter, KmsThrottling, LargeTransferLimiter
from s3haul.store.protocol import ObjectStore, RenewableCredentials
from s3haul.store.rate_limited import RateLimitedStore, fitting
from s3haul.store.retrying import RetryingStore, RetrySettings


class ObjectSource(Protocol):
    """Where the objects of a run come from, other than from a listing: from a list, which may be out of date,
    and need not name all of them."""

    def pages(self, ctx: "ReadContext") -> AsyncGenerator[ListedPage, None]:
        """The objects in the order of their keys. Close the iterator (`contextlib.aclosing`).
        Raises what ends the run."""
        ...


@dataclass(frozen=True, kw_only=True)
class ReadContext:
    """What it takes to read from S3: the store with its limits and retries, and what limits requests.

    `rate_limited` is the store below `store`: its rates may be changed during a run.
    """

    store: RetryingStore
    rate_limited: RateLimitedStore
    source: SourceOptions
    options: TransferOptions
    limiter: ConcurrencyLimiter
    kms_throttling: KmsThrottling
    emit: Emit
    objects: ObjectSource | None = None  # None: the listing
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, kw_only=True)
class Context(ReadContext):
    """The parts of one run that writes. `file_name` is set for one object under another name.

    `shadowed` are keys that are directories of other keys which this run does not list.
    """

    large_limiter: LargeTransferLimiter
    destination: Destination
    journal: Journal
    threads: Executor
    file_name: str | None = None
    shadowed: frozenset[str] = frozenset()


def read_context(
    store: ObjectStore,
    source: SourceOptions,
    options: TransferOptions,
    emit: Emit,
    *,
    credentials: RenewableCredentials | None = None,
    objects: ObjectSource | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> ReadContext:
    """A context with limiters of its own around `store`. Its options allow no more than
    the bandwidth can serve."""
    fit = fitting(options, options.bandwidth)
    rate_limited = RateLimitedStore(store, options.limits, clock=clock, sleep=sleep)

    def new_limiter() -> ConcurrencyLimiter:
        return ConcurrencyLimiter(AdaptiveLimit(ceiling=fit.concurrency), clock=clock, sleep=sleep)

    settings = RetrySettings(
        url=source.url,
        limits=RetryLimits(attempts=options.max_attempts, timeout=options.retry_timeout),
        limiter=new_limiter(),
        kms_throttling=KmsThrottling(new_limiter()),
        credentials=credentials,
        emit=emit,
        sleep=sleep,
        clock=clock,
    )
    return ReadContext(
        store=RetryingStore(rate_limited, settings),
        rate_limited=rate_limited,
        source=source,
        options=fit,
        limiter=settings.limiter,
        kms_throttling=settings.kms_throttling,
        emit=emit,
        objects=objects,
        clock=clock,
    )
