"""What ends a run before everything is copied: a signal, a limit of its bytes or its time, a disk that hangs.

INT, TERM and HUP end a run in order: the first signal lets work finish, the second exits at once. (Python's
default for TERM and HUP is to end at once, whatever is under way.) Work under way gets `GRACE` seconds to
finish, then it is cancelled; the next run fetches it again. A thread that hangs on a dead disk cannot be
cancelled, so after `LIMIT` seconds the process exits in any case; for the journal that is like a kill.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from s3haul.core.text import human_bytes, human_duration, show
from s3haul.engine.target import Decision, Target
from s3haul.errors import DestinationError, LimitReachedError
from s3haul.events import Emit, Warned
from s3haul.options import TransferOptions

GRACE = 3.0
LIMIT = 4.7
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Which signal arrived first, if any, and how the work under way is stopped.
    Created on the event loop."""

    def __init__(self, emit: Emit) -> None:
        self.signal: int | None = None
        self._drain: Callable[[], object] = _nothing
        self._cancel: Callable[[], object] = _nothing
        self._emit = emit
        self._limit: threading.Timer | None = None
        self._handles = False

    @contextmanager
    def calls(self, *, drain: Callable[[], object], cancel: Callable[[], object]) -> Iterator[None]:
        """While the block runs, `stop` and signals stop its work: `drain` starts nothing more, `cancel`
        abandons the rest. A signal that arrived before is for the block to look at: `signal`."""
        self._drain, self._cancel = drain, cancel
        try:
            yield
        finally:
            self._drain = self._cancel = _nothing

    def stop(self) -> None:
        """Drain at once, cancel after the grace time."""
        self._drain()
        asyncio.get_running_loop().call_later(GRACE, self._cancel)

    def leave(self, error: DestinationError) -> None:
        """The disk hangs, and so may the end of the run. Where the process is ours,
        it ends soon in any case."""
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
        if self.signal is not None:
            try:
                self._emit(Warned(f"{name} again: ended at once; the same command resumes"))
            finally:
                os._exit(128 + number)
        self.signal = number
        self._emit(
            Warned(f"{name}: finishing what is under way, {GRACE:.0f} s at most; once more ends it at once")
        )
        self._end_soon(128 + number)
        self.stop()

    def _end_soon(self, code: int) -> None:
        self._limit = threading.Timer(LIMIT, os._exit, [code])
        self._limit.daemon = True
        self._limit.start()


def _nothing() -> None:
    """No work is under way that could be stopped."""


class RunLimits:
    """How many bytes a run that begins `now` (by its clock) may fetch, and how long it may take:
    --max-transfer, --max-duration.

    Objects are begun in the order of their keys as long as their bytes fit, so that a run never fetches more
    than it may, and the next run continues behind it. A file that is only verified takes none of them.
    Attempts that are thrown away are not counted.
    """

    def __init__(self, options: TransferOptions, now: float) -> None:
        self._bytes = options.max_transfer
        self._seconds = options.max_duration
        self._began = now
        self._spent = 0
        self._next: Target | None = None  # the first object that did not fit
        self._late = False

    def fitting(self, targets: Sequence[Target]) -> Sequence[Target]:
        """Those that may be begun: all up to the first one that does not fit."""
        if self._bytes is None:
            return targets
        for number, target in enumerate(targets):
            if self.transfer_exhausted or (target.decision is Decision.FETCH and not self.fits(target)):
                return targets[:number]
        return targets

    def fits(self, target: Target) -> bool:
        """Whether its bytes may be fetched; then they are counted."""
        if self._bytes is None:
            return True
        size = target.ref.size - _resumable_bytes(target)
        if self._next is None and self._spent + size <= self._bytes:
            self._spent += size
            return True
        self._next = self._next or target
        return False

    @property
    def transfer_exhausted(self) -> bool:
        """Whether no further object may be begun."""
        return self._next is not None

    def time_is_up(self, now: float) -> bool:
        """Whether the time is up; true once."""
        if self._seconds is None or self._late or now - self._began < self._seconds:
            return False
        self._late = True
        return True

    def error(self) -> LimitReachedError | None:
        """How the run ends that has come to a limit."""
        if self._late:
            assert self._seconds is not None, "there is no time to be up"
            return _reached(f"The time is up: --max-duration {human_duration(self._seconds)}.")
        if self._next is None:
            return None
        assert self._bytes is not None, "there is no limit to be reached"
        ref = self._next.ref
        if self._spent:
            return _reached(
                f"{human_bytes(self._spent)} are begun, and the next object does not fit into --max-transfer"
                f" {human_bytes(self._bytes)}."
            )
        return LimitReachedError(
            f"The object {show(ref.key)} alone has {human_bytes(ref.size)}, more than --max-transfer"
            f" {human_bytes(self._bytes)}.",
            hint="raise --max-transfer",
        )


def _resumable_bytes(target: Target) -> int:
    return sum(block.size for block in target.partial.blocks) if target.partial else 0


def _reached(message: str) -> LimitReachedError:
    return LimitReachedError(message, hint="the same command again goes on")
