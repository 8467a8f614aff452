"""The real engine finds how many requests a service takes, in virtual time: at once,
and again when it takes fewer."""

import asyncio
import random
from pathlib import Path
from unittest.mock import patch

import pytest

from contract.memory import MemoryStore
from contract.stored import stored
from s3haul.core.limits import FIRST_LIMIT
from s3haul.core.stats import Stats
from s3haul.engine.run import Job, run_job
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.journal import SourceIdentity
from s3haul.journal import journal as journal_module
from s3haul.options import SourceOptions, TransferOptions
from simulator.disk import SimulatedDestination, SimulatedWriter
from simulator.loop import VirtualLoop
from simulator.service import Batches

KMS_SLOW_DOWN = Fault(FaultKind.HTTP, "Rate exceeded", code="KMS.ThrottlingException", status=400)
SLOW_DOWN = Fault(FaultKind.HTTP, "Please reduce your request rate.", code="SlowDown", status=503)


class Capped(MemoryStore):
    """Answers after `first_byte` seconds; from `since` on, no more than `cap` requests at a time."""

    def __init__(
        self, count: int, first_byte: float, *, batches: bool, cap: int = 10_000, since: float = 0.0
    ):
        super().__init__({f"k{n:06}": stored(b"x") for n in range(count)}, fault=self._answer)
        self.served: list[float] = []  # when, in seconds from the first one
        self.refused: list[float] = []
        self._first_byte, self._batches, self._cap, self._since = first_byte, batches, cap, since
        self._running, self._began = 0, None

    def small_objects(self, work):
        return Batches(self, work) if self._batches else None

    async def _answer(self, call):
        if call.operation != "get":
            return
        now = asyncio.get_running_loop().time
        self._began = now() if self._began is None else self._began
        refuse = now() - self._began >= self._since and self._running >= self._cap
        self._running += 1
        try:
            await asyncio.sleep(self._first_byte)
        finally:
            self._running -= 1
        (self.refused if refuse else self.served).append(now() - self._began)
        if refuse:
            raise StoreError(SLOW_DOWN)


class KmsStorm(Capped):
    """Every other object is encrypted by KMS, which from `since` on refuses all but a
    few requests at a time."""

    def __init__(self, count: int, *, batches: bool, since: float):
        super().__init__(count, 0.1, batches=batches, since=since)
        for key in list(self.objects)[::2]:
            self.objects[key] = stored(b"x", sse="AES256", kms_key_id="")
        self.plain: list[float] = []
        self._of_kms = 0

    async def _answer(self, call):
        if call.operation != "get":
            return
        if not self.objects[call.key].kms_key_id:
            await super()._answer(call)
            self.plain.append(self.served[-1])
            return
        now = asyncio.get_running_loop().time
        refuse = self._began is not None and now() - self._began >= self._since and self._of_kms >= 4
        self._of_kms += 1
        try:
            await super()._answer(call)
        finally:
            self._of_kms -= 1
        if refuse:
            raise StoreError(KMS_SLOW_DOWN)


def run(store: Capped, root: Path) -> None:
    """The whole run, in virtual time."""
    dice = random.Random(1)
    random.seed(1)
    loop = VirtualLoop(dice, threads=(0.0,))
    asyncio.set_event_loop(loop)
    try:
        with (
            patch.object(journal_module, "Writer", SimulatedWriter),
            SimulatedDestination.open(root) as destination,
        ):
            destination.dice, destination.unsynced = dice, set()
            destination.lock()
            stats = Stats()
            job = Job(
                store=store,
                credentials=None,
                destination=destination,
                source=SourceOptions(bucket="bucket"),
                identity=SourceIdentity("bucket", "", "simulator"),
                options=TransferOptions(),
                handle_signals=False,
                clock=loop.time,
            )
            loop.run_until_complete(run_job(job, stats, stats.observe))
            assert stats.exit_code == 0
    finally:
        loop.close()
        asyncio.set_event_loop(None)


def between(times: list[float], begin: float, end: float) -> int:
    return sum(begin <= when < end for when in times)


@pytest.mark.parametrize("batches", [False, True])
def test_a_cap_of_50_that_is_set_in_mid_run_is_met_with_few_refusals(tmp_path, batches):
    store = Capped(7_000, 0.2, batches=batches, cap=50, since=3.0)
    run(store, tmp_path)
    begin, end = 9.0, 18.0  # until then the search is under way
    served, refused = between(store.served, begin, end), between(store.refused, begin, end)
    assert served >= 0.9 * 50 / 0.2 * (end - begin)
    assert refused < 0.03 * (served + refused)


@pytest.mark.parametrize("batches", [False, True])
def test_where_answers_take_30_ms_a_short_run_loses_little_to_the_search(tmp_path, batches):
    store = Capped(5_000, 0.03, batches=batches)
    run(store, tmp_path)
    fixed = 5_000 / (256 / 0.03)
    assert max(store.served) <= fixed + 0.4


@pytest.mark.parametrize("batches", [False, True])
def test_while_kms_throttles_objects_without_kms_keep_90_percent_of_their_speed(tmp_path, batches):
    store = KmsStorm(12_000, batches=batches, since=3.0)
    run(store, tmp_path)
    before, during = between(store.plain, 2.0, 3.0), between(store.plain, 3.0, 4.0)
    print(f"plain objects a second: {before} before, {during} while KMS throttles")
    assert during >= 0.9 * before


def test_a_busy_transfer_thread_gets_no_more_requests(tmp_path, monkeypatch):
    monkeypatch.setattr(Batches, "waited", 0.0)
    store = Capped(2_000, 0.03, batches=True, cap=FIRST_LIMIT)
    run(store, tmp_path)
    assert (len(store.served), store.refused) == (2_000, [])
