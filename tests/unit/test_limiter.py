"""Not more parallel requests than the adaptive limit allows, and none during a pause."""

import asyncio
from itertools import pairwise

import pytest

from engine.harness import VirtualClock
from s3haul.core.limits import OUTAGE_FAILURES, OUTAGE_INTERVAL, OUTAGE_THROTTLED_FOR, AdaptiveLimit
from s3haul.store.limiter import ConcurrencyLimiter


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def hold(limiter, release):
    await limiter.acquire()
    try:
        await release.wait()
    finally:
        limiter.release()


async def test_at_most_the_limit_is_inside_and_the_others_wait():
    limiter, release = ConcurrencyLimiter(AdaptiveLimit(ceiling=3)), asyncio.Event()
    tasks = [asyncio.create_task(hold(limiter, release)) for _ in range(10)]
    await settle()
    assert (limiter.busy, limiter.limit, limiter.waiting) == (3, 3, 7)
    release.set()
    await asyncio.gather(*tasks)
    assert (limiter.busy, limiter.limit, limiter.waiting) == (0, 3, 0)


async def test_a_cancelled_waiter_does_not_keep_its_place():
    limiter, release = ConcurrencyLimiter(AdaptiveLimit(ceiling=1)), asyncio.Event()
    holder = asyncio.create_task(hold(limiter, release))
    await settle()
    waiters = [asyncio.create_task(hold(limiter, release)) for _ in range(2)]
    await settle()
    waiters[0].cancel()
    release.set()
    await holder
    await waiters[1]
    assert limiter.busy == 0


@pytest.mark.parametrize("outage", [False, True])
async def test_places_are_given_in_the_order_of_arrival(outage):
    """A task that asks again and again does not get ahead of one that waits, nor does one that is new."""
    clock = VirtualClock()
    limiter = ConcurrencyLimiter(AdaptiveLimit(ceiling=1), clock=clock, sleep=clock.sleep)
    if outage:
        for _ in range(OUTAGE_FAILURES):
            limiter.failed()
    served = []

    async def ask(name, times=1):
        for _ in range(times):
            await limiter.acquire()
            served.append(name)
            limiter.release()

    async def ask_all():
        async with asyncio.TaskGroup() as group:
            group.create_task(ask("again", 4))
            for name in "abc":
                group.create_task(ask(name))

    await limiter.acquire()
    asking = asyncio.create_task(ask_all())
    await settle()
    limiter.release()
    await asking
    assert served == ["again", "a", "b", "c", "again", "again", "again"]
    assert (limiter.busy, limiter.waiting) == (0, 0)


async def test_cancelled_waiters_are_not_counted_and_hold_nobody_up():
    limiter, release = ConcurrencyLimiter(AdaptiveLimit(ceiling=2)), asyncio.Event()
    tasks = [asyncio.create_task(hold(limiter, release)) for _ in range(6)]
    await settle()
    for first_or_not in (2, 4):
        tasks[first_or_not].cancel()
    await settle()
    assert (limiter.busy, limiter.waiting, limiter.room(0.0)) == (2, 2, 1)
    release.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (limiter.busy, limiter.waiting, limiter.room(0.0)) == (0, 0, 2)


async def test_everybody_waits_during_a_pause():
    adaptive_limit = AdaptiveLimit(ceiling=4)
    limiter, release = ConcurrencyLimiter(adaptive_limit), asyncio.Event()
    adaptive_limit.paused_until = asyncio.get_running_loop().time() + 3600
    task = asyncio.create_task(hold(limiter, release))
    await settle()
    assert limiter.busy == 0
    task.cancel()


async def test_throttling_lowers_the_limit_and_success_raises_it():
    adaptive_limit = AdaptiveLimit(ceiling=8)
    limiter, release = ConcurrencyLimiter(adaptive_limit), asyncio.Event()
    for _ in range(3):
        limiter.throttled(None)
    tasks = [asyncio.create_task(hold(limiter, release)) for _ in range(8)]
    await settle()
    assert limiter.busy == 4
    adaptive_limit.limit = 8.0
    limiter.succeeded()
    await settle()
    assert limiter.busy == 8
    release.set()
    await asyncio.gather(*tasks)


async def test_during_an_outage_one_request_is_sent_at_a_time_until_one_succeeds():
    clock = VirtualClock()
    limiter, release, entered = (
        ConcurrencyLimiter(AdaptiveLimit(ceiling=8), clock=clock, sleep=clock.sleep),
        asyncio.Event(),
        [],
    )

    async def ask():
        await limiter.acquire()
        entered.append(clock.now)
        await release.wait()
        limiter.release()

    for _ in range(OUTAGE_FAILURES):
        limiter.failed()
    tasks = [asyncio.create_task(ask()) for _ in range(20)]
    while len(entered) < 4:
        await clock.sleep(0.01)
    assert [later - earlier for earlier, later in pairwise(entered)] == pytest.approx(
        [OUTAGE_INTERVAL] * 3, abs=0.02
    )
    assert limiter.limit == 1
    limiter.succeeded()
    assert limiter.limit > 1
    release.set()
    await asyncio.gather(*tasks)
    assert entered[-1] - entered[3] <= OUTAGE_INTERVAL


async def test_a_successful_page_does_not_end_an_outage_of_objects():
    limiter = ConcurrencyLimiter(AdaptiveLimit(ceiling=8))
    for _ in range(OUTAGE_FAILURES):
        limiter.failed()
    limiter.listed()
    assert limiter.health.outage


async def test_an_outage_in_which_nothing_is_answered_lets_no_more_requests_hang_than_are_allowed():
    clock = VirtualClock()
    limiter, release = (
        ConcurrencyLimiter(AdaptiveLimit(ceiling=3), clock=clock, sleep=clock.sleep),
        asyncio.Event(),
    )
    for _ in range(OUTAGE_FAILURES):
        limiter.failed()
    tasks = [asyncio.create_task(hold(limiter, release)) for _ in range(10)]
    for _ in range(20):
        await clock.sleep(OUTAGE_INTERVAL)
    assert limiter.busy == 3
    limiter.succeeded()
    release.set()
    await asyncio.gather(*tasks)


async def test_refusals_for_the_rate_are_no_outage_until_they_have_lasted_a_while():
    clock = VirtualClock()
    limiter = ConcurrencyLimiter(AdaptiveLimit(ceiling=256), clock=clock, sleep=clock.sleep)
    for _ in range(10 * OUTAGE_FAILURES):
        limiter.failed(throttled=True)
    assert not limiter.health.outage
    clock.now += OUTAGE_THROTTLED_FOR
    limiter.failed(throttled=True)
    assert limiter.health.outage


async def test_requests_of_batches_take_places_too():
    limiter, release, others = (
        ConcurrencyLimiter(AdaptiveLimit(ceiling=8)),
        asyncio.Event(),
        ["a request"] * 5,
    )
    limiter.count_others(others)
    tasks = [asyncio.create_task(hold(limiter, release)) for _ in range(8)]
    await settle()
    assert (limiter.busy, limiter.waiting) == (3, 5)
    others.clear()
    limiter.wake()
    await settle()
    assert limiter.busy == 8
    release.set()
    await asyncio.gather(*tasks)
