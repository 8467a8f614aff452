"""The adaptive limit: it falls fast, rises slowly, and stays between one and the maximum."""

import pytest

from s3haul.core.adaptive import FIRST_LIMIT, LONGEST_REST, PAUSE, AdaptiveLimit


def serve(
    adaptive_limit: AdaptiveLimit, rate_at, seconds: float, start: float = 0.0, *, crowded: bool = True
) -> float:
    """Simulate `rate_at(limit)` responses per second, in steps of 10 ms. Returns the time at the end."""
    now = start
    while now < start + seconds:
        now += 0.01
        adaptive_limit.served(now, round(rate_at(adaptive_limit.limit) / 100), crowded=crowded)
    return now


def limits(adaptive_limit: AdaptiveLimit, rate_at, seconds: float) -> list[float]:
    """Returns the limit after every tenth of a second."""
    now, seen = 0.0, []
    while now < seconds:
        now = serve(adaptive_limit, rate_at, 0.1, now)
        seen.append(adaptive_limit.limit)
    return seen


def test_it_starts_low_and_never_exceeds_the_maximum():
    assert AdaptiveLimit(ceiling=8).limit == 8
    assert AdaptiveLimit(ceiling=1000).limit == FIRST_LIMIT


def test_with_a_slow_service_the_limit_grows_up_to_the_maximum():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    serve(adaptive_limit, lambda limit: limit / 0.03, 5.0)
    assert adaptive_limit.limit == 256


def test_a_higher_limit_that_is_not_faster_is_reverted():
    seen = limits(AdaptiveLimit(ceiling=256), lambda _: 4000, 60.0)
    assert set(seen) == {FIRST_LIMIT, 2 * FIRST_LIMIT}
    assert seen.count(2 * FIRST_LIMIT) < len(seen) / 10  # trials, ever rarer


def test_the_search_settles_where_the_gain_ends():
    adaptive_limit = AdaptiveLimit(ceiling=512)
    serve(adaptive_limit, lambda limit: min(limit, 100) / 0.03, 5.0)
    assert adaptive_limit.limit == 128


def test_a_slow_start_because_of_new_connections_is_not_measured():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    busy_until = 0.0

    def rate(limit: float) -> float:
        return 500 if now < busy_until else limit / 0.03

    now, limit = 0.0, adaptive_limit.limit
    while now < 8.0:
        now += 0.01
        if adaptive_limit.limit > limit:
            busy_until = now + 0.2
        limit = adaptive_limit.limit
        adaptive_limit.served(now, round(rate(limit) / 100), crowded=True)
    assert adaptive_limit.limit == 256


def test_after_a_pause_the_search_continues():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    now = serve(adaptive_limit, lambda _: 4000, 5.0)
    serve(adaptive_limit, lambda limit: limit / 0.03, LONGEST_REST + 5.0, now)
    assert adaptive_limit.limit == 256


def test_the_limit_is_not_changed_while_there_is_too_little_work():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    serve(adaptive_limit, lambda limit: limit / 0.03, 5.0, crowded=False)
    assert adaptive_limit.limit == FIRST_LIMIT


def test_many_simultaneous_throttled_requests_reduce_the_limit_once():
    adaptive_limit = AdaptiveLimit(ceiling=32)
    for _ in range(20):
        adaptive_limit.throttled(100.0)
    assert adaptive_limit.limit == 16


def test_long_throttling_reduces_the_limit_to_one_and_it_recovers_afterwards():
    adaptive_limit = AdaptiveLimit(ceiling=32)
    for second in range(100):
        adaptive_limit.throttled(float(second))
        assert adaptive_limit.paused_until == second + PAUSE
    assert adaptive_limit.limit == 1
    for _ in range(200):
        adaptive_limit.served(100.0, 1, crowded=True)
    assert adaptive_limit.limit == 32


def test_a_higher_limit_that_is_throttled_is_reverted_without_a_pause():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    now = serve(adaptive_limit, lambda limit: limit / 0.03, 0.25)
    assert adaptive_limit.limit == 2 * FIRST_LIMIT
    adaptive_limit.throttled(now)
    assert (adaptive_limit.limit, adaptive_limit.paused_until) == (FIRST_LIMIT, 0.0)


def test_where_others_are_served_between_two_cuts_the_limit_does_not_return_to_what_it_was():
    adaptive_limit = AdaptiveLimit(ceiling=32)
    adaptive_limit.throttled(10.0)
    serve(adaptive_limit, lambda limit: limit / 0.03, 1.5, 10.0)
    assert adaptive_limit.limit == 32
    adaptive_limit.throttled(11.5)
    serve(adaptive_limit, lambda limit: limit / 0.03, 0.5, 11.5)
    assert adaptive_limit.limit == 16


def crowd(adaptive_limit: AdaptiveLimit, allowed: int, seconds: float) -> list[bool]:
    """Simulate a service that throttles more than `allowed` parallel requests. Returns when it did, per tenth of a second."""
    refused, now = [], 0.0
    while now < seconds:
        now += 0.1
        refused.append(adaptive_limit.limit > allowed)
        if now >= adaptive_limit.paused_until:
            adaptive_limit.served(now, round(min(adaptive_limit.limit, allowed) / 0.3), crowded=True)
        if refused[-1]:
            adaptive_limit.throttled(now)
    return refused


@pytest.mark.parametrize("allowed", [7, 20, 50, 150])
def test_the_limit_stays_just_below_what_the_service_accepts(allowed):
    adaptive_limit = AdaptiveLimit(ceiling=256)
    refused = crowd(adaptive_limit, allowed, 300.0)
    assert 0.8 * allowed <= adaptive_limit.limit <= allowed
    assert sum(refused[-600:]) <= 6


def test_a_limit_that_was_throttled_once_is_tried_again_later():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    crowd(adaptive_limit, 50, 60.0)
    serve(adaptive_limit, lambda limit: limit / 0.03, 4 * LONGEST_REST, 60.0)
    assert adaptive_limit.limit == 256


def test_after_an_outage_the_limit_rises_from_a_quarter():
    adaptive_limit = AdaptiveLimit(ceiling=32)
    adaptive_limit.interrupted(5.0)
    assert adaptive_limit.limit == 8
    serve(adaptive_limit, lambda limit: limit / 0.1, 1.5, 5.0)
    assert adaptive_limit.limit == 32


def test_the_server_can_ask_for_a_pause():
    adaptive_limit = AdaptiveLimit(ceiling=2)
    adaptive_limit.throttled(10.0, retry_after=7.0)
    assert adaptive_limit.paused_until == 17.0
