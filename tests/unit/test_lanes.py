"""Who may fetch a large body next."""

import asyncio

import pytest

from s3haul.core.tuner import Tuner
from s3haul.engine import lanes as lanes_module
from s3haul.engine.gate import Gate
from s3haul.engine.lanes import FIRST, LANE_BYTES, Lanes

PLENTY = 1 << 40


def lanes_of(requests, memory=PLENTY):
    gate = Gate(Tuner(ceiling=requests))
    return gate, Lanes(gate, memory)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def held(lanes, owner, most):
    """How many of `most` lanes an owner gets without anybody giving one back."""
    got = 0

    async def take():
        nonlocal got
        for _ in range(most):
            await lanes.enter(owner)
            got += 1

    task = asyncio.create_task(take())
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return got


async def test_one_object_alone_takes_every_request():
    _, lanes = lanes_of(FIRST)
    assert await held(lanes, "a", 20) == FIRST


async def test_memory_bounds_the_lanes_whatever_the_requests():
    _, lanes = lanes_of(1000, memory=3 * LANE_BYTES)
    assert await held(lanes, "a", 20) == 3


async def test_there_are_more_lanes_only_while_the_processors_have_time():
    _, lanes = lanes_of(100)
    got = []

    async def take():
        while True:
            await lanes.enter("a")
            got.append("a")

    task = asyncio.create_task(take())
    await settle()
    assert len(got) == FIRST
    lanes.grow(busy=0.95)
    await settle()
    assert len(got) == FIRST
    lanes.grow(busy=0.1)
    await settle()
    assert len(got) == 2 * FIRST
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_idle_machine_gives_every_lane_in_time(monkeypatch, tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu 1 1 1 7 1 1 1 1 0 0\n")  # the same at every look
    monkeypatch.setattr(lanes_module, "PROCESSORS", stat)
    _, lanes = lanes_of(32)
    async with asyncio.timeout(10):
        for _ in range(32):
            await lanes.enter("a")


async def test_small_objects_keep_half_of_the_gate():
    gate, lanes = lanes_of(8)
    for _ in range(8):
        await gate.enter()
    assert await held(lanes, "a", 20) == 4


async def test_a_free_lane_goes_to_the_object_that_has_the_fewest():
    _, lanes = lanes_of(4)
    for _ in range(4):
        await lanes.enter("huge")
    got = []

    async def take(owner):
        await lanes.enter(owner)
        got.append(owner)

    tasks = [asyncio.create_task(take(owner)) for owner in ("huge", "other")]
    await settle()
    lanes.leave("huge")
    await settle()
    assert got == ["other"]
    lanes.leave("huge")
    await settle()
    assert got == ["other", "huge"]
    await asyncio.gather(*tasks)


async def test_a_lane_given_to_a_task_that_was_cancelled_is_not_lost():
    _, lanes = lanes_of(1)
    await lanes.enter("a")
    waiting = asyncio.create_task(lanes.enter("b"))
    await settle()
    lanes.leave("a")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(5):
        await lanes.enter("c")
