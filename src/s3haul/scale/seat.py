"""One engine process as its parent sees it: started, given targets, heard, and ended. Decides nothing."""

import asyncio
import contextlib
import os
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
_SECRETS = ("AWS_", "S3HAUL_")  # begin the names of variables that may hold one


class Seat:
    """A place for a process: when one dies, another takes it over, with what was outstanding.

    After losses it is `careful`: the next process gets one target at a time, so that it is known which
    one kills it.
    """

    def __init__(self) -> None:
        self.outstanding: dict[str, Target] = {}
        self.load = 0  # bytes outstanding, with what objects cost besides
        self.unsettled = 0  # bytes received, or found intact, of what is outstanding
        self.silence = 0  # looks of the watch since the last message
        self.ready = False
        self.dismissed = False
        self.careful = False
        self.prefix = ""
        self._process: Process | None = None
        self._link: Link | None = None
        self._waiting: list[Target] = []  # outstanding, and not sent yet

    def has_room(self, share: int) -> bool:
        """Whether it can use another target: up to its share at once, and some more to have at hand."""
        waiting = len(self.outstanding) - share
        room = waiting < 0 or (waiting < LOOKAHEAD and self.load < LOOKAHEAD_BYTES)
        return room and self.ready and not self.careful

    async def start(self, message: Start) -> None:
        """Start a process and send it its first message. Raises OSError; `end` cleans up in any case."""
        self._waiting = list(self.outstanding.values())
        self.silence = 0
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            # -P: nothing is imported from the working directory, which may be full of strangers' files.
            command = (sys.executable, "-P", "-m", "s3haul.scale.child", str(theirs.fileno()))
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=DEVNULL,
                stdout=DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith(_SECRETS)},
                pass_fds=(theirs.fileno(), *message.descriptors),
                start_new_session=True,  # what the terminal signals is for the parent
            )
            ours.setblocking(False)
            self._link = await Link.over(ours)
            undo.pop_all()
        self._link.send(message)

    async def receive(self) -> object | None:
        """The next message, None when the process is gone."""
        assert self._link is not None
        message = await self._link.receive()
        self.silence = 0
        if isinstance(message, Ready):
            self.ready, self.prefix = True, message.prefix
            self._hand_over()
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
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._waiting.append(target)
        self.outstanding[target.ref.key] = target
        self.load += cost(target)

    def take(self, key: str) -> Target:
        """The target has ended."""
        target = self.outstanding.pop(key)
        self.load -= cost(target)
        if self.careful:
            self._hand_over()
        return target

    def under_way(self) -> list[Target]:
        """What the process has got, or had when it died."""
        waiting = {target.ref.key for target in self._waiting}
        return [target for key, target in self.outstanding.items() if key not in waiting]

    def look(self) -> int:
        """How many looks it has been silent for, with this one."""
        self.silence += self._process is not None
        return self.silence

    def kill(self) -> None:
        """End the process, whatever it does; `receive` will tell."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

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
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            status = await process.wait()
        return f"{_signal_name(-status)} ended it" if status < 0 else f"it ended with status {status}"

    def _hand_over(self) -> None:
        # Those of a process that died meanwhile go to its successor.
        if not self.ready or self.dismissed or not self._waiting:
            return
        if not self.careful:
            handed, self._waiting = self._waiting, []
        elif len(self.outstanding) > len(self._waiting):
            return  # it has one
        else:
            handed = [self._waiting.pop(0)]
            self.careful = bool(self._waiting)
        self.send(Work(handed))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def cost(target: Target) -> int:
    """What a target weighs among others, in bytes."""
    return target.ref.size + OBJECT_COST


def least_loaded(seats: Iterable[Seat]) -> Seat:
    return min(seats, key=lambda seat: seat.load)
