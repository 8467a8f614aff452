"""Work that runs concurrently, in threads and in tasks: always waited for,
and one error, not a group of errors.

A thread cannot be cancelled. A task that is cancelled while a thread works on its file waits for the thread;
otherwise a descriptor could be closed, or a file removed, during a write.
"""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from s3haul.errors import S3HaulError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_RANK = {5: 0, 4: 1, 6: 2}  # by exit code
GARBAGE_THRESHOLD = 50_000  # allocations
SWITCH_INTERVAL = 5e-4  # seconds


async def shielded(work: Awaitable[T], hurry: Callable[[], None] | None = None) -> T:
    """The result of `work`. If the task is cancelled, the cancellation is raised after `work` has ended;
    `hurry` is called to make it end soon.
    """
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_retrieve_error)
        if hurry is not None:
            hurry()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):  # already cancelled
                await asyncio.wait([future])
        raise


def _retrieve_error(future: "asyncio.Future[T]") -> None:
    """Retrieve the error, which the cancellation replaces; otherwise asyncio would log it."""
    if not future.cancelled():
        future.exception()


def finish_future(future: "asyncio.Future[T]", result: T, error: BaseException | None) -> None:
    """Set the result or the error of `future`, unless it was cancelled. Called on its event loop."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


async def in_thread(threads: Executor | None, function: Callable[[*Ts], T], *args: *Ts) -> T:
    """`function(*args)` in a thread, shielded from cancellation; None is the loop's own executor."""
    return await shielded(asyncio.get_running_loop().run_in_executor(threads, function, *args))


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order. The first failure cancels the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as errors:
        raise main_error(errors) from None
    return [task.result() for task in tasks]


def main_error(error: BaseException) -> BaseException:
    """The error of a group that explains the failure best: our own errors before others; among ours, those of
    the destination before those of the source, since a full disk also breaks connections."""
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
    """Start `work` in `group`, from a callback that may run when the group is already
    ending: then do nothing."""
    try:
        return group.create_task(work)
    except RuntimeError:
        work.close()
        return None


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """As `asyncio.run`, with settings of the interpreter for a process that only copies.

    Garbage collection is rare: imported modules live for ever, and a run makes almost no reference cycles. A
    transfer thread that returns from a system call gets the interpreter after `SWITCH_INTERVAL`; with the
    default of 5 ms, small objects would be copied a tenth more slowly.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner() as runner:
        runner.run(main)
