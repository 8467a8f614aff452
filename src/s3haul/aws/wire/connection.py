"""One connection: sends a request, waits for its answer, hands the body on with back-pressure.

A body is read on the event loop, piece by piece, or by a thread, which has the socket for so long. It
knows nothing of S3, and decides neither whether a request is repeated nor whether the connection is kept
(`pool` does).
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Self

from s3haul.aws.wire.answer import Answer
from s3haul.aws.wire.head import ViolationError, unsound
from s3haul.aws.wire.pace import Pace
from s3haul.aws.wire.readers import NOT_YET, Body, Readers, decrypted, lost
from s3haul.aws.wire.records import receiver
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.store import Piece, Take
from s3haul.threads import steadfast

_FULL = (BlockingIOError, ssl.SSLWantWriteError)


class Connection:
    """At most one exchange at a time: `ask`, then iterate over the body or `deliver` it; `answer` is what came."""

    def __init__(self, line: socket.socket, pace: Pace, readers: Readers, clock: Callable[[], float]) -> None:
        self.answer = Answer()
        self.closed = False
        self.used = False  # an earlier exchange went over it
        self.idle_since = 0.0
        self._line = line
        self._number = line.fileno()
        self._receive = receiver(line)
        self._asked = False
        self._pace = pace
        self._readers = readers
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._wants_body = False
        self._watched = False  # by the loop
        self._lent = False  # to a thread
        self._fault: Fault | None = None
        self._watch()

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
        if self.closed:
            self._lose(" before the request was sent")
        else:
            await self._send(head)
        while not answer.has_head and self._fault is None:
            await self._wait()
        if self._fault is not None:
            raise StoreError(self._fault)
        self._pace.head_complete(self._clock())

    async def _send(self, head: bytes) -> None:
        """In one system call, unless the server is behind with what it was sent before."""
        rest = memoryview(head)
        while rest and self._fault is None:
            try:
                rest = rest[self._line.send(rest) :]
            except _FULL:
                self._loop.add_writer(self._number, self._wake)
                try:
                    await self._wait()
                finally:
                    if not self.closed:
                        self._loop.remove_writer(self._number)
            except OSError as error:
                self._lose(f": {error}")

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
            self._watch()
            await self._wait()
        return answer.take()

    async def deliver(self, take: Take) -> None:
        """The body to `take`, in a thread. Raises `StoreError`, and what `take` raises."""
        if self._fault is not None:
            raise StoreError(self._fault)
        self._ignore()
        self._lent = True
        try:
            self.answer.cut()
            body = Body(self._line, self._receive, self.answer, self._pace, self._clock, take)
            await steadfast(self._readers.read(body), self.drop)
        finally:
            self._lent = False
            if self.closed or not self.answer.complete:
                self.drop()
            else:
                self._watch()
                self._readable()  # OpenSSL may have read more than the body, which nobody asked for

    def tick(self, now: float) -> None:
        """Called now and then: ends a stalled exchange, and hands over what a slow one has got."""
        if self._waiter is None or self._waiter.done():
            return
        verdict = self._pace.verdict(now)
        if verdict is not None:
            self._fail(Fault(FaultKind.STALL, verdict))
        elif self._wants_body:
            self.answer.cut()
            if self.answer.due:
                self._wake()

    def drop(self) -> None:
        """Closes at once, whatever is under way; a thread that reads finds the end of the body."""
        self.closed = True
        if self._lent:
            with contextlib.suppress(OSError):  # the server was quicker
                # Not by the method of an SSLSocket, which takes its keys away from under the thread.
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)
            return
        self._ignore()
        if self._line.fileno() >= 0:
            self._loop.remove_writer(self._number)
            self._line.close()

    def close(self) -> None:
        """Closes in good order: says goodbye, and waits for no answer to that."""
        if isinstance(self._line, ssl.SSLSocket) and not self.closed:
            with contextlib.suppress(OSError):
                self._line.unwrap()
        self.drop()

    def _watch(self) -> None:
        if not (self._watched or self.closed):
            self._watched = True
            self._loop.add_reader(self._number, self._readable)
            if decrypted(self._line):
                self._loop.call_soon(self._readable)

    def _ignore(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._number)

    def _readable(self) -> None:
        """There is something to read, or nothing will come any more."""
        while self._watched and self._read() and decrypted(self._line):
            pass

    def _read(self) -> bool:
        """Whether something came, and more may be wanted."""
        answer = self.answer
        try:
            size = self._line.recv_into(answer.buffer())
        except NOT_YET:
            return False
        except OSError as error:
            self._lose(f": {error}")
            return False
        if not size:
            self._lose(" by the server")
            return False
        if answer.complete:
            # Nobody asked for anything: what comes now could be taken for the next answer.
            self.drop()
            return False
        self._pace.arrived(size, self._clock())
        try:
            answer.received(size)
        except ViolationError as violation:
            self._fail(Fault(FaultKind.PROTOCOL, unsound(violation)))
            return False
        self._heed()
        return True

    def _heed(self) -> None:
        """Bytes of an answer came: is there news for whoever waits, or enough for now?"""
        answer = self.answer
        if answer.complete or (answer.due and self._wants_body):
            if answer.full and not answer.complete:
                self._ignore()
            self._wake()
        elif answer.has_head and not self._wants_body:
            self._ignore()  # the body comes as it is asked for
            self._wake()

    def _lose(self, said: str) -> None:
        self.drop()
        self._fail(lost(said).fault)

    def _fail(self, fault: Fault) -> None:
        if self.answer.complete or self._fault is not None:
            return
        self._fault = fault
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
