"""When a run is worth engine processes: it begins in one process, and they take over when enough is listed.

`company` is what they do then.
"""

import asyncio
import sys

from s3haul.engine.admission import Target
from s3haul.engine.channel import Channel
from s3haul.engine.context import Context
from s3haul.engine.pool import Crew, DenialWatch
from s3haul.events import AlreadyDone, Event, Listed, ListingEnded
from s3haul.scale.company import Company, Plan

WORTHWHILE_OBJECTS = 2000
WORTHWHILE_BYTES = 512 << 20  # in at least two objects


class Processes:
    """The `Reinforcement` of one run. With `at_once` they come whatever the run's size."""

    def __init__(self, plan: Plan, *, at_once: bool = False) -> None:
        self._plan = plan
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
        while not (self._ended or self._drained or self._worthwhile):
            self._news.clear()
            await self._news.wait()
        if self._worthwhile and not self._drained and sys.executable:
            self._company = Company(self._plan, ctx, watch, crew)
            await self._company.work(channel)

    def drain(self) -> None:
        """Have every process finish what is under way, and begin nothing more."""
        self._drained = True
        self._news.set()
        if self._company is not None:
            self._company.close(drop=True)

    @property
    def _worthwhile(self) -> bool:
        if self._at_once:
            return self._objects > 0
        return self._objects >= WORTHWHILE_OBJECTS or (self._objects >= 2 and self._bytes >= WORTHWHILE_BYTES)
