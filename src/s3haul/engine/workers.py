"""The workers: each takes a target from the channel and brings it to its one Outcome.

Whatever is raised here ends the run. `DenialWatch` distinguishes a few refused objects from a role that has lost its
permissions.
"""

import asyncio
from collections.abc import Awaitable, Callable

from s3haul.core.health import Health
from s3haul.diagnose.reasons import REFUSED, run_error
from s3haul.engine.channel import Channel, ChannelClosedError
from s3haul.engine.context import Context
from s3haul.engine.decision import Target
from s3haul.engine.tasks import spawn
from s3haul.errors import Fault, FaultKind
from s3haul.models import Outcome, State
from s3haul.store.limiter import ConcurrencyLimiter
from s3haul.store.retrying import GaveUpError
from s3haul.threads import in_thread

DENIALS_IN_A_ROW = 100
_STATUS = {"kms-key-unusable": 400}
MAX_BACKLOG = 20_000  # outcomes; with more, the workers wait for the disk instead of filling the memory


class DenialWatch:
    """Counts consecutive refusals over all workers, and remembers an object that the role could read."""

    def __init__(self, health: Health) -> None:
        self._in_a_row = 0
        self._health = health

    def succeeded(self, outcome: Outcome) -> None:
        """An object could be read."""
        self._in_a_row = 0
        if outcome.state is State.DONE and outcome.ref.size:
            self._health.good = outcome.ref.key

    async def observe(self, ctx: Context, outcome: Outcome) -> None:
        """Raises `S3HaulError` if everything is refused now, including an object that could be read before."""
        if outcome.reason not in REFUSED:
            self.succeeded(outcome)
            return
        self._in_a_row += 1
        if self._in_a_row < DENIALS_IN_A_ROW:
            return
        self._in_a_row = 0
        fault: Fault | None = _of(outcome)
        if self._health.good:
            fault = await _refusal(ctx, self._health.good)
        if fault is not None:
            raise run_error(fault, ctx.store.reading)


async def _refusal(ctx: Context, key: str) -> Fault | None:
    """Why an object that could be read before is refused now; None if it can be read, or is gone."""
    try:
        await ctx.store.read_byte(key)
    except GaveUpError as gave_up:
        return gave_up.fault if gave_up.action.reason in REFUSED else None
    return None


def _of(outcome: Outcome) -> Fault:
    """The fault behind an outcome, as far as the outcome tells."""
    code, _, message = (outcome.detail or "").partition(": ")
    return Fault(FaultKind.HTTP, message, code=code, status=_STATUS.get(outcome.reason or "", 403))


class WorkerPool:
    """Tasks of `group`, as many as requests may be under way, until the channel is closed and empty.

    `see_through` brings one target to its Outcome. `parked` returns how many workers wait for KMS: they are replaced.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        limiter: ConcurrencyLimiter,
        channel: Channel[Target],
        see_through: Callable[[Target], Awaitable[None]],
        parked: Callable[[], int] = lambda: 0,
    ) -> None:
        self._group = group
        self._limiter = limiter
        self._channel = channel
        self._see_through = see_through
        self._parked = parked
        self._workers: list[asyncio.Task[None]] = []
        self.grow()

    def cancel(self) -> None:
        for worker in self._workers:
            worker.cancel()

    def grow(self) -> None:
        """Start workers if more requests may be under way."""
        while len(self._workers) - self._parked() < self._limiter.limit:
            if (worker := spawn(self._group, self._work())) is None:
                return  # an object that is parked while the run ends
            self._workers.append(worker)

    async def _work(self) -> None:
        while True:
            try:
                target = await self._channel.receive()
            except ChannelClosedError:
                return
            await self._see_through(target)
            self.grow()


async def limit_backlog(ctx: Context) -> None:
    """Wait for the journal if outcomes arrive faster than the disk stores them."""
    if ctx.journal.backlog > MAX_BACKLOG:
        await in_thread(ctx.threads, ctx.journal.flush)
