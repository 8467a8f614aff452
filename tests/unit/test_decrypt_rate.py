"""KMS calls are counted by what answers cost, charged ahead by what answers have cost lately."""

import pytest

from s3haul.core.limits import DecryptRate


def ask(rate: DecryptRate, count: int, costs, now: float = 0.0) -> float:
    """So many requests one after the other, each answered at once; the time at the end."""
    for number in range(count):
        now += rate.wait(now)
        rate.requested(now)
        rate.responded(now, costs_kms=costs(number))
    return now


def test_the_first_requests_keep_to_the_rate_too():
    rate, now = DecryptRate(10.0), 0.0
    for _ in range(20):
        now += rate.wait(now)
        rate.requested(now)  # not answered yet
    assert now == pytest.approx(1.9, abs=0.1)


@pytest.mark.parametrize(("every", "seconds"), [(1, 100.0), (2, 50.0), (10, 10.0)])
def test_only_what_costs_a_call_counts(every, seconds):
    assert ask(DecryptRate(10.0), 1000, lambda n: n % every == 0) == pytest.approx(seconds, rel=0.1)


def test_a_bucket_that_needs_no_kms_is_not_held_back():
    assert ask(DecryptRate(1.0), 10_000, lambda _: False) < 10.0
