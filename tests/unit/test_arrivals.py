"""Bytes that a thread receives: told to the loop in large amounts, and all of them in the end."""

import asyncio
import threading

import pytest

from s3haul.engine.arrivals import STEP, Arrivals


@pytest.mark.parametrize("sizes", [[], [1], [STEP], [STEP - 1, 1], [STEP // 3] * 10, [5 * STEP, 7]])
async def test_every_byte_is_heard_once_on_the_loop(sizes):
    heard, threads = [], set()

    def hear(size):
        heard.append(size)
        threads.add(threading.get_ident())

    arrivals = Arrivals(hear)

    def work():
        for size in sizes:
            arrivals.add(size)

    await asyncio.to_thread(work)
    arrivals.end()
    assert sum(heard) == sum(sizes)
    assert len(heard) <= sum(sizes) // STEP + 1
    assert threads <= {threading.get_ident()}


async def test_what_is_less_than_a_step_is_heard_at_the_end():
    heard = []
    arrivals = Arrivals(heard.append)
    arrivals.add(STEP - 1)
    await asyncio.sleep(0)
    assert heard == []
    arrivals.end()
    assert heard == [STEP - 1]
