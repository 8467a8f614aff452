"""An engine process: sees targets through that its parent sends, and reports what became of them.

It neither lists nor keeps books, renews no credentials and decides about no rate: it asks its parent,
and ends when that is gone. `python -P -m s3haul.scale.child FD`, with `FD` its end of the socket pair.
"""

import asyncio
import signal
import socket
import sys
import time
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing

from s3haul.aws.keys import Keys
from s3haul.aws.wire.store import open_wire_store
from s3haul.disk import Destination
from s3haul.engine.admission import Target
from s3haul.engine.channel import Channel
from s3haul.engine.context import Landing
from s3haul.engine.gate import Gate
from s3haul.engine.lander import Lander
from s3haul.engine.loop import run_loop
from s3haul.engine.pool import Crew
from s3haul.engine.tasks import most_telling
from s3haul.engine.transfer import transfer
from s3haul.errors import S3HaulError
from s3haul.events import Event, Received, Resumed, Retrying, Warned
from s3haul.models import Block, Outcome, Partial
from s3haul.scale.messages import (
    Began,
    Broken,
    Budget,
    Drain,
    Forgotten,
    Landed,
    Link,
    Ready,
    Renew,
    Report,
    Start,
    Throttled,
    Work,
)

FILE_THREADS = 8
REPORT_EVERY = 0.02  # seconds
LIFE_SIGN_EVERY = 5.0  # seconds; the parent takes a long silence for the end
LARGEST_REPORT = 64  # outcomes
UNBOUNDED = 1 << 62


class Keyring:
    """The keys of the run as the parent last sent them; `Credentials` for the engine."""

    def __init__(self, keys: Keys, link: Link) -> None:
        self._keys = keys
        self._link = link
        self._asked = False
        self._replaced = asyncio.Event()

    @property
    def access_key_id(self) -> str:
        return self._keys.access_key

    async def current(self) -> Keys:
        """Keys that are valid now."""
        expires_at = self._keys.expires_at
        if expires_at is not None and time.time() >= expires_at:
            await self.renew(self._keys.access_key)
        return self._keys

    async def renew(self, stale_access_key: str) -> None:
        if self._keys.access_key != stale_access_key:
            return
        if not self._asked:
            self._asked = True
            self._replaced.clear()
            self._link.send(Renew(stale_access_key))
        await self._replaced.wait()

    def replace(self, keys: Keys) -> None:
        self._keys = keys
        self._asked = False
        self._replaced.set()


class Allowance:
    """What the parent allows: `Tuning` for the gate. It passes on what it hears."""

    def __init__(self, budget: Budget, link: Link) -> None:
        self.limit: float = budget.limit
        self.paused_until = budget.paused_until
        self._link = link
        self.unreported = 0
        self.crowded = False

    def throttled(self, now: float, retry_after: float | None = None) -> None:  # noqa: ARG002 - the parent's clock counts
        self._link.send(Throttled(retry_after))

    def served(self, now: float, count: int, *, crowded: bool) -> None:  # noqa: ARG002 - as above
        self.unreported += count
        self.crowded = self.crowded or crowded


class Reporter:
    """Collects what happens and sends it in batches; also the `PartBook` of the transfers."""

    def __init__(self, link: Link, allowance: Allowance) -> None:
        self._link = link
        self._allowance = allowance
        self.gate = Gate(allowance)
        self._parts: list[Began | Landed | Forgotten] = []
        self._outcomes: list[Outcome] = []
        self._events: list[Retrying | Warned] = []
        self._received = 0
        self._resumed = 0
        self._timer: asyncio.TimerHandle | None = None

    def emit(self, event: Event) -> None:
        """Takes the events of transfers; those of a whole run do not happen here."""
        if isinstance(event, Received):
            self._received += event.bytes
        elif isinstance(event, Resumed):
            self._resumed += event.bytes
        elif isinstance(event, Retrying | Warned):
            self._events.append(event)
        self._schedule()

    def begin(self, partial: Partial) -> None:
        self._parts.append(Began(partial))
        self._schedule()

    def landed(self, temporary: str, block: Block) -> None:
        self._parts.append(Landed(temporary, block))
        self._schedule()

    def forget(self, temporary: str) -> None:
        self._parts.append(Forgotten(temporary))
        self._schedule()

    def finish(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if len(self._outcomes) >= LARGEST_REPORT:
            self.send()
        else:
            self._schedule()

    def send(self) -> None:
        """Report now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        heard = self._allowance
        report = Report(
            self._parts,
            self._outcomes,
            self._events,
            self._received,
            self._resumed,
            heard.unreported,
            heard.crowded,
        )
        self._link.send(report)
        self._parts, self._outcomes, self._events, self._received, self._resumed = [], [], [], 0, 0
        heard.unreported, heard.crowded = 0, False

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REPORT_EVERY, self.send)


class Engine:
    """The work of one process, from its first message to the end of its link."""

    def __init__(self, link: Link, start: Start) -> None:
        self._link = link
        self._start = start
        self._keyring = Keyring(start.keys, link)
        self._allowance = Allowance(start.budget, link)
        self._reporter = Reporter(link, self._allowance)
        self._channel: Channel[Target] = Channel(UNBOUNDED)
        self._dismissed = asyncio.Event()

    async def run(self) -> None:
        """Work until the parent wants no more or is gone. Raises what ends the run."""
        try:
            async with self._landing() as ctx, asyncio.TaskGroup() as outer:
                helpers = [outer.create_task(self._give_life_signs())]
                async with asyncio.TaskGroup() as inner:

                    async def see_through(target: Target) -> None:
                        self._reporter.finish(await transfer(ctx, target))

                    crew = Crew(inner, ctx.gate, self._channel, see_through)
                    helpers.append(outer.create_task(self._listen(crew)))
                    self._link.send(Ready(ctx.destination.temporary_prefix))
                    await self._dismissed.wait()
                for helper in helpers:
                    helper.cancel()
        finally:
            self._reporter.send()

    @asynccontextmanager
    async def _landing(self) -> AsyncIterator[Landing]:
        start = self._start
        opened = open_wire_store(
            start.endpoint, start.authorities, start.source, start.options, self._keyring.current
        )
        with (
            closing(Destination.adopt(start.root, start.descriptors)) as destination,
            ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="s3haul-file") as threads,
            closing(Lander(destination, FILE_THREADS, direct=True)) as lander,
        ):
            async with opened as store:
                yield Landing(
                    store=store,
                    credentials=self._keyring if start.renewable else None,
                    source=start.source,
                    options=start.options,
                    gate=self._reporter.gate,
                    emit=self._reporter.emit,
                    parts=self._reporter,
                    destination=destination,
                    threads=threads,
                    lander=lander,
                )

    async def _give_life_signs(self) -> None:
        while True:
            await asyncio.sleep(LIFE_SIGN_EVERY)
            self._reporter.send()

    async def _listen(self, crew: Crew) -> None:
        """Returns when the parent is gone; what is under way when it wants no more is still seen through."""
        while True:
            match message := await self._link.receive():
                case Work(targets):
                    for target in targets:
                        await self._channel.send(target)
                case Budget(limit, paused_until):
                    self._allowance.limit, self._allowance.paused_until = limit, paused_until
                    self._reporter.gate.changed()
                    crew.hire()
                case Keys():
                    self._keyring.replace(message)
                case Drain():
                    self._dismiss()
                case None:
                    crew.cancel()
                    self._dismiss()
                    return

    def _dismiss(self) -> None:
        self._channel.discard()
        self._dismissed.set()


async def serve(end: socket.socket) -> None:
    """The whole life of the process; an error that ends the run is told to the parent."""
    link = await Link.over(end)
    start = await link.receive()
    if not isinstance(start, Start):
        return  # the parent is gone already
    try:
        await Engine(link, start).run()
    except Exception as error:  # noqa: BLE001 - the parent knows what to do with it
        link.send(Broken(_story(error)))
    finally:
        await link.part()


def _story(error: BaseException) -> BaseException | str:
    """An error of ours as it is, any other as its traceback."""
    error = most_telling(error)
    return error if isinstance(error, S3HaulError) else "".join(traceback.format_exception(error))


def main() -> None:
    """Signals to end are for the parent, which tells what to do."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    run_loop(serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
