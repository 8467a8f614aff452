"""INT, TERM and HUP end a run in order: the first signal lets work finish, the second exits at once.

By default Python ends at once on TERM and HUP, but a run must leave a journal that can be resumed. Work under way gets
`GRACE` seconds to finish, then it is cancelled; the next run fetches it again. A thread that hangs on a dead disk
cannot be cancelled, so after `LIMIT` seconds the process exits in any case; for the journal that is like a kill.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from s3haul.errors import DestinationError
from s3haul.events import Emit, Warned

GRACE = 3.0
LIMIT = 4.7
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Which signal arrived first, if any, and what happens then: `drain` at once, `cancel` after the grace time."""

    def __init__(self, emit: Emit) -> None:
        self.number: int | None = None
        self.drain: Callable[[], None] = lambda: None
        self.cancel: Callable[[], None] = lambda: None
        self._emit = emit
        self._limit: threading.Timer | None = None
        self._handles = False

    def leave(self, error: DestinationError) -> None:
        """The disk hangs, and so may the end of the run. Where the process is ours, it ends soon in any case."""
        if self._handles:
            self._emit(Warned(f"{error.message}: the run ends", error.id))
            self._end_soon(error.exit_code)

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle signals while the block runs."""
        loop = asyncio.get_running_loop()
        self._handles = True
        for number in HANDLED:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in HANDLED:
                loop.remove_signal_handler(number)
            if self._limit is not None:
                self._limit.cancel()

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if self.number is not None:
            try:
                self._emit(Warned(f"{name} again: ended at once; the same command resumes"))
            finally:
                os._exit(128 + number)
        self.number = number
        self._emit(
            Warned(f"{name}: finishing what is under way, {GRACE:.0f} s at most; once more ends it at once")
        )
        self._end_soon(128 + number)
        self.drain()
        asyncio.get_running_loop().call_later(GRACE, self.cancel)

    def _end_soon(self, code: int) -> None:
        self._limit = threading.Timer(LIMIT, os._exit, [code])
        self._limit.daemon = True
        self._limit.start()
