"""No more requests at a time than the tuner allows, and none during a pause."""

import asyncio
from itertools import pairwise

import pytest

from engine.harness import VirtualClock
from s3haul.core.health import IN_A_ROW, INTERVAL
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


async def test_during_an_outage_requests_are_made_one_by_one_until_one_succeeds():
    clock = VirtualClock()
    gate, release, entered = Gate(Tuner(ceiling=8), clock=clock, sleep=clock.sleep), asyncio.Event(), []

    async def ask():
        await gate.enter()
        entered.append(clock.now)
        await release.wait()
        gate.leave()

    for _ in range(IN_A_ROW):
        gate.failed()
    tasks = [asyncio.create_task(ask()) for _ in range(20)]
    while len(entered) < 4:
        await clock.sleep(0.01)
    assert [later - earlier for earlier, later in pairwise(entered)] == pytest.approx(
        [INTERVAL] * 3, abs=0.02
    )
    assert gate.limit == 1
    gate.succeeded()
    assert gate.limit > 1
    release.set()
    await asyncio.gather(*tasks)
    assert entered[-1] - entered[3] <= INTERVAL


async def test_a_page_that_is_served_ends_no_outage_of_objects():
    gate = Gate(Tuner(ceiling=8))
    for _ in range(IN_A_ROW):
        gate.failed()
    gate.listed()
    assert gate.health.outage
