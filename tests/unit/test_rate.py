"""A rate is not exceeded over a longer time, and is fully used if there is enough work."""

import pytest

from s3haul.core.limits import BURST, Rate, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1000", 1000),
        ("500K", 512_000),
        ("500k", 512_000),
        ("10MB/s", 10 << 20),
        ("10M", 10 << 20),
        ("1.5MiB/s", 3 << 19),
        ("80Mb/s", 10 << 20),
        ("1 GB/s", 1 << 30),
    ],
)
def test_rates_are_read_as_people_write_them(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "10 MB per second", "10XB/s", "0.2"])
def test_an_invalid_rate_is_none(text):
    assert parse_rate(text) is None


@pytest.mark.parametrize(("per_second", "amount"), [(1.0, 1.0), (50.0, 1.0), (2e6, 1e6), (2e6, 1000.0)])
def test_in_a_minute_the_rate_is_not_exceeded(per_second, amount):
    rate, now, spent = Rate(per_second), 100.0, 0.0
    while now < 160.0:
        if wait := rate.wait(now):
            now += wait
        else:
            rate.spend(now, amount)
            spent += amount
    assert 60 * per_second - amount <= spent <= 60 * per_second + max(amount, BURST * per_second) + amount


def test_unused_capacity_is_not_saved():
    rate = Rate(100.0)
    rate.spend(0.0)
    at_once = 0
    while not rate.wait(1000.0):
        rate.spend(1000.0)
        at_once += 1
    assert at_once <= BURST * 100 + 1
