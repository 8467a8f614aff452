"""The engine processes of one run and the parent's dealings with them.

The parent lists, keeps the books, renews the keys and holds the one rate budget; the processes fetch,
verify and land. One that dies is replaced, and what it had under way is fetched again; one that says
nothing for a minute (stopped, or stuck in a call that does not return) is killed, and so replaced too.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from s3haul.aws.keys import FetchKeys, Keys
from s3haul.aws.wire.endpoint import Endpoint
from s3haul.engine.admission import Target, Verb
from s3haul.engine.channel import Channel, ChannelClosedError
from s3haul.engine.context import Context
from s3haul.engine.pool import Crew, DenialWatch, conclude
from s3haul.errors import EngineProcessError
from s3haul.events import Received, Resumed, Warned
from s3haul.models import Outcome, State
from s3haul.scale.messages import (
    Began,
    Broken,
    Budget,
    Forgotten,
    Landed,
    Ready,
    Renew,
    Report,
    Start,
    Throttled,
)
from s3haul.scale.seat import Seat, least_loaded
from s3haul.threads import in_thread

MOST_DEATHS = 8  # of processes within `MEMORY`
MEMORY = 600.0  # seconds
SUSPICIOUS = 2  # losses of processes that had the same object: from here on it is fetched alone
MOST_LOSSES = 4
LOOK_EVERY = 1.0  # seconds
LONGEST_SILENCE = 60  # looks


@dataclass(frozen=True, slots=True)
class Plan:
    """How many processes, where they fetch from, who has the keys, and how long a silence is borne."""

    count: int
    endpoint: Endpoint
    authorities: str
    fetch: FetchKeys
    longest_silence: int = LONGEST_SILENCE


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
        self._manned = False  # some process has been ready
        self._deaths: list[float] = []
        self._losses: Counter[str] = Counter()
        self._budget = self._share()

    async def work(self, channel: Channel[Target]) -> None:
        """Take targets until the channel is closed and empty, and all have ended."""
        keys = await self._plan.fetch()
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(self._keep_watch(keys))
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
            # Those that had room may have died while the listing was awaited.
            least_loaded(self._with_room() or free).give(target)

    def _with_room(self) -> Sequence[Seat]:
        return [seat for seat in self._seats if seat.has_room(self._budget.limit)]

    async def _occupy(self, seat: Seat, group: asyncio.TaskGroup) -> None:
        """One process after the other, until there is no more work for this seat."""
        try:
            while not self._is_done(seat):
                how = await self._live(seat, group)
                if not self._is_done(seat):
                    await self._bury(seat, how)
        finally:
            await seat.end()
            await self._sweep(seat)

    async def _live(self, seat: Seat, group: asyncio.TaskGroup) -> str:
        """The life of one process; how it ended."""
        try:
            await seat.start(self._first_message(await self._plan.fetch()))
        except OSError as error:
            await seat.end()
            return f"it could not be started: {error.strerror}"
        while (message := await seat.receive()) is not None:
            await self._hear(seat, message, group)
        return await seat.end()

    def _is_done(self, seat: Seat) -> bool:
        """Whether this seat needs no process any more."""
        return self._closing and (self._dropping or not seat.outstanding)

    def _first_message(self, keys: Keys) -> Start:
        ctx, plan = self._ctx, self._plan
        memory = ctx.options.ranges.memory // plan.count
        return Start(
            endpoint=plan.endpoint,
            authorities=plan.authorities,
            source=ctx.source,
            options=replace(ctx.options, ranges=replace(ctx.options.ranges, memory=memory)),
            root=ctx.destination.root,
            descriptors=ctx.destination.descriptors,
            keys=keys,
            renewable=ctx.credentials is not None,
            budget=self._share(),
        )

    async def _hear(self, seat: Seat, message: object, group: asyncio.TaskGroup) -> None:
        match message:
            case Report():
                await self._book(seat, message)
            case Ready():
                if not self._closing:
                    self._manned = True
                    self._crew.relieve()
                self._share_budget()
                seat.send(self._budget)  # it may have changed since the first message
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
            seat.unsettled += report.received
            ctx.emit(Received(report.received))
        if report.resumed:
            seat.unsettled += report.resumed
            ctx.emit(Resumed(report.resumed))
        for entry in report.parts:
            match entry:
                case Began(partial):
                    ctx.parts.begin(partial)
                case Landed(temporary, block):
                    ctx.parts.landed(temporary, block)
                case Forgotten(temporary):
                    ctx.parts.forget(temporary)
        for outcome in report.outcomes:
            target = seat.take(outcome.ref.key)
            resumed = target.left is not None and target.verb is Verb.FETCH
            if outcome.state is State.DONE and (outcome.fetched or resumed):
                seat.unsettled -= outcome.ref.size
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
        """What each process may have under way: one at least, or none could ever raise the limit again.

        What the workers of the parent have begun counts against the ceiling of them all.
        """
        gate, options = self._ctx.gate, self._ctx.options
        share = min(gate.limit, options.concurrency - gate.busy) // self._plan.count
        listing = gate.busy <= 1
        return Budget(max(share, int(listing)), gate.paused_until)

    def _share_budget(self) -> None:
        """Everybody's share of the one budget, if it has changed."""
        budget = self._share()
        if budget != self._budget:
            self._budget = budget
            self._tell(budget)

    async def _keep_watch(self, keys: Keys) -> None:
        """Hand on new keys soon after the refresher has them, and end processes that do not answer.

        Silence is counted in looks and not by the clock: after a stop of the whole run nobody is late.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for seat in self._seats:
                if seat.look() == self._plan.longest_silence:
                    self._ctx.emit(Warned("an engine process does not answer: it is ended"))
                    seat.kill()
            self._share_budget()
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

    async def _sweep(self, seat: Seat) -> None:
        """Forget what a process that has ended had begun, but for what the journal knows of it."""
        ctx = self._ctx
        if seat.prefix:
            if seat.outstanding:
                await in_thread(ctx.threads, ctx.journal.flush)
            kept = {partial.temporary for partial in ctx.journal.partials()}
            ctx.destination.clear_temporary(seat.prefix, kept)
            seat.prefix = ""
        if seat.unsettled > 0:
            ctx.emit(Received(-seat.unsettled))
        seat.unsettled = 0

    async def _bury(self, seat: Seat, how: str) -> None:
        """Go on without a process that died with work to do. Raises `EngineProcessError` when there are too many."""
        await self._sweep(seat)
        now = asyncio.get_running_loop().time()
        self._deaths = [at for at in self._deaths if now - at < MEMORY] + [now]
        if not self._manned and len(self._deaths) >= self._plan.count:
            self._ctx.emit(Warned(f"engine processes cannot work here ({how}): this one goes on alone"))
            self._crew.hire()
            self.close(drop=True)
            return
        if len(self._deaths) > MOST_DEATHS:
            raise EngineProcessError(
                f"{len(self._deaths)} engine processes died, the last one so: {how}",
                hint="look for a lack of memory (dmesg), or run with --processes 1; the same command resumes",
            )
        again = f"{len(seat.outstanding)} objects are fetched again"
        self._ctx.emit(Warned(f"an engine process died ({how}); {again}"))
        await in_thread(self._ctx.threads, self._take_stock, seat)
        await self._blame(seat)

    def _take_stock(self, seat: Seat) -> None:
        """Let the next process go on with what is here in part."""
        journal = self._ctx.journal
        for partial in journal.partials():
            if target := seat.outstanding.get(partial.key):
                left = partial._replace(blocks=journal.blocks(partial.temporary))
                seat.outstanding[partial.key] = target._replace(left=left)

    async def _blame(self, seat: Seat) -> None:
        """Give up an object that several processes died of, and find out which one it is."""
        for target in seat.under_way():
            key = target.ref.key
            self._losses[key] += 1
            if self._losses[key] >= MOST_LOSSES:
                seat.take(key)
                detail = f"{MOST_LOSSES} processes died while they had it"
                lost = Outcome(target.ref, State.FAILED, str(target.path), "process-died", detail)
                await conclude(self._ctx, lost, self._watch)
        seat.careful = any(self._losses[key] >= SUSPICIOUS for key in seat.outstanding)
