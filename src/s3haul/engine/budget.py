"""What one run may take, of bytes and of time (--max-transfer, --max-duration). Beyond, it ends in order.

Objects are begun in the order of their keys as long as their bytes fit, so that a run never fetches more than it may,
and the next one goes on behind it. Attempts that are thrown away are not counted.
"""

import asyncio
from collections.abc import Sequence

from s3haul.core.text import human_bytes, human_duration, show
from s3haul.engine.decision import Target
from s3haul.errors import LimitReachedError
from s3haul.options import TransferOptions


class Budget:
    """Of one run that begins `now`, by the run's clock."""

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
            size = target.ref.size - _landed(target)
            if self._spent + size > self._bytes or self._next is not None:
                self._next = self._next or target
                return targets[:number]
            self._spent += size
        return targets

    def stop_if_full(self, producer: "asyncio.Task[None]") -> None:
        """Whoever lists need not go on once no further object may be begun."""
        if self._next is not None:
            producer.cancel()

    def is_over(self, now: float) -> bool:
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


def _landed(target: Target) -> int:
    return sum(block.size for block in target.partial.blocks) if target.partial else 0


def _reached(message: str) -> LimitReachedError:
    return LimitReachedError(message, hint="the same command again goes on")
