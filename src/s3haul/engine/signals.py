"""INT, TERM and HUP as an orderly end: the first drains, the second exits at once.

Python dies silently of TERM and HUP by default; a haul must leave a journal that resumes. The work
under way gets `GRACE` seconds to finish; then it is cancelled and will be fetched again.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

GRACE = 3.0
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Interruption:
    """Which signal came first, if any."""

    number: int | None = None


@contextmanager
def interruptions(drain: Callable[[], None], cancel: Callable[[], None]) -> Iterator[Interruption]:
    """While the block runs, the first signal calls `drain`, and `cancel` after the grace period."""
    loop = asyncio.get_running_loop()
    seen = Interruption()

    def on_signal(number: int) -> None:
        if seen.number is not None:
            os._exit(128 + number)
        seen.number = number
        drain()
        loop.call_later(GRACE, cancel)

    for number in HANDLED:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield seen
    finally:
        for number in HANDLED:
            loop.remove_signal_handler(number)
