"""Which objects and runs a benchmark takes, and that it keeps to its bounds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3haul.bench.plan import BenchOptions, DestinationKind, Sample, Setting, cost_of, ranges_of
from s3haul.core.ranges import plan_ranges
from s3haul.models import ObjectRef
from s3haul.options import RangeOptions, TransferOptions

MEBIBYTE = 1 << 20
DISK_ONLY = BenchOptions(
    destinations=(DestinationKind.DISK,), concurrency=(8,), repetitions=1, max_bytes=2000
)


def refs(*sizes: int, storage_class: str = "STANDARD") -> list[ObjectRef]:
    return [
        ObjectRef(f"{number:03}", size, '"e"', 0.0, storage_class=storage_class)
        for number, size in enumerate(sizes)
    ]


def test_runs_are_the_warm_up_the_scan_and_the_other_destinations_with_the_best_setting():
    assert BenchOptions(repetitions=3).runs == 1 + 3 * (3 + 2)
    assert replace(DISK_ONLY, part_sizes=(MEBIBYTE, 2 * MEBIBYTE)).runs == 1 + 2


@given(
    st.lists(st.integers(0, 10_000), max_size=60),
    st.integers(1, 20),
    st.integers(1, 100_000),
    st.integers(1, 5),
)
def test_no_sample_exceeds_the_bounds(sizes, most, room, repetitions):
    options = replace(DISK_ONLY, max_objects=most, max_bytes=room, repetitions=repetitions)
    sample = Sample()
    for first in range(0, len(sizes), 7):
        if not sample.full:
            sample.add(refs(*sizes[first : first + 7]), options)
    assert len(sample.refs) <= most
    assert sample.bytes == sum(ref.size for ref in sample.refs)
    assert sample.bytes * options.runs <= room
    assert cost_of(sample, 1, options, RangeOptions()).bytes <= room


def test_what_is_archived_or_larger_than_a_run_is_left_out_and_counted():
    sample = Sample()
    sample.add(refs(10, 5000, 20), DISK_ONLY)
    sample.add(refs(1, storage_class="GLACIER"), DISK_ONLY)
    assert [ref.size for ref in sample.refs] == [10, 20]
    assert (sample.too_large, sample.archived, sample.full) == (1, 1, False)


def test_a_bucket_of_unusable_objects_is_not_listed_to_its_end():
    sample, options = Sample(), replace(DISK_ONLY, max_objects=2)
    sample.add(refs(*[5000] * 20), options)
    assert sample.full
    assert not sample.refs


def test_the_cost_counts_the_ranges_of_the_smallest_part_size_and_a_head_for_each_large_object():
    options = replace(DISK_ONLY, max_bytes=1 << 40, part_sizes=(8 * MEBIBYTE, 16 * MEBIBYTE), repetitions=2)
    sample = Sample()
    sample.add(refs(100, 160 * MEBIBYTE), options)
    cost = cost_of(sample, 3, options, RangeOptions())
    assert (cost.runs, cost.list_requests) == (5, 3)
    assert cost.get_requests == 5 * (1 + 20)
    assert cost.head_requests == 5
    assert cost.bytes == 5 * sample.bytes


@pytest.mark.parametrize("size", [MEBIBYTE, 8 * MEBIBYTE, 64 * MEBIBYTE])
def test_a_part_size_makes_ranges_of_just_that_size(size):
    ranges = ranges_of(RangeOptions(), size)
    found = plan_ranges(40 * size, (), ranges, costs_kms=False)
    assert found is not None
    first, end = found.request(0)
    assert found.start(end) - found.start(first) == size


def test_a_setting_changes_nothing_else_of_a_run():
    transfer = TransferOptions(require_checksum=True)
    applied = Setting(DestinationKind.NULL, 7).applied(transfer)
    assert applied == replace(transfer, concurrency=7)
