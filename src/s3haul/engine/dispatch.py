"""Where a target goes: small plain objects to the thread for small objects, all others to the workers.

listing --> queue --> small_objects --> outcomes of a batch --> finish
              |             | what is not plain
              v             v
            channel <-------+
              `--> workers --> object.transfer --> finish
"""

import asyncio
from collections.abc import Sequence
from contextlib import closing

from s3haul.engine.budget import Budget
from s3haul.engine.channel import Channel
from s3haul.engine.context import Context
from s3haul.engine.decision import Target
from s3haul.engine.listing import produce
from s3haul.engine.object import transfer
from s3haul.engine.object_sources import since_listed
from s3haul.engine.outcomes import finish
from s3haul.engine.periodic import tick
from s3haul.engine.recorder import Recorder
from s3haul.engine.signals import Interruption
from s3haul.engine.small_objects import SmallObjectFetcher, is_plain
from s3haul.engine.workers import DenialWatch, WorkerPool, limit_backlog
from s3haul.models import Outcome

QUEUE = 4096  # targets that wait for a worker


class Dispatcher:
    """Created on the event loop, for one run."""

    def __init__(self, ctx: Context, budget: Budget, recorder: Recorder) -> None:
        self._ctx, self._budget, self._recorder = ctx, budget, recorder
        self._channel: Channel[Target] = Channel(QUEUE)
        self._denials = DenialWatch(ctx.limiter.health)
        self._small = SmallObjectFetcher(ctx, self._record, self._channel.push)
        self._producer: asyncio.Task[None]
        self._workers: WorkerPool

    async def run(self, interruption: Interruption) -> None:
        """Copy everything that is listed. Raises what ends the run, perhaps as a group."""
        ctx = self._ctx
        with closing(self._small):
            async with asyncio.TaskGroup() as group:
                self._producer = group.create_task(produce(ctx, self._queue))
                self._workers = WorkerPool(
                    group, ctx.limiter, self._channel, self._see_through, ctx.kms_throttling.taken
                )
                ctx.kms_throttling.call_on_entry(self._waits_for_kms)
                ticker = group.create_task(tick(ctx, self._small.wake, self._budget, interruption))
                group.create_task(self._close_channel(ticker))
                interruption.drain, interruption.cancel = self._drain, self._cancel
                if interruption.number is not None:  # the signal arrived before the tasks
                    self._drain()
                    self._cancel()

    async def _queue(self, targets: Sequence[Target]) -> None:
        """Take the targets of one page of the listing; wait while too many are queued."""
        await limit_backlog(self._ctx)
        targets = self._budget.fitting(targets)
        plain = [target for target in targets if self._small.available and is_plain(target)]
        await self._small.submit(plain)
        of_batches = {target.ref.key for target in plain}
        for target in targets:
            if target.ref.key not in of_batches:
                await self._channel.send(target)
        self._budget.stop_if_full(self._producer)

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        """Objects of a batch are done."""
        finish(self._ctx, outcomes)
        for outcome in outcomes:
            self._ctx.kms_throttling.saw(outcome)
        self._denials.succeeded(outcomes[-1])

    async def _see_through(self, target: Target) -> None:
        """Bring one target to its Outcome, in a worker. Raises what ends the run."""
        ctx, began = self._ctx, self._ctx.clock()
        outcome = since_listed(ctx, target, await transfer(ctx, target))
        self._recorder.ended(target.ref.key, target.ref.size, began)
        ctx.kms_throttling.saw(outcome)
        finish(ctx, (outcome,))
        await limit_backlog(ctx)
        await self._denials.observe(ctx, outcome)
        self._small.ended(target.ref.key)

    def _waits_for_kms(self, key: str) -> None:
        """Others may use the worker of this object, and its place among those that batches handed back."""
        self._small.ended(key)
        self._workers.grow()
        self._small.wake()

    async def _close_channel(self, ticker: asyncio.Task[None]) -> None:
        """Close the channel once no target can arrive any more: after the listing and the batches, which may hand
        objects back until then."""
        try:
            await asyncio.wait([self._producer])
            await self._small.join()
        finally:
            self._channel.close()
            ticker.cancel()

    def _drain(self) -> None:
        """Start nothing more."""
        self._small.drain()
        self._channel.discard()
        self._producer.cancel()

    def _cancel(self) -> None:
        """Abandon what is under way."""
        self._small.close()
        self._workers.cancel()
