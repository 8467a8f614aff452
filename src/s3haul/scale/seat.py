"""One engine process as its parent sees it: started, given targets, heard, and ended. Decides nothing."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterable

from s3haul.engine.admission import Target
from s3haul.scale.messages import Drain, Link, Ready, Start, ToChild, Work

GRACE = 1.0  # seconds that a process may take to end by itself
LOOKAHEAD = 128  # targets that a process has at hand beyond those under way
LOOKAHEAD_BYTES = 64 << 20
OBJECT_COST = 64 * 1024  # bytes; what an object costs besides its bytes


class Seat:
    """A place for a process: when one dies, another takes it over, with what was outstanding."""

    def __init__(self) -> None:
        self.outstanding: dict[str, Target] = {}
        self.load = 0  # bytes outstanding, with what objects cost besides
        self.ready = False
        self.dismissed = False
        self.prefix = ""
        self._process: Process | None = None
        self._link: Link | None = None
        self._handed: list[Target] = []

    def has_room(self, share: float) -> bool:
        """Whether it can use another target: up to its share at once, and some more to have at hand."""
        waiting = len(self.outstanding) - share
        return self.ready and (waiting < 0 or (waiting < LOOKAHEAD and self.load < LOOKAHEAD_BYTES))

    async def start(self, message: Start) -> None:
        """Start a process and send it its first message. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            # -P: nothing is imported from the working directory, which may be full of strangers' files.
            command = (sys.executable, "-P", "-m", "s3haul.scale.child", str(theirs.fileno()))
            inherited = (theirs.fileno(), *message.descriptors)
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=DEVNULL, pass_fds=inherited
            )
        ours.setblocking(False)
        self._link = await Link.over(ours)
        self._link.send(message)

    async def receive(self) -> object | None:
        """The next message, None when the process is gone."""
        assert self._link is not None
        message = await self._link.receive()
        if isinstance(message, Ready):
            self.ready, self.prefix = True, message.prefix
            if self.outstanding:
                self.send(Work(list(self.outstanding.values())))
        return message

    def send(self, message: ToChild) -> None:
        if self._link is not None:
            self._link.send(message)

    def dismiss(self) -> None:
        """Have the process finish what is under way, and end."""
        if self.ready and not self.dismissed:
            self.dismissed = True
            self.send(Drain())

    def give(self, target: Target) -> None:
        """One more target; what is given in one round of the loop travels together."""
        if not self._handed:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._handed.append(target)
        self.outstanding[target.ref.key] = target
        self.load += cost(target)

    def take(self, key: str) -> Target:
        """The target has ended."""
        target = self.outstanding.pop(key)
        self.load -= cost(target)
        return target

    async def end(self) -> str:
        """Let go of the process; how it ended, in words."""
        self.ready = False
        if self._link is not None:
            self._link.close()
            self._link = None
        process, self._process = self._process, None
        if process is None:
            return "it could not be started"
        try:
            async with asyncio.timeout(GRACE):
                status = await process.wait()
        except TimeoutError:
            process.kill()
            status = await process.wait()
        return f"{signal.Signals(-status).name} ended it" if status < 0 else f"it ended with status {status}"

    def _hand_over(self) -> None:
        # Those of a process that died meanwhile go to its successor as outstanding ones.
        handed, self._handed = self._handed, []
        if self.ready:
            self.send(Work(handed))


def cost(target: Target) -> int:
    """What a target weighs among others, in bytes."""
    return target.ref.size + OBJECT_COST


def least_loaded(seats: Iterable[Seat]) -> Seat:
    return min(seats, key=lambda seat: seat.load)
