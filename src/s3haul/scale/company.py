"""The engine processes of one run and the parent's dealings with them.

The parent lists, keeps the books, renews the keys and holds the one rate budget; the processes fetch,
verify and land. One that dies is replaced, and what it had under way is fetched again.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from s3haul.aws.keys import FetchKeys, Keys
from s3haul.aws.wire.endpoint import Endpoint
from s3haul.engine.admission import Target
from s3haul.engine.channel import Channel, ChannelClosedError
from s3haul.engine.context import Context
from s3haul.engine.pool import Crew, DenialWatch, conclude
from s3haul.errors import EngineProcessError
from s3haul.events import Received, Warned
from s3haul.models import Outcome, State
from s3haul.scale.messages import Broken, Budget, Ready, Renew, Report, Start, Throttled
from s3haul.scale.seat import Seat, least_loaded

MOST_DEATHS = 8  # of processes in one run
MOST_LOSSES = 3  # of processes that had the same object
KEYS_EVERY = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """How many processes, where they fetch from, and who has the keys."""

    count: int
    endpoint: Endpoint
    authorities: str
    fetch: FetchKeys


class Company:
    """`work` is its whole life. `crew` are the workers of the parent, relieved by the first process."""

    def __init__(self, plan: Plan, ctx: Context, watch: DenialWatch, crew: Crew) -> None:
        self._plan = plan
        self._ctx = ctx
        self._watch = watch
        self._crew = crew
        self._seats = [Seat() for _ in range(plan.count)]
        self._room = asyncio.Event()  # set when some seat may take another target
        self._closing = False
        self._dropping = False
        self._deaths = 0
        self._losses: Counter[str] = Counter()
        self._budget = self._share()

    async def work(self, channel: Channel[Target]) -> None:
        """Take targets until the channel is closed and empty, and all have ended."""
        keys = await self._plan.fetch()
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(self._keep_keys(keys))
            occupants = [group.create_task(self._occupy(seat, group)) for seat in self._seats]
            await self._dispatch(channel)
            self.close()
            await asyncio.wait(occupants)
            keeper.cancel()

    def close(self, *, drop: bool = False) -> None:
        """No more targets will come; `drop` those that are not begun."""
        self._closing = True
        self._dropping = self._dropping or drop
        self._room.set()
        for seat in self._seats:
            self._dismiss(seat)

    async def _dispatch(self, channel: Channel[Target]) -> None:
        """Each target to the process that has least to do, as long as there is room."""
        while True:
            while not (free := self._with_room()):
                if self._closing:
                    return
                self._room.clear()
                await self._room.wait()
            try:
                target = await channel.receive()
            except ChannelClosedError:
                return
            least_loaded(free).give(target)

    def _with_room(self) -> Sequence[Seat]:
        return [seat for seat in self._seats if seat.has_room(self._budget.limit)]

    async def _occupy(self, seat: Seat, group: asyncio.TaskGroup) -> None:
        """One process after the other, until there is no more work for this seat."""
        try:
            while not self._is_done(seat):
                how = await self._live(seat, group)
                if not seat.dismissed:
                    await self._bury(seat, how)
        finally:
            await seat.end()

    async def _live(self, seat: Seat, group: asyncio.TaskGroup) -> str:
        """The life of one process; how it ended."""
        try:
            await seat.start(self._first_message(await self._plan.fetch()))
        except OSError as error:
            return f"it could not be started: {error.strerror}"
        while (message := await seat.receive()) is not None:
            await self._hear(seat, message, group)
        return await seat.end()

    def _is_done(self, seat: Seat) -> bool:
        """Whether this seat needs no process any more."""
        return self._closing and (self._dropping or not seat.outstanding)

    def _first_message(self, keys: Keys) -> Start:
        ctx, plan = self._ctx, self._plan
        return Start(
            endpoint=plan.endpoint,
            authorities=plan.authorities,
            source=ctx.source,
            options=ctx.options,
            root=ctx.destination.root,
            descriptors=ctx.destination.descriptors,
            keys=keys,
            budget=self._budget,
        )

    async def _hear(self, seat: Seat, message: object, group: asyncio.TaskGroup) -> None:
        match message:
            case Report():
                await self._book(seat, message)
            case Ready():
                self._crew.relieve()
                self._room.set()
                self._dismiss(seat)
            case Throttled(retry_after):
                self._ctx.gate.throttled(retry_after)
                self._share_budget()
            case Renew(stale):
                group.create_task(self._renew(seat, stale))
            case Broken(error):
                raise error if isinstance(error, BaseException) else RuntimeError(error)

    async def _book(self, seat: Seat, report: Report) -> None:
        """What a process has done counts as if it had been done here."""
        ctx = self._ctx
        for event in report.events:
            ctx.emit(event)
        if report.received:
            ctx.emit(Received(report.received))
        for outcome in report.outcomes:
            seat.take(outcome.ref.key)
            await conclude(ctx, outcome, self._watch)
        ctx.gate.served(report.served, crowded=report.crowded)
        self._share_budget()
        self._room.set()
        self._dismiss(seat)

    def _dismiss(self, seat: Seat) -> None:
        """Let a process go that is to do no more."""
        if self._is_done(seat):
            seat.dismiss()

    def _share(self) -> Budget:
        gate = self._ctx.gate
        return Budget(max(1.0, gate.limit / self._plan.count), gate.paused_until)

    def _share_budget(self) -> None:
        """Everybody's share of the one budget, if it has changed."""
        budget = self._share()
        if budget != self._budget:
            self._budget = budget
            self._tell(budget)

    async def _keep_keys(self, keys: Keys) -> None:
        """Hand on new keys soon after the refresher has them."""
        while True:
            await asyncio.sleep(KEYS_EVERY)
            current = await self._plan.fetch()
            if current != keys:
                keys = current
                self._tell(keys)

    async def _renew(self, seat: Seat, stale: str) -> None:
        if self._ctx.credentials is not None:
            await self._ctx.credentials.renew(stale)
        seat.send(await self._plan.fetch())

    def _tell(self, message: Budget | Keys) -> None:
        for seat in self._seats:
            seat.send(message)

    async def _bury(self, seat: Seat, how: str) -> None:
        """Clean up behind a process that died with work to do. Raises `EngineProcessError` when there are too many."""
        ctx = self._ctx
        self._deaths += 1
        if seat.prefix:
            ctx.destination.clear_temporary(seat.prefix)
        if self._deaths > MOST_DEATHS:
            raise EngineProcessError(
                f"{self._deaths} engine processes died, the last one so: {how}",
                hint="look for a lack of memory (dmesg), or run with --processes 1; the same command resumes",
            )
        ctx.emit(Warned(f"an engine process died ({how}); {len(seat.outstanding)} objects are fetched again"))
        for target in list(seat.outstanding.values()):
            key = target.ref.key
            self._losses[key] += 1
            if self._losses[key] >= MOST_LOSSES:
                seat.take(key)
                detail = f"{MOST_LOSSES} processes died while they had it"
                lost = Outcome(target.ref, State.FAILED, str(target.path), "process-died", detail)
                await conclude(ctx, lost, self._watch)
