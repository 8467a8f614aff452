"""A task waits for its work in a thread, also if it is cancelled."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from s3haul.concurrency import in_thread, shielded, spawn


async def test_a_cancelled_task_waits_for_its_thread_and_retrieves_its_error():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    release, ended = threading.Event(), threading.Event()

    def fail() -> None:
        release.wait()
        ended.set()
        raise OSError("the disk is full")

    with ThreadPoolExecutor(1) as threads:
        task = asyncio.create_task(in_thread(threads, fail))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended.is_set()
    del task
    gc.collect()
    await asyncio.sleep(0)
    assert told == []


async def test_a_task_that_is_cancelled_again_and_again_still_waits_for_its_thread():
    begun, release, ended = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        release.wait(30)
        ended.append(True)

    with ThreadPoolExecutor(1) as threads:
        task = asyncio.create_task(in_thread(threads, work))
        await asyncio.to_thread(begun.wait, 30)
        for _ in range(3):
            task.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == [True]


async def test_on_cancellation_the_work_is_asked_to_hurry():
    hurried = asyncio.Event()

    async def work():
        await hurried.wait()

    task = asyncio.create_task(shielded(work(), hurried.set))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_a_group_that_is_ending_ignores_new_work():
    done = []

    async def work():
        done.append(True)

    async def fail():
        raise ZeroDivisionError

    async def run():
        async with asyncio.TaskGroup() as group:

            async def linger():
                try:
                    await asyncio.Event().wait()
                finally:
                    spawn(group, work())

            spawn(group, linger())
            await asyncio.sleep(0)
            spawn(group, fail())

    with pytest.raises(ExceptionGroup):
        await run()
    assert done == []
