"""The samples of a run: bounded, and nothing of it is lost when samples become one."""

from s3haul.core.stats import (
    MOST_SAMPLES,
    OTHER_PREFIXES,
    PREFIX_SAMPLE,
    PREFIXES,
    SLOWEST,
    Sample,
    Series,
    Timings,
    join,
    prefix_of,
)


def sample(start, **fields):
    given = {"seconds": 1.0, "bytes": 10, "objects": 2, "listed": 3, "limit": 32, "retries": 1}
    return Sample(start=float(start), **given | {"throttles": 0, "renewals": 0} | fields)


def test_a_run_of_any_length_is_a_bounded_list_without_gaps_that_sums_up_right():
    series = Series()
    for second in range(10_000):
        series.add(sample(second))
        assert len(series.samples) <= MOST_SAMPLES
    kept = series.samples
    assert len(kept) > MOST_SAMPLES // 4
    assert [each.start + each.seconds for each in kept[:-1]] == [each.start for each in kept[1:]]
    sums = (
        sum(each.bytes for each in kept),
        sum(each.retries for each in kept),
        kept[-1].start + kept[-1].seconds,
    )
    assert sums == (100_000, 10_000, 10_000.0)
    assert max(each.seconds for each in kept) <= 2 * min(each.seconds for each in kept[:-1])


def test_a_run_shorter_than_a_sample_has_one():
    series = Series()
    series.add(sample(0, seconds=0.25))
    series.add(sample(0.25, seconds=0.25, bytes=5))
    assert [(each.seconds, each.bytes) for each in series.samples] == [(0.5, 15)]


def test_of_combined_samples_the_highest_limit_and_first_byte_time_are_kept():
    first = sample(0, limit=64, first_byte=0.25)
    second = sample(1, first_byte=0.5, first_byte_high=2.0)
    joined = join([first, second, sample(2)])
    assert (joined.limit, joined.first_byte, joined.first_byte_high) == (64, 0.5, 2.0)
    assert join([sample(0), sample(1)]).first_byte is None


def test_the_slowest_objects_are_kept_and_only_these():
    timings = Timings()
    for number in range(1000):
        timings.add_object(f"key-{number}", number, float(number * 7919 % 1000))
    slowest = timings.slowest()
    assert [slow.seconds for slow in slowest] == [float(999 - number) for number in range(SLOWEST)]
    assert slowest[0].size * 7919 % 1000 == 999


def test_prefixes_are_counted_by_a_sample_and_beyond_a_number_together():
    timings = Timings()
    for number in range(PREFIX_SAMPLE * (PREFIXES + 10)):
        timings.add_object(f"p{number // PREFIX_SAMPLE}/k", 5, 0.5)
    prefixes = {each.prefix: each for each in timings.prefixes()}
    assert len(prefixes) == PREFIXES + 1
    assert prefixes["p3/"][1:] == (1, 5, 0.5)
    assert prefixes[OTHER_PREFIXES][1:] == (10, 50, 5.0)


def test_a_prefix_is_the_first_directories_of_a_key():
    assert list(map(prefix_of, ("a", "a/b", "a/b/c", "a/b/c/d", "//x", ""))) == [
        "",
        "a/",
        "a/b/",
        "a/b/",
        "//",
        "",
    ]


def test_first_byte_times_are_taken_once():
    timings = Timings()
    for seconds in (0.5, 0.25):
        timings.first_byte(seconds)
    assert (timings.take_first_bytes(), timings.take_first_bytes()) == ([0.25, 0.5], [])
