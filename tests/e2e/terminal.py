"""The command on a terminal of its own: a pseudo-terminal of 80 columns,
whose screen pyte draws in memory."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Callable

import pyte

from e2e.harness import LONGEST_RUN, Machine

COLUMNS, ROWS = 80, 40
_START = "import os, sys; sys.stdin.readline(); os.execv(sys.executable, [sys.executable, '-m', 's3haul', *sys.argv[1:]])"
_VOLATILE = (
    (r"arn:aws:sts::\S+ at https://127\.0\.0\.1:[\d\n]+ \(us-east-1\)", "WHO at ENDPOINT (us-east-1)"),
    (r"\|[█▏▎▍▌▋▊▉ ]*\|", "|...|"),
    (r"[\d.]+ [KMG]?i?B/s", "RATE/s"),
    (r"[\d,]+ objects/s", "N objects/s"),
    (r", [\d,]+/s", ", N/s"),
    (r" in [\d.]+ s\b", " in TIME"),
    (r", [\d. smin]+ left", ", TIME left"),
)


class OnTerminal:
    """One command. It is started by the first `until`, once the terminal has its size."""

    def __init__(self, machine: Machine, *arguments: str) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._ended = False
        self.code: int | None = None
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.chdir(machine.home)
            environment = machine.environment | {"TERM": "xterm"}
            os.execve(sys.executable, [sys.executable, "-c", _START, *arguments], environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.until(lambda: True)
        self.type("\n")
        self.until(lambda: self.screen.cursor.y > 0)  # the echo of what was typed
        self.screen.reset()

    @property
    def rows(self) -> list[str]:
        """What a person sees."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def steady(self) -> list[str]:
        """The rows, without what differs from run to run."""
        text = "\n".join(self.rows)
        for pattern, instead in _VOLATILE:
            text = re.sub(pattern, instead, text)
        return text.split("\n")

    @property
    def clean(self) -> bool:
        """Whether a prompt would stand at the start of the line below everything."""
        return (self.screen.cursor.x, self.screen.cursor.y) == (0, len(self.rows))

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def until(self, ready: Callable[[], bool]) -> None:
        """Read what is written until the screen is so, or the command has ended."""
        deadline = time.monotonic() + LONGEST_RUN
        while not self._ended and not ready():
            assert time.monotonic() < deadline, self.rows
            if select.select([self._fd], [], [], 0.1)[0]:
                try:
                    written = os.read(self._fd, 65536)
                except OSError:  # nobody has the terminal open any more
                    written = b""
                self._ended = not written
                self._stream.feed(written)

    def shows(self, text: str) -> Callable[[], bool]:
        return lambda: text in "".join(line.ljust(COLUMNS) for line in self.screen.display)

    def end(self) -> int:
        """Its exit code, once it has ended."""
        self.until(lambda: False)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
