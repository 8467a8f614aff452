"""One connection: sends a request, waits for its answer, hands the body on with back-pressure.

It knows nothing of S3, and decides neither whether a request is repeated nor whether the connection is
kept (`pool` does).
"""

import asyncio
from collections.abc import Callable
from typing import Self, cast

from s3haul.aws.wire.answer import Answer
from s3haul.aws.wire.head import ViolationError
from s3haul.aws.wire.pace import Pace
from s3haul.aws.wire.pieces import Pieces
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.store import Piece


class Connection(asyncio.BufferedProtocol):
    """At most one exchange at a time: `ask`, then iterate over the body; `answer` is what came."""

    def __init__(self, pace: Pace, pieces: Pieces, clock: Callable[[], float]) -> None:
        self.answer = Answer(pieces)
        self.closed = False
        self.used = False  # an earlier exchange went over it
        self.idle_since = 0.0
        self._asked = False
        self._pace = pace
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wants_body = False
        self._paused = False
        self._fault: Fault | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()

    @property
    def reusable(self) -> bool:
        """Whether another request may follow."""
        return self.answer.complete and self.answer.keep_alive and not self.closed

    @property
    def stale(self) -> bool:
        """Whether the server had closed it while it was idle: no byte came to a later request."""
        fault = self._fault
        return self.used and fault is not None and fault.kind is FaultKind.BROKEN and not self.answer.started

    async def ask(self, head: bytes, *, bodiless: bool = False) -> None:
        """Sends a request; returns when status and headers are here. `bodiless` for a HEAD.

        Raises `StoreError`; then the connection is of no more use.
        """
        answer = self.answer
        answer.begin(bodiless=bodiless)
        self.used, self._asked = self._asked, True
        self._fault = None
        self._wants_body = False
        self._pace.start()
        if self.closed or self._transport is None:
            self._fail(FaultKind.BROKEN, "the connection was closed before the request was sent")
        else:
            self._transport.write(head)
        while not answer.has_head and self._fault is None:
            await self._wait()
        if self._fault is not None:
            raise StoreError(self._fault)
        self._pace.head_complete(self._clock())

    def __aiter__(self) -> Self:
        """The body, in order."""
        return self

    async def __anext__(self) -> Piece:
        """The next bytes of the body, at most a piece. Raises `StoreError`, StopAsyncIteration at its end."""
        answer = self.answer
        self._wants_body = True
        while not answer.due:
            if answer.complete:
                raise StopAsyncIteration
            if self._fault is not None:
                raise StoreError(self._fault)
            await self._wait()
        piece = answer.take()
        if self._paused:
            self._resume()
        return piece

    def _resume(self) -> None:
        """Reads on, once all that was due has been taken."""
        if not self.answer.due and self._transport is not None:
            self._paused = False
            if not self.closed:
                self._transport.resume_reading()

    def tick(self, now: float) -> None:
        """Called now and then: ends a stalled exchange, and hands over what a slow one has got."""
        if self._waiter is None or self._waiter.done():
            return
        verdict = self._pace.verdict(now)
        if verdict is not None:
            self._fail(FaultKind.STALL, verdict)
        elif self._wants_body:
            self.answer.cut()
            if self.answer.due:
                self._wake()

    def drop(self) -> None:
        """Closes at once, whatever is under way."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Closes in good order, and returns when that is done."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()
            await self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's signature
        return self.answer.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        answer = self.answer
        if answer.complete:
            # Nobody asked for anything: what comes now could be taken for the next answer.
            self.drop()
            return
        self._pace.arrived(nbytes, self._clock())
        try:
            answer.received(nbytes)
        except ViolationError as violation:
            self._fail(FaultKind.PROTOCOL, f"the answer is not sound HTTP: {violation}")
            return
        if answer.complete or answer.due:
            if answer.full and not (answer.complete or self._paused) and self._transport is not None:
                self._paused = True
                self._transport.pause_reading()
            self._wake()
        elif answer.has_head and not self._wants_body:
            self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self._lost.done():
            self._lost.set_result(None)
        said = f": {exc}" if exc else " by the server"
        self._fail(FaultKind.BROKEN, f"the connection was closed{said}")

    def _fail(self, kind: FaultKind, message: str) -> None:
        if self.answer.complete or self._fault is not None:
            return
        self._fault = Fault(kind, message)
        self.drop()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        clock, pace = self._clock, self._pace
        waiter = self._waiter = self._loop.create_future()
        pace.wait(clock())
        try:
            await waiter
        finally:
            self._waiter = None
            pace.waited(clock())
