"""The limits of requests and bytes per second apply to all requests of a run."""

import asyncio
import threading

import pytest

from contract import memory
from contract.memory import MemoryStore, stored
from engine.harness import DONE, VirtualClock, run_once, states
from s3haul.models import ObjectMeta, ObjectRef
from s3haul.options import LimitOptions, TransferOptions
from s3haul.store.protocol import GetRequest, HeadRequest
from s3haul.store.rate_limited import LONGEST_BREAK, RateLimitedStore, fitting


async def test_the_request_rate_is_limited(tmp_path):
    clock = VirtualClock()
    asked = []
    store = MemoryStore(
        {f"k{n:03}": stored(b"x") for n in range(60)},
        fault=lambda _call: asked.append(clock.now),
        page_size=20,
    )
    await run_once(store, tmp_path, clock=clock, max_rps=5)
    assert set(states(tmp_path).values()) == {DONE}
    assert store.count("get") == 60
    assert len(asked) == 60 + store.count("list")
    for first, sixth in zip(asked, asked[5:], strict=False):
        assert sixth - first >= 0.99
    assert asked[-1] - asked[0] == pytest.approx((len(asked) - 1) / 5, abs=0.5)


@pytest.mark.parametrize("size", [100, 100_000, 1_000_000])
async def test_the_bandwidth_is_limited(size, monkeypatch):
    monkeypatch.setattr(memory, "PIECE", 1 << 20)  # as the transports
    clock = VirtualClock()

    def block(seconds: float) -> None:
        clock.now += seconds

    inner = MemoryStore({"k": stored(b"x" * size)})
    store = RateLimitedStore(inner, LimitOptions(bandwidth=50_000), clock=clock, block=block)
    count = 1_000_000 // size
    for _ in range(count):
        await store.load(GetRequest("k"), lambda _meta: lambda _piece: None)
    assert clock.now - 1000.0 == pytest.approx(20.0, abs=0.2)


@pytest.mark.parametrize("event", ["cancelled", "limits changed"])
async def test_bytes_wait_no_longer_for_a_cancelled_request_or_for_limits_that_have_changed(event):
    clock, loop = VirtualClock(), asyncio.get_running_loop()

    def block(seconds: float) -> None:
        clock.now += seconds
        happened = threading.Event()
        loop.call_soon_threadsafe(happen, happened)
        happened.wait()

    def happen(happened: threading.Event) -> None:
        if event == "cancelled":
            task.cancel()
        else:
            store.limit(LimitOptions())
        happened.set()

    inner = MemoryStore({"k": stored(b"x" * 1_000_000)})
    store = RateLimitedStore(inner, LimitOptions(bandwidth=1000), clock=clock, block=block)
    task = asyncio.create_task(store.load(GetRequest("k"), lambda _meta: lambda _piece: None))
    await asyncio.wait([task])
    assert clock.now - 1000.0 <= LONGEST_BREAK


class Work:
    """Endless small objects, and the calls of the thread that fetches them."""

    def __init__(self):
        self.bodies = []

    def next(self):
        return ObjectRef("k", 1, '"e"', 0.0)

    def received(self, ref, meta, body):
        self.bodies.append(body)

    def not_received(self, ref, fault, access_key=""): ...

    def before_wait(self): ...

    def failed(self, error): ...


class Thread:
    def __init__(self):
        self.woken = asyncio.Event()
        self.closing = False

    def wake(self):
        self.woken.set()

    def close(self): ...


class Batches(MemoryStore):
    def small_objects(self, work):
        self.work, self.thread = work, Thread()
        return self.thread


async def test_batches_of_small_objects_obey_both_limits():
    clock, breaks = VirtualClock(), []

    def block(seconds: float) -> None:
        breaks.append(seconds)
        clock.now += seconds

    inner, work = Batches(), Work()
    store = RateLimitedStore(inner, LimitOptions(max_rps=100.0, bandwidth=1000), clock=clock, block=block)
    thread = store.small_objects(work)
    at_once = 0
    while inner.work.next() is not None:
        at_once += 1
    assert at_once <= 11
    await asyncio.wait_for(thread.woken.wait(), 10)
    clock.now += 0.01
    assert inner.work.next() is not None
    ref, meta = ObjectRef("k", 1, '"e"', 0.0), ObjectMeta(200, 5100, 5100, '"e"')
    inner.work.received(ref, meta, [b"x" * 3100, b"x" * 2000])
    assert (len(work.bodies), sum(breaks)) == (1, pytest.approx(5.0, abs=0.01))
    assert max(breaks) <= LONGEST_BREAK
    thread.closing = True  # whoever closes the thread waits for it
    inner.work.received(ref, meta, [b"x" * 5100])
    assert (len(work.bodies), sum(breaks)) == (2, pytest.approx(5.0, abs=0.01))


@pytest.mark.parametrize(
    ("bandwidth", "concurrency"), [(None, 256), (10_000, 1), (5 << 20, 80), (1 << 30, 256)]
)
def test_no_more_requests_are_under_way_than_the_bandwidth_can_feed(bandwidth, concurrency):
    assert fitting(TransferOptions(), bandwidth).concurrency == concurrency


@pytest.mark.parametrize(("sse", "seconds"), [("aws:kms", 20.0), ("AES256", 0.0)])
async def test_requests_that_cost_a_kms_call_keep_to_their_own_rate(sse, seconds):
    clock = VirtualClock()
    inner = MemoryStore({"k": stored(b"x", sse=sse)})
    store = RateLimitedStore(inner, LimitOptions(max_kms_rps=50.0), clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        await store.load(GetRequest("k"), lambda _meta: lambda _piece: None)
    assert clock.now - 1000.0 == pytest.approx(seconds, abs=2.0)


async def test_requests_that_decrypt_nothing_are_not_counted_as_kms_calls():
    clock = VirtualClock()
    store = RateLimitedStore(
        MemoryStore({"k": stored(b"x")}), LimitOptions(max_kms_rps=0.01), clock=clock, sleep=clock.sleep
    )
    for _ in range(10):
        await store.head(HeadRequest("k"))
        await store.list_page("")
    assert clock.now == 1000.0


async def test_limits_hold_from_the_moment_they_are_changed():
    clock = VirtualClock()
    store = RateLimitedStore(MemoryStore({"k": stored(b"x")}), LimitOptions(), clock=clock, sleep=clock.sleep)
    for limits, seconds in ((LimitOptions(), 0.0), (LimitOptions(max_rps=10.0), 10.0), (LimitOptions(), 0.0)):
        store.limit(limits)
        began = clock.now
        for _ in range(100):
            await store.head(HeadRequest("k"))
        assert clock.now - began == pytest.approx(seconds, abs=0.3)
