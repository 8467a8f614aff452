"""Threads that read large bodies, each from a socket of its own, through a few buffers that they share.

A thread that has bytes waiting borrows a buffer, fills it, sees the bytes hashed and written, and gives it
back. There is a buffer a core, so no more threads are at work than there are cores, whatever the number of
connections; the bytes are still in the cache when they are hashed and written; and memory is bounded.
Neither the system calls nor OpenSSL nor the checksums need the interpreter, so that the cores do work at once.
"""

import asyncio
import os
import select
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from s3haul.aws.wire.answer import Answer
from s3haul.aws.wire.head import ViolationError, unsound
from s3haul.aws.wire.pace import Pace
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.store import Take

BUFFER = 512 << 10  # bytes; of more, the first fall out of the cache before they are written
FEWEST = 2
LOOK_EVERY = 500  # milliseconds; how often a thread that waits looks at the clock

NOT_YET = (BlockingIOError, ssl.SSLWantReadError)


class Readers:
    """`threads` is the most bodies at a time. Belongs to one event loop."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="s3haul-body")
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        for _ in range(max(FEWEST, os.cpu_count() or 1)):
            self._free.put(memoryview(bytearray(BUFFER)))

    def read(self, body: "Body", take: Take) -> "asyncio.Future[None]":
        """The rest of a body to `take`. Raises `StoreError`, and what `take` raises."""
        return asyncio.get_running_loop().run_in_executor(self._threads, self._read, body, take)

    def close(self) -> None:
        """Waits for bodies under way."""
        self._threads.shutdown()

    def _read(self, body: "Body", take: Take) -> None:
        answer = body.answer
        answer.cut()
        while answer.due:  # what came with the head
            take(answer.take())
        while not answer.complete:
            memory = self._free.get()
            try:
                dry = body.pass_on(memory, take) if answer.bare else body.parse(take)
            finally:
                self._free.put(memory)
            if dry:
                body.await_bytes()


@dataclass(frozen=True, slots=True)
class Body:
    """What a thread needs of a connection. Raises `StoreError`, and what `take` raises."""

    line: socket.socket
    receive: Callable[[memoryview], int]  # from it
    answer: Answer
    pace: Pace
    clock: Callable[[], float]

    def pass_on(self, memory: memoryview, take: Take) -> bool:
        """Bytes of a body of known length, by way of `memory`. Whether more of them have to be awaited."""
        view = memory[: min(len(memory), self.answer.bare)]
        size, dry = self._fill(view)
        self.answer.passed(size)
        if size:
            take(view[:size])
        return dry

    def parse(self, take: Take) -> bool:
        """Bytes of a body in chunks. Whether more of them have to be awaited."""
        answer = self.answer
        size, dry = self._fill(answer.buffer())
        try:
            answer.received(size)
        except ViolationError as violation:
            raise StoreError(Fault(FaultKind.PROTOCOL, unsound(violation))) from None
        while answer.due:
            take(answer.take())
        return dry and not answer.complete

    def await_bytes(self) -> None:
        """Until there is something to read."""
        clock, pace = self.clock, self.pace
        ready = select.poll()
        ready.register(self.line.fileno(), select.POLLIN)
        pace.wait(clock())
        here = False
        while not here:
            here = bool(ready.poll(LOOK_EVERY))
            verdict = pace.verdict(clock())
            if verdict is not None:
                raise StoreError(Fault(FaultKind.STALL, verdict))
        pace.waited(clock())

    def _fill(self, view: memoryview) -> tuple[int, bool]:
        """As many bytes as are here, and whether that is all. What comes before an end counts; the end is met again."""
        filled, size, dry = 0, len(view), False
        try:
            while filled < size and (came := self.receive(view[filled:])):
                filled += came
        except NOT_YET:
            dry = True
        except OSError as error:
            if not filled:
                raise lost(f": {error}") from None
        if filled:
            self.pace.arrived(filled, self.clock())
        elif not dry:
            raise lost(" by the server")
        return filled, dry


def decrypted(line: socket.socket) -> int:
    """Bytes that OpenSSL has decrypted and nobody has read: they make no descriptor readable."""
    return line.pending() if isinstance(line, ssl.SSLSocket) else 0


def lost(said: str) -> StoreError:
    """The fault of a connection that ended too early."""
    return StoreError(Fault(FaultKind.BROKEN, f"the connection was closed{said}"))
