"""Workers come as requests are allowed, and no more of them once the run is being ended."""

import asyncio

import pytest

from s3haul.core.limits import AdaptiveLimit
from s3haul.engine.dispatch import Channel, WorkerPool
from s3haul.store.limiter import ConcurrencyLimiter


async def test_an_object_that_waits_while_the_run_ends_hides_no_error():
    channel, waiting = Channel(4), []
    channel.push("target")

    async def process(target):
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            waiting.append(target)
            pool.grow()

    async def fail_while_it_is_fetched():
        nonlocal pool
        async with asyncio.TaskGroup() as group:
            pool = WorkerPool(
                group, ConcurrencyLimiter(AdaptiveLimit(ceiling=1)), channel, process, lambda: len(waiting)
            )
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            raise ZeroDivisionError

    pool: WorkerPool
    with pytest.raises(ExceptionGroup) as caught:
        await fail_while_it_is_fetched()
    assert waiting == ["target"]
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
