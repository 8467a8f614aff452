"""The limit is found by trial, falls fast, rises slowly, and stays between one and the ceiling."""

from s3haul.core.tuner import FIRST_LIMIT, LONGEST_PAUSE, LONGEST_REST, Tuner


def serve(tuner: Tuner, rate_at, seconds: float, start: float = 0.0, *, crowded: bool = True) -> float:
    """Answers at `rate_at(limit)` a second, in steps of 10 ms; the time at the end."""
    now = start
    while now < start + seconds:
        now += 0.01
        tuner.served(now, round(rate_at(tuner.limit) / 100), crowded=crowded)
    return now


def limits(tuner: Tuner, rate_at, seconds: float) -> list[float]:
    """The limit after every tenth of a second."""
    now, seen = 0.0, []
    while now < seconds:
        now = serve(tuner, rate_at, 0.1, now)
        seen.append(tuner.limit)
    return seen


def test_it_starts_low_and_never_above_the_ceiling():
    assert Tuner(ceiling=8).limit == 8
    assert Tuner(ceiling=1000).limit == FIRST_LIMIT


def test_a_slow_service_is_asked_for_ever_more_at_a_time_up_to_the_ceiling():
    tuner = Tuner(ceiling=256)
    serve(tuner, lambda limit: limit / 0.03, 5.0)
    assert tuner.limit == 256


def test_a_limit_that_makes_nothing_faster_is_taken_back():
    seen = limits(Tuner(ceiling=256), lambda _: 4000, 60.0)
    assert set(seen) == {FIRST_LIMIT, 2 * FIRST_LIMIT}
    assert seen.count(2 * FIRST_LIMIT) < len(seen) / 10  # trials, ever rarer


def test_the_search_settles_where_the_gain_ends():
    tuner = Tuner(ceiling=512)
    serve(tuner, lambda limit: min(limit, 100) / 0.03, 5.0)
    assert tuner.limit == 128


def test_a_start_that_new_connections_slow_down_is_no_verdict():
    tuner = Tuner(ceiling=256)
    busy_until = 0.0

    def rate(limit: float) -> float:
        return 500 if now < busy_until else limit / 0.03

    now, limit = 0.0, tuner.limit
    while now < 8.0:
        now += 0.01
        if tuner.limit > limit:
            busy_until = now + 0.2
        limit = tuner.limit
        tuner.served(now, round(rate(limit) / 100), crowded=True)
    assert tuner.limit == 256


def test_after_a_rest_the_search_is_taken_up_again():
    tuner = Tuner(ceiling=256)
    now = serve(tuner, lambda _: 4000, 5.0)
    serve(tuner, lambda limit: limit / 0.03, LONGEST_REST + 5.0, now)
    assert tuner.limit == 256


def test_nothing_is_tried_while_there_is_too_little_to_do():
    tuner = Tuner(ceiling=256)
    serve(tuner, lambda limit: limit / 0.03, 5.0, crowded=False)
    assert tuner.limit == FIRST_LIMIT


def test_many_refusals_of_one_moment_cut_once():
    tuner = Tuner(ceiling=32)
    for _ in range(20):
        tuner.throttled(100.0)
    assert tuner.limit == 16


def test_a_storm_brings_it_to_one_and_pauses_ever_longer_up_to_a_bound():
    tuner = Tuner(ceiling=32)
    pauses = []
    for second in range(0, 600, 30):
        tuner.throttled(float(second))
        pauses.append(tuner.paused_until - second)
    assert tuner.limit == 1
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_success_lets_it_recover_to_what_was_found_and_shortens_the_next_pause():
    tuner = Tuner(ceiling=32)
    for second in range(100):
        tuner.throttled(float(second))
    for _ in range(200):
        tuner.served(100.0, 1, crowded=True)
    assert tuner.limit == 32
    tuner.throttled(1000.0)
    assert tuner.paused_until == 1000.5


def test_a_trial_that_is_refused_is_taken_back():
    tuner = Tuner(ceiling=256)
    now = serve(tuner, lambda limit: limit / 0.03, 0.25)
    assert tuner.limit == 2 * FIRST_LIMIT
    tuner.throttled(now)
    assert tuner.limit == FIRST_LIMIT / 2
    for _ in range(200):
        tuner.served(now, 1, crowded=True)
    assert tuner.limit == FIRST_LIMIT


def test_the_server_can_ask_for_a_pause():
    tuner = Tuner(ceiling=2)
    tuner.throttled(10.0, retry_after=7.0)
    assert tuner.paused_until == 17.0
