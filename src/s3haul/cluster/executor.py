"""What a driver needs of whatever runs its attempts. Results do not pass through it: they are in RUN."""

from typing import NamedTuple, Protocol

from s3haul.cluster.schedule import Attempt


class Ended(NamedTuple):
    """An attempt is not under way any more. `finished` says that it ended in order, so that the shard has its marker;
    else `how` says what is known ("killed by signal 9")."""

    attempt: Attempt
    finished: bool
    how: str = ""


class Executor(Protocol):
    """Starts attempts elsewhere. Used by one thread."""

    @property
    def slots(self) -> int:
        """How many attempts it can run at a time, now."""
        ...

    @property
    def starts_at_once(self) -> bool:
        """Whether an attempt that was started is under way, and not in a queue."""
        ...

    def start(self, attempt: Attempt) -> None:
        """Have it run, somewhere."""
        ...

    def kill(self, attempt: Attempt) -> None:
        """Give it up without grace; `ended` will not name it. It may live on for a while where it cannot be reached."""
        ...

    def ended(self, timeout: float) -> list[Ended]:
        """What has ended since the last call; waits so many seconds for the first."""
        ...

    def close(self) -> None:
        """Give everything up."""
        ...
