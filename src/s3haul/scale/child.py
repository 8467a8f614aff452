"""An engine process: sees targets through that its parent sends, and reports what became of them.

It neither lists nor keeps books, renews no credentials and decides about no rate: it asks its parent,
and ends when that is gone. `python -P -m s3haul.scale.child FD`, with `FD` its end of the socket pair.
"""

import asyncio
import signal
import socket
import sys
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
from s3haul.engine.lander import Lander
from s3haul.engine.loop import run_loop
from s3haul.engine.pool import Crew
from s3haul.engine.tasks import most_telling
from s3haul.engine.transfer import transfer
from s3haul.errors import S3HaulError
from s3haul.scale.delegates import Allowance, Keyring, Reporter
from s3haul.scale.messages import Broken, Budget, Drain, Link, Ready, Start, Work

FILE_THREADS = 8
LIFE_SIGN_EVERY = 5.0  # seconds; the parent takes a long silence for the end
UNBOUNDED = 1 << 62


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
                    crew.hire()
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
