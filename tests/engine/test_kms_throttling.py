"""If KMS throttles, objects that need no KMS key are not slowed down."""

import pytest

from contract.memory import MemoryStore, refused, stored
from engine.harness import DONE, VirtualClock, run_once, states
from s3haul.core.limits import AdaptiveLimit
from s3haul.models import ObjectRef, Outcome, State
from s3haul.store.limiter import MOST_THROTTLED, ConcurrencyLimiter, KmsThrottling


def objects(count: int, *, plain: int):
    """`plain` of every ten are not encrypted by KMS."""
    return {
        f"k{n:04}": stored(b"%d" % n, **({"sse": "AES256", "kms_key_id": ""} if n % 10 < plain else {}))
        for n in range(count)
    }


async def test_objects_without_kms_continue_while_kms_throttles_the_others(tmp_path):
    """KMS throttles until all other objects were fetched: the test would hang if they had to wait for it."""
    clock, plain = VirtualClock(), set()

    def throttle(call):
        if call.operation != "get":
            return
        if not store.objects[call.key].kms_key_id:
            plain.add(call.key)
        elif store.count("get") > 100 and len(plain) < 500:
            raise refused(400, "KMS.ThrottlingException", "Rate exceeded")

    store = MemoryStore(objects(1000, plain=5), fault=throttle)
    await run_once(store, tmp_path, clock=clock, max_attempts=None, concurrency=8)
    assert set(states(tmp_path).values()) == {DONE}


async def test_if_all_objects_are_encrypted_the_run_slows_down(tmp_path):
    clock, asked = VirtualClock(), []

    def throttle(call):
        if call.operation == "get" and store.count("get") > 100 and clock.now < 1060.0:
            asked.append(clock.now)
            raise refused(400, "KMS.ThrottlingException", "Rate exceeded")

    store = MemoryStore(objects(1000, plain=0), fault=throttle)
    await run_once(store, tmp_path, clock=clock, max_attempts=None, concurrency=8)
    assert set(states(tmp_path).values()) == {DONE}
    assert len(asked) <= 2.2 * 60 + 30


def served(sse: str) -> Outcome:
    return Outcome(ObjectRef("k", 1, '"e"', 0.0), State.DONE, sse=sse)


@pytest.mark.parametrize(("plain", "makes_sense"), [(0, False), (3, False), (20, True), (100, True)])
def test_objects_wait_for_kms_while_others_are_fetched(plain, makes_sense):
    kms_throttling = KmsThrottling(ConcurrencyLimiter(AdaptiveLimit(ceiling=8)))
    for number in range(100):
        kms_throttling.observe(served("AES256" if number < plain else "aws:kms"))
    assert kms_throttling.enter("k") is makes_sense


def test_only_a_limited_number_of_objects_wait_for_kms():
    kms_throttling = KmsThrottling(ConcurrencyLimiter(AdaptiveLimit(ceiling=8)))
    kms_throttling.observe(served(""))
    assert [kms_throttling.enter("k") for _ in range(MOST_THROTTLED + 1)] == [True] * MOST_THROTTLED + [False]
    kms_throttling.leave()
    assert kms_throttling.enter("k")
