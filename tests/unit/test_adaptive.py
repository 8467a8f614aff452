"""The adaptive limit: it falls fast, rises slowly, and stays between one and the maximum."""

import heapq

import pytest

from s3haul.core.limits import FIRST_LIMIT, LONGEST_REST, PAUSE, AdaptiveLimit


def serve(
    adaptive_limit: AdaptiveLimit, rate_at, seconds: float, start: float = 0.0, *, saturated: bool = True
) -> float:
    """Simulate `rate_at(limit)` responses per second, in steps of 10 ms. Returns the time at the end."""
    now = start
    while now < start + seconds:
        now += 0.01
        adaptive_limit.served(now, round(rate_at(adaptive_limit.limit) / 100), saturated=saturated)
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
    assert seen[-1] == FIRST_LIMIT
    assert sum(limit > FIRST_LIMIT for limit in seen) < len(seen) / 10  # trials, ever rarer


def test_the_search_settles_where_the_gain_ends():
    adaptive_limit = AdaptiveLimit(ceiling=512)
    serve(adaptive_limit, lambda limit: min(limit, 100) / 0.03, 5.0)
    assert adaptive_limit.limit == 128


@pytest.mark.parametrize("first_byte", [0.005, 0.03, 0.2])
@pytest.mark.parametrize("capacity", [1_500, 4_000, 20_000])
def test_after_30_seconds_it_is_within_15_percent_of_the_best_fixed_limit(first_byte, capacity):
    """Answers wait for the way to the service, and for each other."""

    def rate(limit: float) -> float:
        return limit / (first_byte + limit / capacity)

    adaptive_limit = AdaptiveLimit(ceiling=256)
    serve(adaptive_limit, rate, 30.0)
    assert rate(adaptive_limit.limit) >= 0.85 * max(rate(fixed) for fixed in range(1, 257))


def test_where_answers_take_30_ms_it_is_at_full_speed_within_half_a_second():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    serve(adaptive_limit, lambda limit: limit / 0.03, 0.5)
    assert adaptive_limit.limit == 256


def test_slow_first_requests_of_new_connections_do_not_stop_the_growth():
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
        adaptive_limit.served(now, round(rate(limit) / 100), saturated=True)
    assert adaptive_limit.limit == 256


def test_after_a_pause_the_search_continues():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    now = serve(adaptive_limit, lambda _: 4000, 5.0)
    serve(adaptive_limit, lambda limit: limit / 0.03, LONGEST_REST + 5.0, now)
    assert adaptive_limit.limit == 256


def test_the_limit_is_not_changed_while_there_is_too_little_work():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    serve(adaptive_limit, lambda limit: limit / 0.03, 5.0, saturated=False)
    assert adaptive_limit.limit == FIRST_LIMIT


def test_many_simultaneous_throttled_requests_reduce_the_limit_once():
    adaptive_limit = AdaptiveLimit(ceiling=32)
    for _ in range(32):
        adaptive_limit.throttled(100.0, sent=99.9)
    assert adaptive_limit.limit == 16
    for _ in range(3):
        adaptive_limit.throttled(100.2, sent=100.1)
    assert adaptive_limit.limit == 8


def test_a_few_refusals_in_a_hundred_cost_nothing():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    for answer in range(20_000):
        if answer % 50:
            adaptive_limit.served(answer / adaptive_limit.limit * 0.03, 1, saturated=True)
        else:
            adaptive_limit.throttled(answer / adaptive_limit.limit * 0.03)
    assert adaptive_limit.limit == 256


def test_if_even_a_limit_of_one_is_throttled_requests_pause():
    adaptive_limit = AdaptiveLimit(ceiling=32)
    for second in range(100):
        for _ in range(3):
            adaptive_limit.throttled(float(second))
    assert (adaptive_limit.limit, adaptive_limit.paused_until) == (1, 99 + PAUSE)


def test_refusals_during_an_outage_say_nothing_of_the_limit():
    adaptive_limit = AdaptiveLimit(ceiling=32)
    adaptive_limit.interrupted(0.0)
    for second in range(600):
        adaptive_limit.throttled(float(second))
    serve(adaptive_limit, lambda limit: limit / 0.03, 1.0, 600.0)
    assert adaptive_limit.limit == 32


def test_a_higher_limit_that_is_throttled_is_reverted_without_a_pause():
    adaptive_limit = AdaptiveLimit(ceiling=256)
    now = serve(adaptive_limit, lambda limit: limit / 0.03, 0.15)
    assert adaptive_limit.limit == 4 * FIRST_LIMIT
    for _ in range(4):
        adaptive_limit.throttled(now)
    assert (adaptive_limit.limit, adaptive_limit.paused_until) == (FIRST_LIMIT, 0.0)


class Service:
    """Answers after `first_byte` seconds, `allowed` requests at a time; beyond, a request is refused as late.

    What was refused is asked for again later, as the engine does; others take its place.
    """

    def __init__(self, adaptive_limit: AdaptiveLimit, first_byte: float, allowed):
        self.adaptive_limit, self.first_byte, self.allowed = adaptive_limit, first_byte, allowed
        self.now = 0.0
        self._under_way: list[
            tuple[float, bool, float]
        ] = []  # when the answer comes, what it is, when it was requested

    def run(self, seconds: float) -> tuple[float, float]:
        """Answers a second, and the share of the requests that was refused."""
        served = refused = 0
        until = self.now + seconds
        self._fill()
        while self.now < until:
            if not self._under_way:
                self.now = max(self.now, self.adaptive_limit.paused_until)
                self._fill()
                continue
            self.now, ok, sent = heapq.heappop(self._under_way)
            if ok:
                served += 1
                self.adaptive_limit.served(
                    self.now, 1, saturated=len(self._under_way) + 1 >= 0.75 * self.adaptive_limit.limit
                )
            else:
                refused += 1
                self.adaptive_limit.throttled(self.now, sent=sent)
            self._fill()
        return served / seconds, refused / (served + refused)

    def _fill(self):
        while (
            len(self._under_way) < int(self.adaptive_limit.limit)
            and self.now >= self.adaptive_limit.paused_until
        ):
            ok = len(self._under_way) < self.allowed(self.now)
            heapq.heappush(self._under_way, (self.now + self.first_byte, ok, self.now))


@pytest.mark.parametrize(("first_byte", "allowed"), [(0.03, 50), (0.2, 20), (0.2, 50), (0.2, 150)])
def test_a_cap_that_is_set_in_mid_run_is_met_at_90_percent_with_few_refusals(first_byte, allowed):
    service = Service(AdaptiveLimit(ceiling=256), first_byte, lambda now: 256 if now < 10.0 else allowed)
    service.run(10.0)
    rate, _ = service.run(40.0)  # the transition and the search included
    assert rate >= 0.9 * allowed / first_byte
    rate, refused = service.run(60.0)
    assert (rate >= 0.9 * allowed / first_byte, refused < 0.03) == (True, True)


@pytest.mark.parametrize("first_byte", [0.03, 0.2])
def test_a_cap_from_the_start_is_met_as_well(first_byte):
    rate, refused = Service(AdaptiveLimit(ceiling=1024), first_byte, lambda _: 50).run(90.0)
    assert (rate >= 0.9 * 50 / first_byte, refused < 0.03) == (True, True)


def test_a_limit_that_was_refused_is_tried_again_later():
    service = Service(AdaptiveLimit(ceiling=256), 0.03, lambda now: 50 if now < 20.0 else 1000)
    service.run(20.0)
    service.run(LONGEST_REST + 3.0)
    assert service.adaptive_limit.limit == 256


@pytest.mark.parametrize("ceiling", [10, 256])
def test_the_ceiling_can_be_changed(ceiling):
    adaptive_limit = AdaptiveLimit(ceiling=100)
    serve(adaptive_limit, lambda limit: limit / 0.03, 5.0)
    adaptive_limit.allow(ceiling)
    assert adaptive_limit.limit <= ceiling
    serve(adaptive_limit, lambda limit: limit / 0.03, 5.0)
    assert adaptive_limit.limit == ceiling


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
