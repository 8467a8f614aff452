"""An engine process: sees targets through that its parent sends, and reports what became of them.

It neither lists nor keeps books, renews no credentials and decides about no rate: it asks its parent,
and ends when that is gone. `python -P -m s3haul.scale.child FD`, with `FD` its end of the socket pair.
"""

import asyncio
import gc
import signal
import socket
import sys
import time
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing

import uvloop

from s3haul.aws.keys import Keys
from s3haul.aws.wire.store import open_wire_store
from s3haul.disk import Destination
from s3haul.engine.admission import Target
from s3haul.engine.channel import Channel
from s3haul.engine.context import Landing
from s3haul.engine.gate import Gate
from s3haul.engine.lander import Lander
from s3haul.engine.pool import Crew
from s3haul.engine.transfer import transfer
from s3haul.errors import S3HaulError
from s3haul.events import Event, Received, Retrying, Warned
from s3haul.models import Outcome
from s3haul.scale.messages import (
    Broken,
    Budget,
    Drain,
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
LARGEST_REPORT = 64  # outcomes
GARBAGE_THRESHOLD = 50_000  # allocations
UNBOUNDED = 1 << 62


class Keyring:
    """The keys of the run as the parent last sent them; `Credentials` for the engine."""

    def __init__(self, keys: Keys, link: Link) -> None:
        self._keys = keys
        self._link = link
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
        if self._keys.access_key == stale_access_key:
            self._link.send(Renew(stale_access_key))
            self._replaced.clear()
            await self._replaced.wait()

    def replace(self, keys: Keys) -> None:
        self._keys = keys
        self._replaced.set()


class Allowance:
    """What the parent allows: `Tuning` for the gate. It passes on what it hears."""

    def __init__(self, budget: Budget, link: Link) -> None:
        self.limit, self.paused_until = budget
        self._link = link
        self.unreported = 0
        self.crowded = False

    def throttled(self, now: float, retry_after: float | None = None) -> None:  # noqa: ARG002 - the parent's clock counts
        self._link.send(Throttled(retry_after))

    def served(self, now: float, count: int, *, crowded: bool) -> None:  # noqa: ARG002 - as above
        self.unreported += count
        self.crowded = self.crowded or crowded


class Reporter:
    """Collects what happens and sends it in batches."""

    def __init__(self, link: Link, allowance: Allowance) -> None:
        self._link = link
        self._allowance = allowance
        self.gate = Gate(allowance)
        self._outcomes: list[Outcome] = []
        self._events: list[Retrying | Warned] = []
        self._received = 0
        self._timer: asyncio.TimerHandle | None = None

    def emit(self, event: Event) -> None:
        """Takes the events of transfers; those of a whole run do not happen here."""
        if isinstance(event, Received):
            self._received += event.bytes
        elif isinstance(event, Retrying | Warned):
            self._events.append(event)
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
        report = Report(self._outcomes, self._events, self._received, heard.unreported, heard.crowded)
        self._link.send(report)
        self._outcomes, self._events, self._received = [], [], 0
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

    async def run(self) -> None:
        """Work until the parent wants no more or is gone. Raises what ends the run."""
        async with self._landing() as ctx, asyncio.TaskGroup() as group:

            async def see_through(target: Target) -> None:
                self._reporter.finish(await transfer(ctx, target))

            crew = Crew(group, ctx.gate, self._channel, see_through)
            self._link.send(Ready(ctx.destination.temporary_prefix))
            await self._listen(crew)
            self._channel.discard()
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
                    credentials=self._keyring,
                    source=start.source,
                    options=start.options,
                    gate=self._reporter.gate,
                    emit=self._reporter.emit,
                    destination=destination,
                    threads=threads,
                    lander=lander,
                )

    async def _listen(self, crew: Crew) -> None:
        """Returns when nothing more is to be begun."""
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
                    return
                case None:
                    crew.cancel()
                    return


async def serve(end: socket.socket) -> None:
    """The whole life of the process; an error that ends the run is told to the parent."""
    link = await Link.over(end)
    start = await link.receive()
    if not isinstance(start, Start):
        return  # the parent is gone already
    try:
        await Engine(link, start).run()
    except BaseExceptionGroup as group:
        link.send(Broken(_first(group)))
        await link.flush()
    finally:
        link.close()


def _first(error: BaseException) -> BaseException | str:
    """The error of ours in a group, or the story of another."""
    while isinstance(error, BaseExceptionGroup):
        ours = error.subgroup(S3HaulError)
        error = (ours or error).exceptions[0]
    return error if isinstance(error, S3HaulError) else "".join(traceback.format_exception(error))


def main() -> None:
    """Signals of a terminal are for the parent, which tells what to do."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
