"""When a run is worth engine processes: it begins in one process, and they take over when that is too little.

Many objects always are. Large ones are read by threads, which keep a few processors busy by themselves:
they are worth processes where there are more, outright if their bytes outweigh a start, else when the
threads have much to do. `company` is what they do then.
"""

import asyncio
import sys
import time
from collections.abc import Callable

from s3haul.engine.admission import Target
from s3haul.engine.channel import Channel
from s3haul.engine.context import Context
from s3haul.engine.pool import Crew, DenialWatch
from s3haul.events import AlreadyDone, Event, Listed, ListingEnded
from s3haul.scale.company import Company, Plan

WORTHWHILE_OBJECTS = 2000
WORTHWHILE_BYTES = 512 << 20  # listed and not done yet
PLENTY_BYTES = 8 << 30  # in two objects at least: next to their transfer, a start of processes costs nothing
LOOK_EVERY = 0.25  # seconds
ENOUGH = 4  # processors that the threads of one process make use of
BUSY = 0.8  # of a processor's time
BUSY_LOOKS = 4  # in a row: new processes take half a second to be of use


class Processes:
    """The `Reinforcement` of one run. With `at_once` they come whatever the run's size.

    `processor` tells the seconds of processor time that this process has used.
    """

    def __init__(
        self, plan: Plan, *, at_once: bool = False, processor: Callable[[], float] = time.process_time
    ) -> None:
        self._plan = plan
        self._processor = processor
        self._at_once = at_once
        self._objects = 0
        self._bytes = 0
        self._ended = False
        self._news = asyncio.Event()
        self._drained = False
        self._company: Company | None = None

    def observe(self, event: Event) -> None:
        """Hear how much there is to do."""
        match event:
            case Listed(objects=objects, bytes=size):
                self._objects += objects
                self._bytes += size
            case AlreadyDone(objects=objects, bytes=size):
                self._objects -= objects
                self._bytes -= size
            case ListingEnded():
                self._ended = True
            case _:
                return
        self._news.set()

    async def run(self, ctx: Context, channel: Channel[Target], watch: DenialWatch, crew: Crew) -> None:
        """As `Reinforcement.run`. Raises `EngineProcessError`, and what ends the run."""
        while not (self._objects or self._ended or self._drained):
            await self._more_news()
        if self._drained:
            return
        needed = self._worth_it and not channel.exhausted
        if not (needed and sys.executable):
            crew.hire()
            needed = await self._needed(ctx, channel)
        if needed and sys.executable:
            self._company = Company(self._plan, ctx, watch, crew)
            await self._company.work(channel)

    @property
    def _worth_it(self) -> bool:
        """Whether processes are, before anything is begun."""
        if self._at_once:
            return self._objects > 0
        return self._bytes_count and self._objects >= 2 and self._bytes >= PLENTY_BYTES

    @property
    def _bytes_count(self) -> bool:
        """Whether bytes are a reason at all."""
        return self._plan.count > ENOUGH

    async def _needed(self, ctx: Context, channel: Channel[Target]) -> bool:
        """Whether they are after all, while the crew is at work; returns when that is known."""
        busy = 0
        while busy < BUSY_LOOKS and not (self._drained or channel.exhausted):
            if self._objects >= WORTHWHILE_OBJECTS:
                return True
            if self._bytes < WORTHWHILE_BYTES or not self._bytes_count:
                if self._ended:
                    break
                await self._more_news()
                continue
            used, began = self._processor(), time.monotonic()
            await ctx.sleep(LOOK_EVERY)
            busy = busy + 1 if self._processor() - used >= BUSY * (time.monotonic() - began) else 0
        return busy == BUSY_LOOKS and not channel.exhausted

    async def _more_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    def drain(self) -> None:
        """Have every process finish what is under way, and begin nothing more."""
        self._drained = True
        self._news.set()
        if self._company is not None:
            self._company.close(drop=True)
