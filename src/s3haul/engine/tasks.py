"""The event loop of a run, and coroutines that run concurrently and raise one error, not a group of errors."""

import asyncio
import gc
import sys
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from s3haul.errors import S3HaulError

T = TypeVar("T")
_RANK = {5: 0, 4: 1, 6: 2}  # by exit code
GARBAGE_THRESHOLD = 50_000  # allocations
SWITCH_INTERVAL = 5e-4  # seconds


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order. The first failure cancels the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as errors:
        raise most_telling(errors) from None
    return [task.result() for task in tasks]


def most_telling(error: BaseException) -> BaseException:
    """The error of a group that explains the failure best: our own errors before others; among ours, those of the
    destination before those of the source, since a full disk also breaks connections."""
    leaves = list(_leaves(error))
    ours = [leaf for leaf in leaves if isinstance(leaf, S3HaulError)]
    return min(ours, key=lambda leaf: _RANK.get(leaf.exit_code, len(_RANK))) if ours else leaves[0]


def _leaves(error: BaseException) -> Iterable[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def spawn(group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Start `work` in `group`, from a callback that may run when the group is already ending: then do nothing."""
    try:
        return group.create_task(work)
    except RuntimeError:
        work.close()
        return None


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """As `asyncio.run`, with settings of the interpreter for a process that only copies.

    Garbage collection is rare: imported modules live for ever, and a run makes almost no reference cycles. A transfer
    thread that returns from a system call gets the interpreter after `SWITCH_INTERVAL`; with the default of 5 ms, small
    objects would be copied a tenth more slowly.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner() as runner:
        runner.run(main)
