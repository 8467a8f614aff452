"""No more requests at a time than the tuner allows, and none during a pause."""

import asyncio

from s3haul.core.tuner import Tuner
from s3haul.engine.gate import Gate


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def hold(gate, release):
    await gate.enter()
    try:
        await release.wait()
    finally:
        gate.leave()


async def test_at_most_the_limit_is_inside_and_the_rest_follows():
    gate, release = Gate(Tuner(ceiling=3)), asyncio.Event()
    tasks = [asyncio.create_task(hold(gate, release)) for _ in range(10)]
    await settle()
    assert gate.statistics() == {"busy": 3, "limit": 3.0, "waiting": 7}
    release.set()
    await asyncio.gather(*tasks)
    assert gate.statistics() == {"busy": 0, "limit": 3.0, "waiting": 0}


async def test_a_cancelled_waiter_does_not_keep_its_place():
    gate, release = Gate(Tuner(ceiling=1)), asyncio.Event()
    holder = asyncio.create_task(hold(gate, release))
    await settle()
    waiters = [asyncio.create_task(hold(gate, release)) for _ in range(2)]
    await settle()
    waiters[0].cancel()
    release.set()
    await holder
    await waiters[1]
    assert gate.statistics()["busy"] == 0


async def test_everybody_waits_during_a_pause():
    tuner = Tuner(ceiling=4)
    gate, release = Gate(tuner), asyncio.Event()
    tuner.paused_until = asyncio.get_running_loop().time() + 3600
    task = asyncio.create_task(hold(gate, release))
    await settle()
    assert gate.statistics()["busy"] == 0
    task.cancel()


async def test_after_throttling_fewer_enter_and_success_brings_them_back():
    tuner = Tuner(ceiling=8)
    gate, release = Gate(tuner), asyncio.Event()
    gate.throttled(None)
    tuner.paused_until = 0.0
    tasks = [asyncio.create_task(hold(gate, release)) for _ in range(8)]
    await settle()
    assert gate.statistics()["busy"] == 4
    for _ in range(40):
        gate.succeeded()
    await settle()
    assert gate.statistics()["busy"] == 8
    release.set()
    await asyncio.gather(*tasks)
