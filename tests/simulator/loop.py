"""An event loop whose time passes only when nothing can be done, and which can be stopped at any step.

Work for threads is done on the loop, a little later: one seed gives one order of everything. Nothing can come
from outside, so a loop without anything left to do has found a run that hangs.
"""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from random import Random

BEGIN = 1_700_000_000.0  # seconds since the epoch; one clock serves for both kinds of time
THREAD_DELAYS = (0.0, 0.0, 0.0, 0.0005, 0.02)  # seconds until a thread has done its work
LONGEST = 6 * 3600.0  # seconds of virtual time
MOST_STEPS = 2_000_000


class HangError(AssertionError):
    """Nobody will ever wake this run, or it goes on for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """`steps` counts the callbacks that have run. `at_step` holds what is to be done after one of them.

    `threads` are the seconds that work in a thread may take.
    """

    def __init__(self, dice: Random, threads: Sequence[float] = THREAD_DELAYS) -> None:
        super().__init__()
        self.now = BEGIN
        self.steps = 0
        self.at_step: dict[int, Callable[[], None]] = {}
        self.signals: dict[int, Callable[[], None]] = {}
        self.tasks = 0
        self.most_tasks = 0
        self._dice = dice
        self._until = BEGIN + LONGEST
        self._threads = threads
        self._made = 0
        self.set_task_factory(_make_task)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor, func, *args):
        future = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)

        if delay := self._dice.choice(self._threads):
            self.call_later(delay, work)
        else:
            self.call_soon(work)
        return future

    def add_signal_handler(self, sig, callback, *args):
        self.signals[sig] = lambda: callback(*args)

    def remove_signal_handler(self, sig):
        return self.signals.pop(sig, None) is not None

    def number_of_task(self) -> int:
        self._made += 1
        self.tasks += 1
        self.most_tasks = max(self.most_tasks, self.tasks)
        return self._made

    def task_done(self, _task: object) -> None:
        self.tasks -= 1

    def _write_to_self(self) -> None:
        """There is nobody to wake: everything happens here."""

    def _run_once(self) -> None:
        timers = self._scheduled
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready:
            if not timers or timers[0]._when > self._until:
                raise HangError("nothing is left to do" if not timers else "it goes on for hours")
            self.now = max(self.now, timers[0]._when)
        while timers and timers[0]._when <= self.now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            self._ready.append(timer)
        handle = self._ready.popleft()
        if not handle._cancelled:
            handle._run()
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise HangError("it spins")
        if act := self.at_step.pop(self.steps, None):
            act()


class _Task(asyncio.Task):
    """Sets of tasks have the same order in every run of one seed."""

    def __init__(self, coroutine, *, loop, **more) -> None:
        self._number = loop.number_of_task()
        super().__init__(coroutine, loop=loop, **more)
        self.add_done_callback(loop.task_done)

    def __hash__(self) -> int:
        return self._number


def _make_task(loop, coroutine, **more):
    return _Task(coroutine, loop=loop, **more)
