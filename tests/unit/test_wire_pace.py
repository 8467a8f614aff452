"""When an answer is too slow, by a clock of the test's own."""

from s3haul.aws.wire.pace import Pace


def body_pace(window=10.0, rate=1000) -> Pace:
    """A pace whose head has come, waiting since 0."""
    pace = Pace(window, rate)
    pace.start()
    pace.head_complete(0.0)
    pace.wait(0.0)
    return pace


def test_silence_for_a_whole_window_is_a_stall():
    pace = body_pace()
    assert pace.verdict(9.9) is None
    assert "no byte for 10 s" in pace.verdict(10.0)


def test_a_rate_below_the_minimum_over_one_window_is_a_stall():
    pace = body_pace()
    for second in range(1, 11):
        pace.arrived(999, float(second))
        verdict = pace.verdict(float(second))
        assert (verdict is None) == (second < 10)
    assert verdict == "9990 bytes in 10.0 s are less than 1000 bytes/s"


def test_a_rate_at_the_minimum_goes_on():
    pace = body_pace()
    for second in range(1, 51):
        pace.arrived(1000, float(second))
        assert pace.verdict(float(second)) is None


def test_a_burst_does_not_pay_for_the_window_after_it():
    pace = body_pace()
    pace.arrived(10_000_000, 1.0)
    for second in range(2, 11):
        pace.arrived(1, float(second))
        assert pace.verdict(float(second)) is None
    for second in range(11, 20):
        pace.arrived(1, float(second))
        assert pace.verdict(float(second)) is None
    pace.arrived(1, 20.0)
    assert pace.verdict(20.0)


def test_time_in_which_nobody_waits_does_not_count():
    pace = body_pace()
    for number in range(5):
        start = 1000.0 * number
        pace.wait(start)
        pace.arrived(1, start + 1.0)
        assert pace.verdict(start + 1.0) is None
        pace.waited(start + 1.0)
    pace.wait(9000.0)
    pace.arrived(1, 9005.0)
    assert pace.verdict(9005.0) == "6 bytes in 10.0 s are less than 1000 bytes/s"


def test_headers_may_come_slowly_but_not_for_ever():
    pace = Pace(10.0, 1000)
    pace.start()
    pace.wait(0.0)
    for second in range(1, 20):
        pace.arrived(1, float(second))
        assert pace.verdict(float(second)) is None
    pace.arrived(1, 20.0)
    assert "headers" in pace.verdict(20.0)


def test_the_wait_for_the_headers_is_not_held_against_the_body():
    pace = Pace(10.0, 1000)
    pace.start()
    pace.wait(0.0)
    pace.arrived(300, 9.9)
    pace.waited(9.9)
    pace.head_complete(9.9)
    pace.wait(9.9)
    pace.arrived(1, 10.5)
    assert pace.verdict(10.5) is None
