"""Where a large body is written: on the event loop while the disk is fast, else in threads. Pure.

A piece that has just been received lies in the cache of the core that received it; a thread on another core
fetches it from there, which costs as much as the copy itself. But a disk that keeps its writer waiting must
not keep the loop waiting.
"""

QUICK = 400e6  # bytes/s; a memory copy that meets no disk is faster
SLOW = 0.02  # seconds; a loop that stood still for longer is not let do it again soon
TRIALS = 4  # quick writes in threads before the loop writes
PENANCE = 64  # the same after a slow one


class WritePace:
    """One for all files of a destination. `on_loop` says where the next piece goes."""

    def __init__(self) -> None:
        self._trials = TRIALS

    @property
    def on_loop(self) -> bool:
        """Whether the next piece may be written on the event loop."""
        return self._trials == 0

    def observe(self, size: int, seconds: float) -> None:
        """A piece of `size` bytes was written in this time, wherever that was done."""
        if self.on_loop:
            if seconds > SLOW:
                self._trials = PENANCE
        elif size >= QUICK * seconds:
            self._trials -= 1
        else:
            self._trials = max(self._trials, TRIALS)
