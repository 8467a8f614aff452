"""Work in threads is waited for, whatever happens to the task that asked for it."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from s3haul.threads import in_thread


async def test_a_cancelled_task_waits_for_its_thread_and_an_error_of_that_is_no_loose_end():
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
