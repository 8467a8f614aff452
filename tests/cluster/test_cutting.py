"""Shards of random listings: every key in exactly one, in order,
with the path that it would have in one run."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3haul.cluster.plan import (
    RECORD,
    Cutter,
    Shard,
    ShardRecord,
    ShardSize,
    decode_record,
    decode_shard,
    encode_late,
    encode_record,
    encode_shard,
    late_keys,
)
from s3haul.core.keypath import ShadowFilter, safe_path
from s3haul.errors import SourceError
from s3haul.models import ObjectRef, UnusableEntry

KEYS = st.sets(st.text(alphabet="ab-./é", min_size=1, max_size=7), max_size=60)
SIZE = ShardSize(objects=4, bytes=1000)


def ref(key: str, size: int = 10) -> ObjectRef:
    return ObjectRef(key, size, f'"{len(key)}"', 1.5)


def cut(keys, size=SIZE, selected=lambda _key: True, sizes=lambda _key: 10):
    cutter = Cutter(size)
    shards = [
        shard for key in sorted(keys) for shard in cutter.add(ref(key, sizes(key)), selected=selected(key))
    ]
    shards += cutter.end()
    return shards, cutter.late


def shadowed_keys(keys) -> set[str]:
    return {key for key in keys if any(other.startswith(key + "/") for other in keys)}


def told(shard: Shard, late) -> set[str]:
    """What a worker learns, through the plan's files."""
    data, record = encode_shard(shard)
    read = decode_shard(data, decode_record(encode_record(record), shard.number))
    assert (read.refs, read.unusable) == (shard.refs, shard.unusable)
    return read.shadowed | late_keys(encode_late(late), shard.number)


@given(KEYS, st.sets(st.sampled_from("ab-")))
def test_every_selected_key_is_in_one_shard_in_order_and_knows_whether_it_is_shadowed(keys, unwanted):
    def selected(key):
        return key[-1] not in unwanted

    shards, late = cut(keys, selected=selected)
    assert [each.key for shard in shards for each in shard.refs] == sorted(filter(selected, keys))
    assert [shard.number for shard in shards] == list(range(len(shards)))
    found = set().union(*(told(shard, late) for shard in shards))
    assert found == set(filter(selected, shadowed_keys(keys)))


@given(KEYS)
def test_a_worker_that_sees_its_own_shard_alone_gives_every_key_the_path_of_one_run(keys):
    shards, late = cut(keys)
    expected = {key: safe_path(key, shadowed=key in shadowed_keys(keys)) for key in keys}
    for shard in shards:
        known = told(shard, late)
        shadows: ShadowFilter[str] = ShadowFilter(key=str)
        placed = [each for row in shard.refs for each in shadows.push(row.key)] + shadows.flush()
        for key, shadowed in placed:
            assert safe_path(key, shadowed=shadowed or key in known) == expected[key]


@given(st.lists(st.integers(0, 2500), max_size=60))
def test_no_shard_is_larger_than_it_may_be_unless_it_holds_one_object_alone(sizes):
    keys = {f"{number:03}": size for number, size in enumerate(sizes)}
    shards, _ = cut(keys, sizes=keys.__getitem__)
    for shard in shards:
        assert shard.objects == 1 or sum(SIZE.share(each.size) for each in shard.refs) <= 1.0 + 1e-9
    assert sum(shard.bytes for shard in shards) == sum(sizes)
    for one, other in itertools.pairwise(shards):
        filled = sum(SIZE.share(each.size) for each in (*one.refs, other.refs[0]))
        assert filled > 1.0 - 1e-9, "a shard was cut before it was full"


def test_a_key_that_a_later_shard_shadows_is_reported_late():
    keys = ["d", *(f"d-{number}" for number in range(9)), "d/x"]
    shards, late = cut(keys)
    assert len(shards) == 4
    assert not shards[0].shadowed
    assert late == [(0, "d")]


def test_entries_that_name_no_object_are_accounted_for_by_their_shard():
    cutter = Cutter(SIZE)
    bad = [UnusableEntry(f"bad-\udcff{number}", "no UTF-8") for number in range(5)]
    shards = [shard for entry in bad for shard in cutter.add_unusable(entry)] + list(cutter.end())
    assert [shard.objects for shard in shards] == [4, 1]
    data, record = encode_shard(shards[0])
    assert decode_shard(data, record).unusable == bad[:4]


def test_an_empty_listing_has_no_shards():
    assert cut([]) == ([], [])


@pytest.mark.parametrize(
    "change", [lambda data: data[:-3], lambda data: data + b"x", lambda _data: b"no gzip"]
)
def test_a_file_that_was_changed_is_refused(change):
    data, record = encode_shard(cut("abc")[0][0])
    with pytest.raises(SourceError, match="shard 0"):
        decode_shard(change(data), record)


def test_a_record_has_a_fixed_length_and_belongs_to_its_shard():
    record = ShardRecord(10**7, 10**6, 10**18, "0" * 64)
    line = encode_record(record)
    assert len(line) == RECORD
    assert decode_record(line, 10**7) == record
    for damaged, number in ((line, 3), (line[1:], 10**7), (b"{}".ljust(RECORD), 10**7)):
        with pytest.raises(SourceError):
            decode_record(damaged, number)
