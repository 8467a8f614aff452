"""The bottleneck is named by rules: each, once, with figures that call for it."""

import pytest

from bench.rows import row
from s3haul.bench.bottleneck import Evidence, bottleneck
from s3haul.bench.result import Limit, Listing

LISTING = Listing(pages=10, keys=10_000, seconds=1.0)


def checked(rows, *, scan=None, listing=LISTING, mean_size=4096.0, processors=4):
    scan = [each for each in rows if each.setting.destination == "null"] if scan is None else scan
    return bottleneck(
        Evidence(rows=rows, scan=scan, listing=listing, mean_size=mean_size, processors=processors)
    )


SOUND = [row("null", 1000), row("memory", 980), row("disk", 950)]


@pytest.mark.parametrize(
    ("limit", "arguments"),
    [
        (Limit.S3_THROTTLING, {"rows": [row("null", 1000, throttled_by_s3=50), row("disk", 100)]}),
        (Limit.KMS_THROTTLING, {"rows": [row("null", 1000, throttled_by_kms=50, throttled_by_s3=2)]}),
        (Limit.LISTING, {"rows": SOUND, "listing": Listing(pages=1, keys=400, seconds=1.0)}),
        (Limit.DISK, {"rows": [row("null", 1000), row("memory", 980), row("disk", 600)]}),
        (Limit.CPU, {"rows": [row("null", 1000, cores=3.8)], "mean_size": 1e8}),
        (Limit.CPU, {"rows": [row("null", 1000, cores=1.0)]}),
        (Limit.CPU, {"rows": [row("null", 1000, machine_busy=0.97)], "mean_size": 1e8}),
        (Limit.NETWORK, {"rows": [row("null", 1000, machine_busy=None)]}),
        (Limit.LATENCY, {"rows": [row("null", 500, concurrency=32), row("null", 1000, concurrency=64)]}),
        (Limit.NETWORK, {"rows": [row("null", 990, concurrency=32), row("null", 1000, concurrency=64)]}),
        (Limit.NETWORK, {"rows": [row("disk", 1000)], "scan": [row("disk", 1000)]}),
        (Limit.NETWORK, {"rows": [row("null", 1000, cores=1.0)], "mean_size": 1e8}),
    ],
)
def test_the_bottleneck_follows_from_the_figures(limit, arguments):
    found = checked(**arguments)
    assert found.limit is limit
    assert any(letter.isdigit() for letter in found.why)
    assert found.advice


def test_throttling_is_named_before_its_consequences():
    rows = [row("null", 1000, throttled_by_s3=50), row("disk", 100)]
    assert checked(rows, listing=Listing(pages=1, keys=1, seconds=1.0)).limit is Limit.S3_THROTTLING


def test_a_few_refusals_are_no_throttling():
    assert checked([row("null", 1000, throttled_by_s3=3)]).limit is Limit.NETWORK


def test_a_disk_that_is_slower_within_the_spread_is_not_blamed():
    slow = row("disk", 700)
    spread = slow.objects_per_second._replace(most=990.0)
    assert checked([row("null", 1000), row("disk", 700, objects_per_second=spread)]).limit is Limit.NETWORK


def test_a_listing_that_was_not_measured_is_not_blamed():
    assert checked(SOUND, listing=Listing(pages=0, keys=0, seconds=0.0)).limit is Limit.NETWORK
