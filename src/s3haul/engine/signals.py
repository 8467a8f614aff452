"""INT, TERM and HUP as an orderly end: the first drains, the second exits at once.

Python dies silently of TERM and HUP by default; a haul must leave a journal that resumes. The work
under way gets `GRACE` seconds to finish, then it is cancelled and will be fetched again. A thread that
hangs on a dead disk cannot be cancelled, so after `LIMIT` seconds the process ends whatever it does; the
journal bears that as it bears a kill.
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
    """Which signal came first, if any, and what to do then: `drain` at once, `cancel` after the grace."""

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
        """Signals come here while the block runs, which must hold all that is to be done in order."""
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
        if self.number is not None:
            os._exit(128 + number)
        self.number = number
        name = signal.Signals(number).name
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
