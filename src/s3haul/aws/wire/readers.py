"""Threads that read large bodies: one a core, each from many sockets in turn, through one buffer of its own.

What came is hashed and written before the next socket is read, so the bytes are still in the cache then, and
memory is bounded whatever the number of connections. Neither the system calls nor OpenSSL nor the checksums
need the interpreter, so that the cores do work at once; more threads would mostly wait for it.
"""

import asyncio
import os
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from s3haul.aws.wire.answer import Answer
from s3haul.aws.wire.head import ViolationError, unsound
from s3haul.aws.wire.pace import Pace
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.store import Take
from s3haul.threads import settle

BUFFER = 512 << 10  # bytes; of more, the first fall out of the cache before they are written
FEWEST = 2  # threads
LOOK_EVERY = 0.5  # seconds; how often a body that does not come is looked at
BREATH = 0.001  # seconds; while nothing more is here, so that more than a packet comes at a time

NOT_YET = (BlockingIOError, ssl.SSLWantReadError)


class Readers:
    """All threads of one event loop; each begins when it is needed."""

    def __init__(self) -> None:
        self._most = max(FEWEST, os.cpu_count() or 1)
        self._readers: list[_Reader] = []

    def read(self, body: "Body") -> "asyncio.Future[None]":
        """The rest of a body, to who takes it. Raises `StoreError`, and what that one raises."""
        reader = min(self._readers, key=lambda each: each.bodies, default=None)
        if reader is None or (reader.bodies and len(self._readers) < self._most):
            reader = _Reader()
            self._readers.append(reader)
        return reader.accept(body)

    def close(self) -> None:
        """Gives up bodies under way."""
        for reader in self._readers:
            reader.close()


class _Reader:
    """One thread. `bodies` is how many it has; only the event loop counts."""

    def __init__(self) -> None:
        self.bodies = 0
        self._loop = asyncio.get_running_loop()
        self._new: deque[tuple[Body, asyncio.Future[None]] | None] = deque()
        self._bell, self._ear = socket.socketpair()
        self._under_way: dict[Body, asyncio.Future[None]] = {}
        self._waiting: dict[int, Body] = {}  # for bytes, by descriptor
        self._sockets = select.poll()
        self._sockets.register(self._ear, select.POLLIN)
        self._thread = threading.Thread(target=self._run, name="s3haul-body", daemon=True)
        self._thread.start()

    def accept(self, body: "Body") -> "asyncio.Future[None]":
        end = self._loop.create_future()
        end.add_done_callback(self._one_less)
        self.bodies += 1
        self._new.append((body, end))
        self._bell.send(b"\0")
        return end

    def close(self) -> None:
        self._new.append(None)
        self._bell.send(b"\0")
        self._thread.join()
        self._bell.close()
        self._ear.close()

    def _one_less(self, _: "asyncio.Future[None]") -> None:
        self.bodies -= 1

    def _run(self) -> None:
        memory = memoryview(bytearray(BUFFER))
        ready: list[Body] = []
        look_at = 0.0
        while True:
            ready += self._here(0 if ready else LOOK_EVERY)
            if (now := time.monotonic()) >= look_at:
                look_at = now + LOOK_EVERY
                self._look()
            while self._new:
                if (new := self._new.popleft()) is None:
                    self._give_up()
                    return
                body, self._under_way[body] = new
                ready.append(body)
            ready = [body for body in ready if self._step(body, memory)]
            if not ready:
                time.sleep(BREATH)

    def _here(self, patience: float) -> "list[Body]":
        """Those of the waiting for which something came."""
        found = []
        for number, _ in self._sockets.poll(patience * 1000):
            if number in self._waiting:
                found.append(self._no_longer(number))
            else:
                self._ear.recv(4096)
        return found

    def _no_longer(self, number: int) -> "Body":
        self._sockets.unregister(number)
        body = self._waiting.pop(number)
        body.pace.waited(body.clock())
        return body

    def _step(self, body: "Body", memory: memoryview) -> bool:
        """Whether more of this body may be here already."""
        try:
            dry = body.step(memory)
            if body.answer.complete:
                self._end(body, None)
                return False
            if dry:
                body.wait()
        except BaseException as error:  # noqa: BLE001 - it belongs to who asked for the body
            self._end(body, error)
            return False
        if dry:
            self._waiting[body.number] = body
            self._sockets.register(body.number, select.POLLIN)
        return not dry

    def _look(self) -> None:
        """Give up bodies that come too slowly. Of these nothing is here, however long the others took."""
        for number, body in list(self._waiting.items()):
            try:
                body.judge()
            except StoreError as error:
                self._no_longer(number)
                self._end(body, error)

    def _give_up(self) -> None:
        for body in list(self._under_way):
            self._end(body, lost(" at the end of the run"))

    def _end(self, body: "Body", error: BaseException | None) -> None:
        self._loop.call_soon_threadsafe(settle, self._under_way.pop(body), error)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """What a thread needs of a connection, and who takes the bytes."""

    line: socket.socket
    receive: Callable[[memoryview], int]  # from it
    answer: Answer
    pace: Pace
    clock: Callable[[], float]
    take: Take

    @property
    def number(self) -> int:
        return self.line.fileno()

    def step(self, memory: memoryview) -> bool:
        """Hand on what is here, at most as much as `memory` holds; whether nothing more is.

        Raises `StoreError`, and what `take` raises.
        """
        answer, take = self.answer, self.take
        while answer.due:  # what came with the head
            take(answer.take())
        if answer.complete:
            return False
        return self._pass_on(memory) if answer.bare else self._parse()

    def wait(self) -> None:
        """From now on nothing but the network is waited for. Raises `StoreError` when it has been too slow."""
        self.pace.wait(self.clock())
        self.judge()

    def judge(self) -> None:
        verdict = self.pace.verdict(self.clock())
        if verdict is not None:
            raise StoreError(Fault(FaultKind.STALL, verdict))

    def _pass_on(self, memory: memoryview) -> bool:
        """Bytes of a body of known length, by way of `memory`."""
        view = memory[: min(len(memory), self.answer.bare)]
        size, dry = self._fill(view)
        self.answer.passed(size)
        if size:
            self.take(view[:size])
        return dry

    def _parse(self) -> bool:
        """Bytes of a body in chunks."""
        answer = self.answer
        size, dry = self._fill(answer.buffer())
        try:
            answer.received(size)
        except ViolationError as violation:
            raise StoreError(Fault(FaultKind.PROTOCOL, unsound(violation))) from None
        while answer.due:
            self.take(answer.take())
        return dry

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
