"""What every part of one run shares: built once by `run`, passed down, never changed.

In two widths: `Calls` asks S3, `Context` also brings objects onto the disk and records what became of them.

No behaviour beyond handing out these parts; the clock, the dice and the sleep are here so that tests
need not wait.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from s3haul.core.adaptive import AdaptiveLimit
from s3haul.core.retry import RetryLimits
from s3haul.diagnose.run_errors import Purpose, listing_of, reading_of
from s3haul.disk import Destination
from s3haul.engine.large_limiter import LargeTransferLimiter
from s3haul.events import Emit
from s3haul.journal import Journal
from s3haul.options import SourceOptions, TransferOptions
from s3haul.store.kms_throttling import KmsThrottling
from s3haul.store.limiter import ConcurrencyLimiter
from s3haul.store.protocol import ObjectStore


class RenewableCredentials(Protocol):
    """Credentials that can be replaced when S3 refuses them."""

    @property
    def access_key_id(self) -> str:
        """Names the session in use, so that a stale one is renewed once and not once per worker."""
        ...

    @property
    def trusted(self) -> bool:
        """Whether they are known to be good, so that a refusal is waited out before anything was served."""
        ...

    async def renew(self, stale_access_key: str, *, in_vain: bool = False) -> None:
        """Have the credentials that replace `stale_access_key` in place when this returns. `in_vain` says that
        nothing was served since the last renewal."""
        ...


class RoleCredentials(RenewableCredentials, Protocol):
    """The credentials of a role, with one owner of refreshing: the task that runs `run`."""

    async def run(self) -> None:
        """Refresh ahead of expiry until cancelled. Raises `AccessError` when the role is lost."""
        ...


@dataclass(frozen=True, kw_only=True)
class Calls:
    """What it takes to ask S3 for something with patience."""

    store: ObjectStore
    credentials: RenewableCredentials | None
    source: SourceOptions
    options: TransferOptions
    limiter: ConcurrencyLimiter
    emit: Emit
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    @cached_property
    def limits(self) -> RetryLimits:
        return RetryLimits(attempts=self.options.max_attempts, budget=self.options.retry_budget)

    @cached_property
    def kms_throttling(self) -> KmsThrottling:
        """Where objects wait for KMS."""
        return KmsThrottling(
            ConcurrencyLimiter(
                AdaptiveLimit(ceiling=self.options.concurrency), clock=self.clock, sleep=self.sleep
            )
        )

    @property
    def url(self) -> str:
        return f"s3://{self.source.bucket}/{self.source.prefix}"

    @cached_property
    def reading(self) -> Purpose:
        """The work on objects."""
        return reading_of(self.url)

    @cached_property
    def listing(self) -> Purpose:
        """The work on the listing."""
        return listing_of(self.url)


@dataclass(frozen=True, kw_only=True)
class Context(Calls):
    """The parts of one run that writes. `file_name` is set for one object under another name."""

    destination: Destination
    journal: Journal
    threads: Executor
    file_name: str | None = None

    @cached_property
    def large_limiter(self) -> LargeTransferLimiter:
        """Who may fetch a large body next."""
        return LargeTransferLimiter(self.limiter, self.options.ranges.memory)
