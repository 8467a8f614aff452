"""Run blocking work in threads without losing track of it.

A thread cannot be cancelled. A task that is cancelled while a thread works on its file waits for that
thread, so that no descriptor is closed and no file removed under a write that is still under way.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def shielded(work: Awaitable[T], hurry: Callable[[], None] | None = None) -> T:
    """The result of `work`; when cancelled meanwhile, cancelled only after `work` has ended.

    `hurry` is called when that happens, to make it end soon.
    """
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_outweighed)
        if hurry is not None:
            hurry()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):  # once is enough
                await asyncio.wait([future])
        raise


def _outweighed(future: "asyncio.Future[T]") -> None:
    """The cancellation counts more than an error: it is heard here, since nobody else will ask for it."""
    if not future.cancelled():
        future.exception()


def settle(future: "asyncio.Future[T]", result: T, error: BaseException | None) -> None:
    """On its event loop: `future` has its result or failed, unless nobody waits for it any more."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


async def in_thread(threads: Executor | None, function: Callable[[*Ts], T], *args: *Ts) -> T:
    """`function(*args)` in a thread, shielded from cancellation; None is the loop's own executor."""
    return await shielded(asyncio.get_running_loop().run_in_executor(threads, function, *args))
