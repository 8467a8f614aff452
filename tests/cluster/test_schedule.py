"""The driver's decisions: every shard ends done or poisoned, attempts are numbered once, whatever happens to workers."""

import random

from hypothesis import given
from hypothesis import strategies as st

from s3haul.cluster.records import decode_sharers, encode_sharers, share_of, sharers
from s3haul.cluster.schedule import AVOIDED_FOR, LONGEST_PAUSE, Attempt, ErrorSummary, Schedule
from s3haul.options import LimitOptions, TransferOptions
from simulate_cluster import Simulation, plan, share_quota

LOST = ErrorSummary("killed")


def start(schedule: Schedule, now: float) -> Attempt:
    attempt = schedule.next(now)
    assert attempt is not None
    schedule.started(attempt)
    return attempt


@given(
    st.integers(0, 6),
    st.dictionaries(st.integers(0, 5), st.integers(1, 9)),
    st.lists(st.booleans(), max_size=60),
)
def test_whatever_is_killed_every_shard_ends_once_and_every_attempt_number_is_unique(count, latest, fates):
    schedule, now, seen = Schedule.of(range(count), latest), 0.0, set()
    fates = iter(fates)
    while not schedule.ended:
        while len(schedule.running) < 2 and (attempt := schedule.next(now)):
            schedule.started(attempt)
            assert attempt not in seen
            assert attempt.number > latest.get(attempt.shard, 0)
            assert not [
                other for other in schedule.running if other.shard == attempt.shard and other != attempt
            ]
            seen.add(attempt)
        for attempt in sorted(schedule.running):
            if next(fates, True):
                schedule.finished(attempt)
            else:
                schedule.failed(attempt, LOST, now)
        now += LONGEST_PAUSE
    assert schedule.done + len(schedule.poisoned) == count
    assert schedule.open == 0


def test_a_shard_that_failed_waits_and_lets_others_go_first():
    schedule = Schedule.of([0, 1], {})
    first = start(schedule, 0.0)
    assert schedule.failed(first, LOST, 0.0)
    assert start(schedule, 0.0) == Attempt(1, 1)
    assert schedule.next(0.0) is None
    assert start(schedule, LONGEST_PAUSE) == Attempt(0, 2)


def test_a_shard_that_always_fails_is_given_up_and_the_others_continue():
    schedule, now = Schedule.of([0, 1], {0: 7}, most_attempts=3), 0.0
    again = []
    for _ in range(3):
        attempt = start(schedule, now)
        assert attempt.shard == 0
        again.append(schedule.failed(attempt, LOST, now))
        now += LONGEST_PAUSE
        if schedule.waiting:
            schedule.finished(start(schedule, now))
    assert again == [True, True, False]
    assert schedule.poisoned == {0: LOST}
    assert schedule.latest[0] == 10
    assert (schedule.done, schedule.ended) == (1, True)


def test_only_the_same_error_many_times_ends_a_run():
    refused = ErrorSummary("refused", "S3H-STS-03")
    for troubles, expected in (([refused] * 4, True), ([refused, LOST] * 4, False), ([LOST] * 8, False)):
        schedule = Schedule.of(range(20), {})
        for trouble in troubles:
            schedule.failed(start(schedule, 0.0), trouble, 0.0)
        assert schedule.hopeless(2) is expected
    schedule = Schedule.of(range(20), {})
    for _ in range(4):
        schedule.finished(start(schedule, 0.0))
        schedule.failed(start(schedule, 0.0), refused, 0.0)
    assert not schedule.hopeless(2)


def test_a_shard_that_somebody_else_finished_is_not_tried():
    schedule = Schedule.of([0, 1], {})
    schedule.found_done(0)
    assert start(schedule, 0.0).shard == 1
    assert schedule.done == 1


@given(
    st.integers(1, 2000),
    st.integers(0, 5000),
    st.floats(1, 1e6),
    st.floats(0.1, 1e6),
    st.integers(2000, 10**10),
)
def test_the_shares_never_exceed_the_budget(slots, open_shards, rps, kms, bandwidth):
    count = sharers(slots=slots, open_shards=open_shards)
    share = share_of(TransferOptions(max_rps=rps, max_kms_rps=kms, bandwidth=bandwidth), count)
    running = min(slots, open_shards)
    assert share.max_rps * running <= rps * (1 + 1e-9)
    assert share.max_kms_rps * running <= kms * (1 + 1e-9)
    assert share.bandwidth * running <= bandwidth * (1 + 1e-9)
    assert decode_sharers(encode_sharers(count)) == count


def test_without_a_budget_nothing_is_limited_and_a_damaged_file_says_nothing():
    assert share_of(TransferOptions(), 3) == LimitOptions()
    for data in (b"", b"{", b"[]", b'{"sharers": 0}', b'{"sharers": "x"}'):
        assert decode_sharers(data) is None


def test_the_simulation_of_a_large_run_ends_with_every_shard_done():
    run = Simulation(3000, 50, 0.5, random.Random(3)).run()
    assert run.losses > 10
    assert run.poisoned == 0
    assert run.ideal < run.makespan < 1.5 * run.ideal
    assert run.most_over_budget < 0.2
    planned = plan(30_000, random.Random(3))
    assert planned.bytes_each < 60


def test_workers_that_adapt_one_by_one_share_a_quota_of_the_service_with_few_refusals():
    shared = share_quota(16, random.Random(3))
    assert shared.used > 0.9
    assert shared.refused < 0.03


def test_a_node_on_which_one_shard_after_another_fails_is_avoided_for_a_while():
    schedule = Schedule.of(range(9), {})
    refused = ErrorSummary("refused", "S3H-STS-03")
    schedule.failed(start(schedule, 0.0), refused, 0.0, "bad")
    assert (schedule.refusing(0.0), schedule.avoided(0, 0.0)) == (frozenset(), {"bad"}), "by that shard alone"
    assert schedule.avoided(5, 0.0) == frozenset()
    schedule.failed(start(schedule, 1.0), refused, 1.0, "bad")
    assert (schedule.refusing(1.0), schedule.avoided(5, 1.0)) == ({"bad"}, {"bad"})
    schedule.finished(start(schedule, 2.0), "good")
    schedule.failed(start(schedule, 2.0), LOST, 2.0, "good")
    schedule.failed(start(schedule, 2.0), LOST, 2.0, "good")
    assert schedule.refusing(3.0) == {"bad"}, "what is lost for a reason that nobody knows is no refusal"
    assert schedule.refusing(AVOIDED_FOR) == frozenset(), "it may have been mended"


def test_a_node_that_finishes_a_shard_is_not_avoided():
    schedule = Schedule.of(range(9), {})
    refused = ErrorSummary("refused", "S3H-NET-05")
    for _ in range(4):
        attempt = start(schedule, 0.0)
        schedule.failed(attempt, refused, 0.0, "node")
        assert schedule.avoided(attempt.shard, 0.0) == {"node"}
        schedule.finished(start(schedule, 0.0), "node")
        assert schedule.avoided(attempt.shard, 0.0) == frozenset()


def test_a_node_that_always_fails_at_once_costs_few_attempts_and_the_others_do_everything():
    schedule, now, attempts = Schedule.of(range(20), {}), 0.0, {"bad": 0, "good": 0}
    while not schedule.ended:
        for node, seconds in (("bad", 0.1), ("good", 60.0)):
            attempt = schedule.next(now)
            if attempt is None or node in schedule.avoided(attempt.shard, now):
                continue
            schedule.started(attempt)
            attempts[node] += 1
            now += seconds
            if node == "good":
                schedule.finished(attempt, node)
            else:
                schedule.failed(attempt, ErrorSummary("read-only", "S3H-DST-02"), now, node)
        assert not schedule.hopeless(2)
        now += 0.1
    assert (schedule.done, schedule.poisoned) == (20, {})
    assert attempts["bad"] <= 2 * (1 + now // AVOIDED_FOR)
