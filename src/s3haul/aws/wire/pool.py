"""The connections to one endpoint: a bounded number, kept alive, the last used first.

Waiting for a free one takes as long as it takes. Whoever acquires a connection gives it back with
`release`, which decides by the state of its answer whether it is kept.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from s3haul.aws.faults import connection_fault
from s3haul.aws.limits import CONNECT_TIMEOUT
from s3haul.aws.wire.connection import Connection
from s3haul.aws.wire.dial import dial
from s3haul.aws.wire.pace import Pace
from s3haul.aws.wire.readers import Readers
from s3haul.errors import StoreError

LONGEST_IDLE = 12.0  # seconds; servers close earlier or later, and a request that meets it is repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds, `minimum_rate` in bytes per second."""

    connections: int
    stall_timeout: float
    minimum_rate: int
    connect_timeout: float = CONNECT_TIMEOUT


class Pool:
    """Belongs to one event loop. `tls` is None for plain http; `clock` is monotonic."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._limits = limits
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._readers = Readers()
        self._places = 0  # connections that exist or are being made
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._tick_every = min(1.0, limits.stall_timeout / 8)
        self._timer = self._loop.call_later(self._tick_every, self._tick)
        self.opened = 0

    async def acquire(self) -> Connection:
        """A connection of one's own. Raises `StoreError` where none can be made."""
        while self._idle:
            connection = self._idle.pop()
            if not self._worn(connection):
                self._busy.add(connection)
                return connection
            self._end(connection)
        if self._places < self._limits.connections:
            self._places += 1
            return await self._connect()
        given = await self._queue()
        if given is None or given.closed:
            return await self._connect()
        self._busy.add(given)
        return given

    def release(self, connection: Connection) -> None:
        """Keeps the connection if another request may follow on it, else closes it. Harmless if repeated."""
        if connection not in self._busy:
            return
        self._busy.remove(connection)
        if not connection.reusable:
            self._end(connection)
        elif not self._hand_over(connection):
            connection.idle_since = self._clock()
            self._idle.append(connection)

    async def replace(self, connection: Connection) -> Connection:
        """A fresh connection for one that turned out to be closed."""
        self._busy.remove(connection)
        connection.drop()
        return await self._connect()

    def close(self) -> None:
        """Closes all; idle ones say goodbye."""
        self._timer.cancel()
        for connection in self._busy:
            connection.drop()
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        self._readers.close()

    def statistics(self) -> dict[str, int]:
        """The debugging view."""
        return {"connections-opened": self.opened, "connections": self._places, "busy": len(self._busy)}

    def _worn(self, connection: Connection) -> bool:
        return connection.closed or self._clock() - connection.idle_since > LONGEST_IDLE

    async def _queue(self) -> Connection | None:
        """Waits for a connection, or for the place (None) to make one."""
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                given = waiter.result()
                if given is None:
                    self._free_place()
                else:
                    self._busy.add(given)
                    self.release(given)
            raise

    def _hand_over(self, given: Connection | None) -> bool:
        """Gives a connection, or a place to make one, to whoever waits longest; False if nobody waits."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(given)
                return True
        return False

    def _end(self, connection: Connection) -> None:
        connection.drop()
        self._free_place()

    def _free_place(self) -> None:
        if not self._hand_over(None):
            self._places -= 1

    async def _connect(self) -> Connection:
        """Makes a connection on a place that is already counted. Raises `StoreError`."""
        try:
            connection = await self._dial()
        except OSError as error:
            self._free_place()
            raise StoreError(connection_fault(error)) from error
        except BaseException:
            self._free_place()
            raise
        self._busy.add(connection)
        self.opened += 1
        return connection

    async def _dial(self) -> Connection:
        async with asyncio.timeout(self._limits.connect_timeout):
            line = await dial(self._host, self._port, self._tls)
        pace = Pace(self._limits.stall_timeout, self._limits.minimum_rate)
        return Connection(line, pace, self._readers, self._clock)

    def _tick(self) -> None:
        now = self._clock()
        for connection in tuple(self._busy):
            connection.tick(now)
        worn = [connection for connection in self._idle if self._worn(connection)]
        for connection in worn:
            self._idle.remove(connection)
            self._end(connection)
        self._timer = self._loop.call_later(self._tick_every, self._tick)
