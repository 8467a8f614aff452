"""The limit falls fast, rises slowly, and never below one or above the ceiling."""

from s3haul.core.tuner import LONGEST_PAUSE, Tuner


def test_it_starts_at_the_ceiling():
    assert Tuner(ceiling=8).limit == 8


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


def test_success_lets_it_recover_to_the_ceiling_and_shortens_the_next_pause():
    tuner = Tuner(ceiling=32)
    for second in range(100):
        tuner.throttled(float(second))
    for _ in range(200):
        tuner.succeeded()
    assert tuner.limit == 32
    tuner.throttled(1000.0)
    assert tuner.paused_until == 1000.5


def test_the_server_can_ask_for_a_pause():
    tuner = Tuner(ceiling=2)
    tuner.throttled(10.0, retry_after=7.0)
    assert tuner.paused_until == 17.0
