"""Runs blocking work in threads, and always waits for them.

A thread cannot be cancelled. A task that is cancelled while a thread works on its file waits for the thread; otherwise a
descriptor could be closed, or a file removed, during a write.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def shielded(work: Awaitable[T], hurry: Callable[[], None] | None = None) -> T:
    """The result of `work`. If the task is cancelled, the cancellation is raised after `work` has ended; `hurry` is called
    to make it end soon.
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


def settle(future: "asyncio.Future[T]", result: T, error: BaseException | None) -> None:
    """Set result or error of `future`, unless it was cancelled. Called on its event loop."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


async def in_thread(threads: Executor | None, function: Callable[[*Ts], T], *args: *Ts) -> T:
    """`function(*args)` in a thread, shielded from cancellation; None is the loop's own executor."""
    return await shielded(asyncio.get_running_loop().run_in_executor(threads, function, *args))
