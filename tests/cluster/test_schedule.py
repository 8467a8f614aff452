"""The driver's decisions: every shard ends done or poisoned, whatever happens to workers."""

import random
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from cluster.test_directory import directory, marker, planned
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.driver import AVOIDED_FOR, LONGEST_PAUSE, Driver, ErrorSummary, Schedule, sharers
from s3haul.cluster.executor import Ended
from s3haul.cluster.records import share_of
from s3haul.options import LimitOptions, TransferOptions
from simulate_cluster import Simulation, plan, share_quota

__all__ = ["directory"]  # the fixture

LOST = ErrorSummary("killed")


@given(st.integers(0, 6), st.lists(st.booleans(), max_size=60))
def test_whatever_is_killed_every_shard_ends_once_and_is_never_tried_twice_at_a_time(count, fates):
    schedule, now, done = Schedule(deque(range(count))), 0.0, []
    fates = iter(fates)
    while schedule.open:
        while len(schedule.running) < 2:
            before = set(schedule.running)
            if (shard := schedule.next(now)) is None:
                break
            assert shard not in before
        for shard in sorted(schedule.running):
            if next(fates, True):
                schedule.finished(shard)
                done.append(shard)
            else:
                schedule.failed(shard, LOST, now)
        now += LONGEST_PAUSE
    assert sorted([*done, *schedule.poisoned]) == list(range(count))


def test_a_shard_that_failed_waits_and_lets_others_go_first():
    schedule = Schedule(deque([0, 1]))
    assert schedule.failed(schedule.next(0.0), LOST, 0.0)
    assert schedule.next(0.0) == 1
    assert schedule.next(0.0) is None
    assert schedule.next(LONGEST_PAUSE) == 0


def test_a_shard_that_always_fails_is_given_up_and_the_others_continue():
    schedule, now = Schedule(deque([0, 1]), most_attempts=3), 0.0
    again = []
    for _ in range(3):
        assert schedule.next(now) == 0
        again.append(schedule.failed(0, LOST, now))
        now += LONGEST_PAUSE
        if schedule.waiting:
            schedule.finished(schedule.next(now))
    assert again == [True, True, False]
    assert schedule.poisoned == {0: LOST}
    assert schedule.open == 0


def test_only_the_same_error_many_times_ends_a_run():
    refused = ErrorSummary("refused", "S3H-STS-03")
    for troubles, expected in (([refused] * 4, True), ([refused, LOST] * 4, False), ([LOST] * 8, False)):
        schedule = Schedule(deque(range(20)))
        for trouble in troubles:
            schedule.failed(schedule.next(0.0), trouble, 0.0)
        assert schedule.hopeless(2) is expected
    schedule = Schedule(deque(range(20)))
    for _ in range(4):
        schedule.finished(schedule.next(0.0))
        schedule.failed(schedule.next(0.0), refused, 0.0)
    assert not schedule.hopeless(2)


class AtOnce:
    """An executor whose attempts are finished as soon as they are started."""

    starts_at_once = True

    def __init__(self, directory):
        self.directory, self.started, self.fresh = directory, [], []

    def slots(self, _avoided=frozenset()):
        return 1

    def start(self, attempt, _avoided):
        self.directory.publish(marker(*attempt), b"")
        self.started.append(attempt.shard)
        self.fresh.append(Ended(attempt, finished=True))

    def ended(self, _timeout):
        found, self.fresh = self.fresh, []
        return found


async def test_a_shard_that_a_worker_of_an_earlier_driver_finishes_is_not_tried(directory):
    run, executor = await planned(directory), AtOnce(directory)
    driver = Driver(directory, run, executor)
    directory.publish(marker(2), b"")
    state = driver.drive()
    assert sorted(executor.started) == [0, 1, 3]
    assert (state.done, state.objects, state.bytes) == (run.shards, run.objects, run.bytes)


@given(
    st.integers(1, 2000),
    st.integers(0, 5000),
    st.floats(1, 1e6),
    st.floats(0.1, 1e6),
    st.integers(2000, 10**10),
)
def test_the_shares_never_exceed_the_limits(slots, open_shards, rps, kms, bandwidth):
    count = sharers(slots=slots, open_shards=open_shards)
    share = share_of(TransferOptions(max_rps=rps, max_kms_rps=kms, bandwidth=bandwidth), count)
    running = min(slots, open_shards)
    assert share.max_rps * running <= rps * (1 + 1e-9)
    assert share.max_kms_rps * running <= kms * (1 + 1e-9)
    assert share.bandwidth * running <= bandwidth * (1 + 1e-9)


def test_without_limits_nothing_is_limited_and_a_damaged_file_says_nothing(tmp_path):
    assert share_of(TransferOptions(), 3) == LimitOptions()
    directory = RunDirectory.create(tmp_path / "run")
    assert directory.sharers() is None
    directory.set_sharers(7)
    assert directory.sharers() == 7
    for data in (b"", b"{", b"[]", b'{"sharers": 0}', b'{"sharers": "x"}'):
        (directory.root / "limits.json").write_bytes(data)
        assert directory.sharers() is None


def test_the_simulation_of_a_large_run_ends_with_every_shard_done():
    run = Simulation(3000, 50, 0.5, random.Random(3)).run()
    assert run.losses > 10
    assert run.poisoned == 0
    assert run.ideal < run.makespan < 1.5 * run.ideal
    assert run.most_over_limit < 0.2
    planned = plan(30_000, random.Random(3))
    assert planned.bytes_each < 60


def test_workers_that_adapt_one_by_one_share_a_quota_of_the_service_with_few_refusals():
    shared = share_quota(16, random.Random(3))
    assert shared.used > 0.9
    assert shared.refused < 0.03


def test_a_node_on_which_one_shard_after_another_fails_is_avoided_for_a_while():
    schedule = Schedule(deque(range(9)))
    refused = ErrorSummary("refused", "S3H-STS-03")
    schedule.failed(schedule.next(0.0), refused, 0.0, "bad")
    assert (schedule.refusing(0.0), schedule.avoided(0, 0.0)) == (frozenset(), {"bad"}), "by that shard alone"
    assert schedule.avoided(5, 0.0) == frozenset()
    schedule.failed(schedule.next(1.0), refused, 1.0, "bad")
    assert (schedule.refusing(1.0), schedule.avoided(5, 1.0)) == ({"bad"}, {"bad"})
    schedule.finished(schedule.next(2.0), "good")
    schedule.failed(schedule.next(2.0), LOST, 2.0, "good")
    schedule.failed(schedule.next(2.0), LOST, 2.0, "good")
    assert schedule.refusing(3.0) == {"bad"}, "what is lost for a reason that nobody knows is no refusal"
    assert schedule.refusing(AVOIDED_FOR) == frozenset(), "it may have been mended"


def test_a_node_that_finishes_a_shard_is_not_avoided():
    schedule = Schedule(deque(range(9)))
    refused = ErrorSummary("refused", "S3H-NET-05")
    for _ in range(4):
        shard = schedule.next(0.0)
        schedule.failed(shard, refused, 0.0, "node")
        assert schedule.avoided(shard, 0.0) == {"node"}
        schedule.finished(schedule.next(0.0), "node")
        assert schedule.avoided(shard, 0.0) == frozenset()


def test_a_node_that_always_fails_at_once_costs_few_attempts_and_the_others_do_everything():
    schedule, now, done, failures = Schedule(deque(range(20))), 0.0, [], 0
    while schedule.open:
        for node, seconds in (("bad", 0.1), ("good", 60.0)):
            if node in schedule.refusing(now) or (shard := schedule.next(now)) is None:
                continue
            if node in schedule.avoided(shard, now):
                node, seconds = "good", 60.0  # noqa: PLW2901 - the executor takes another one
            now += seconds
            if node == "good":
                schedule.finished(shard, node)
                done.append(shard)
            else:
                schedule.failed(shard, ErrorSummary("read-only", "S3H-DST-02"), now, node)
                failures += 1
        assert not schedule.hopeless(2)
        now += 0.1
    assert (sorted(done), schedule.poisoned) == (list(range(20)), {})
    assert failures <= 2 * (1 + now // AVOIDED_FOR)
