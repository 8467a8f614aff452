"""An outage of any kind delays a run, but no object fails. A fault of one object fails it without delay."""

import pytest

from contract.memory import MemoryStore, refused, stored
from engine.harness import DONE, VirtualClock, run_once, states
from s3haul.errors import Fault, FaultKind, SourceError, StoreError

OUTAGES = {
    "500": Fault(FaultKind.HTTP, "oops", code="InternalError", status=500),
    "503": Fault(FaultKind.HTTP, "slow down", code="SlowDown", status=503),
    "reset": Fault(FaultKind.BROKEN, "reset by peer"),
    "stall": Fault(FaultKind.STALL, "no byte"),
    "refused": Fault(FaultKind.CONNECT, "connection refused"),
    "no name": Fault(FaultKind.CONNECT, "cannot resolve", code="NoAddress"),
}


class Service:
    """A store whose GETs fail from the `after`th on, for a number of seconds of virtual time."""

    def __init__(self, fault: Fault, seconds: float, *, objects: int = 200, after: int = 50, operation="get"):
        self.clock = VirtualClock()
        self.asked: list[float] = []  # seconds since the outage began
        self.served: list[float] = []
        self._fault, self._seconds, self._after, self._operation = fault, seconds, after, operation
        self._calls, self._began = 0, None
        bodies = {f"k{n:04}": stored(b"%d" % n) for n in range(objects)}
        self.store = MemoryStore(bodies, fault=self._trouble, page_size=20)

    def _trouble(self, call):
        if call.operation != self._operation:
            return
        self._calls += 1
        if self._calls > self._after and self._began is None:
            self._began = self.clock.now
        if self._began is None:
            return
        since = self.clock.now - self._began
        (self.asked if since < self._seconds else self.served).append(since)
        if since < self._seconds:
            raise StoreError(self._fault)


@pytest.mark.parametrize("kind", OUTAGES)
async def test_in_an_outage_of_ten_minutes_nothing_fails_and_two_requests_a_second_are_sent(tmp_path, kind):
    service = Service(OUTAGES[kind], 600.0)
    done = await run_once(service.store, tmp_path, clock=service.clock, max_attempts=None)
    assert done.stats.exit_code == 0
    assert set(states(tmp_path).values()) == {DONE}
    later = [when for when in service.asked if when > 60.0]
    assert 0.5 * 540 <= len(later) <= 2.1 * 540


@pytest.mark.parametrize("kind", OUTAGES)
async def test_work_continues_within_seconds_after_an_outage(tmp_path, kind):
    service = Service(OUTAGES[kind], 120.0)
    await run_once(service.store, tmp_path, clock=service.clock, max_attempts=None)
    assert service.served[0] <= 121.0
    assert service.served[-1] <= 135.0


async def test_an_outage_of_the_listing_is_retried_while_objects_are_fetched(tmp_path):
    service = Service(OUTAGES["500"], 600.0, after=3, operation="list")
    done = await run_once(service.store, tmp_path, clock=service.clock, max_attempts=None)
    assert (done.stats.done, done.stats.exit_code) == (200, 0)
    assert service.served[0] <= 603.0


async def test_an_outage_longer_than_the_retry_timeout_ends_the_run_and_fails_no_object(tmp_path):
    service = Service(OUTAGES["500"], 10_000.0)
    with pytest.raises(SourceError, match="after retries") as caught:
        await run_once(service.store, tmp_path, clock=service.clock, max_attempts=None, retry_timeout=900.0)
    assert (caught.value.exit_code, "15 min" in caught.value.hint) == (6, True)
    assert 900.0 <= max(service.asked) <= 1000.0
    assert set(states(tmp_path).values()) == {DONE}


async def test_a_configured_number_of_attempts_limits_each_object(tmp_path):
    service = Service(OUTAGES["500"], 10_000.0, objects=5, after=2)
    done = await run_once(service.store, tmp_path, clock=service.clock, max_attempts=2, concurrency=1)
    assert (done.stats.done, done.stats.failed["server-error"].count) == (2, 3)
    assert len(service.asked) == 3 * 2


@pytest.mark.parametrize("objects", [2, 60])
async def test_one_object_that_always_fails_fails_soon_and_alone(tmp_path, objects):
    clock = VirtualClock()

    def poisoned(call):
        if call.operation == "get" and call.key == "k0001":
            raise StoreError(OUTAGES["500"])

    store = MemoryStore({f"k{n:04}": stored(b"%d" % n) for n in range(objects)}, fault=poisoned)
    done = await run_once(store, tmp_path, clock=clock, max_attempts=None, concurrency=1)
    assert (done.stats.done, done.stats.failed["server-error"].count) == (objects - 1, 1)
    assert clock.now - 1000.0 < 200.0


async def test_a_request_that_is_not_implemented_is_sent_once(tmp_path):
    def never(call):
        if call.operation == "get" and call.key == "k0":
            raise refused(501, "NotImplemented")

    store = MemoryStore({"k0": stored(b"0"), "k1": stored(b"1")}, fault=never)
    done = await run_once(store, tmp_path, max_attempts=None)
    assert (done.stats.exit_code, done.stats.failed["request-refused"].count, store.count("get")) == (1, 1, 2)
