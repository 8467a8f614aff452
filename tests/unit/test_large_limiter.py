"""The limit of large transfers, and its fairness."""

import asyncio

import pytest

from s3haul.core.limits import AdaptiveLimit
from s3haul.store import limiter as limiter_module
from s3haul.store.limiter import BYTES_PER_TRANSFER, FIRST_PLACES, ConcurrencyLimiter, LargeTransferLimiter

PLENTY = 1 << 40


def lanes_of(requests, memory=PLENTY):
    limiter = ConcurrencyLimiter(AdaptiveLimit(ceiling=requests))
    return limiter, LargeTransferLimiter(limiter, memory)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def held(large_limiter, owner, most):
    """How many of `most` places an owner gets before any is released."""
    got = 0

    async def take():
        nonlocal got
        for _ in range(most):
            await large_limiter.acquire(owner)
            got += 1

    task = asyncio.create_task(take())
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return got


async def test_one_object_alone_may_use_all_requests():
    _, large_limiter = lanes_of(FIRST_PLACES)
    assert await held(large_limiter, "a", 20) == FIRST_PLACES


async def test_the_memory_limits_large_transfers_whatever_the_request_limit():
    _, large_limiter = lanes_of(1000, memory=3 * BYTES_PER_TRANSFER)
    assert await held(large_limiter, "a", 20) == 3


async def test_there_are_more_places_only_while_the_processors_are_idle():
    _, large_limiter = lanes_of(100)
    got = []

    async def take():
        while True:
            await large_limiter.acquire("a")
            got.append("a")

    task = asyncio.create_task(take())
    await settle()
    assert len(got) == FIRST_PLACES
    large_limiter.grow(busy=0.95)
    await settle()
    assert len(got) == FIRST_PLACES
    large_limiter.grow(busy=0.1)
    await settle()
    assert len(got) == 2 * FIRST_PLACES
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_idle_machine_allows_all_places_after_some_time(monkeypatch, tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu 1 1 1 7 1 1 1 1 0 0\n")  # the same at every check
    monkeypatch.setattr(limiter_module, "PROCESSORS", stat)
    _, large_limiter = lanes_of(32)
    async with asyncio.timeout(10):
        for _ in range(32):
            await large_limiter.acquire("a")


async def test_small_objects_keep_half_of_the_limit():
    limiter, large_limiter = lanes_of(8)
    for _ in range(8):
        await limiter.acquire()
    assert await held(large_limiter, "a", 20) == 4


async def test_a_free_place_goes_to_the_object_that_has_the_fewest():
    _, large_limiter = lanes_of(4)
    for _ in range(4):
        await large_limiter.acquire("huge")
    got = []

    async def take(owner):
        await large_limiter.acquire(owner)
        got.append(owner)

    tasks = [asyncio.create_task(take(owner)) for owner in ("huge", "other")]
    await settle()
    large_limiter.release("huge")
    await settle()
    assert got == ["other"]
    large_limiter.release("huge")
    await settle()
    assert got == ["other", "huge"]
    await asyncio.gather(*tasks)


async def test_a_place_given_to_a_cancelled_task_is_not_lost():
    _, large_limiter = lanes_of(1)
    await large_limiter.acquire("a")
    waiting = asyncio.create_task(large_limiter.acquire("b"))
    await settle()
    large_limiter.release("a")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(5):
        await large_limiter.acquire("c")
