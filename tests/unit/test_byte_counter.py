"""Bytes that a thread receives are reported to the loop at intervals, and completely at the end."""

import asyncio
import threading

import pytest

from s3haul.engine.large_file import REPORT_EVERY, ByteCounter


@pytest.mark.parametrize("pause", [0.0, REPORT_EVERY / 3, REPORT_EVERY, 7 * REPORT_EVERY])
@pytest.mark.parametrize("sizes", [[], [1], [1 << 20], [1000] * 50])
async def test_every_byte_is_reported_once_on_the_loop_and_not_too_often(sizes, pause):
    now, heard, threads = [0.0], [], set()

    def hear(size):
        heard.append(size)
        threads.add(threading.get_ident())

    counter = ByteCounter(hear, lambda: now[0])

    def work():
        for size in sizes:
            now[0] += pause
            counter.add(size)

    await asyncio.to_thread(work)
    counter.end()
    assert sum(heard) == sum(sizes)
    assert len(heard) <= min(round(now[0] / REPORT_EVERY), len(sizes)) + 1
    assert threads <= {threading.get_ident()}


async def test_received_bytes_are_reported_when_the_interval_is_over():
    now, heard = [0.0], []
    counter = ByteCounter(heard.append, lambda: now[0])
    for moment, size in ((0.4, 1), (0.9, 2), (1.0, 4), (1.9, 8), (2.1, 16)):
        now[0] = moment * REPORT_EVERY
        counter.add(size)
    await asyncio.sleep(0)
    assert heard == [7, 24]
    counter.end()
    assert heard == [7, 24, 0]
