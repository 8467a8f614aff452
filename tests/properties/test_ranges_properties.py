"""Any object, any parts, any thresholds: the ranges cover every byte once, and land in any order."""

import random

from hypothesis import given
from hypothesis import strategies as st

from contract.stored import digest
from s3haul.core.checksums import CRCS
from s3haul.core.ranges import MOST_BLOCKS, REQUESTS, BlockMap, BlockStream, plan_ranges
from s3haul.options import RangeOptions

TERABYTE = 10**12
sizes_of_parts = st.lists(st.integers(0, 4_000), min_size=1, max_size=12).filter(sum)
thresholds = st.builds(
    lambda above, smallest, more, block: RangeOptions(
        above=above, smallest=smallest, largest=smallest + more, block=block
    ),
    st.integers(0, 3_000),
    st.integers(1, 2_000),
    st.integers(0, 4_000),
    st.integers(1, 1_500),
)


@given(sizes_of_parts, thresholds, st.booleans(), st.booleans())
def test_blocks_requests_and_segments_cover_the_object_once(parts, options, composite, costs_kms):
    size = sum(parts)
    cut = plan_ranges(size, parts if composite else (), options, costs_kms=costs_kms)
    if cut is None:
        assert size <= options.above or not composite or len(parts) >= 1
        return
    assert size > options.above
    blocks = [(cut.start(number), cut.start(number + 1)) for number in range(len(cut.blocks))]
    assert [start for start, _ in blocks] == [0, *(end for _, end in blocks[:-1])]
    assert blocks[-1][1] == size
    assert all(0 < end - start <= options.block for start, end in blocks)
    requests = [cut.request(number) for number in range(len(cut.requests))]
    assert [first for first, _ in requests] == [0, *(end for _, end in requests[:-1])]
    assert requests[-1][1] == len(blocks)
    assert all(end > first for first, end in requests)
    assert len(requests) > 1, "a range over the whole object is never asked for"
    segments = [cut.segment(number) for number in range(len(cut.segments))]
    ends = [cut.start(end) - cut.start(first) for first, end in segments]
    assert ends == (list(parts) if composite else [size])
    for number, (first, end) in enumerate(segments):
        assert all(cut.segment_of(block) == number for block in range(first, end))
    for number, (start, end) in enumerate(blocks):
        assert cut.block_at(start, end - start) == number
        assert cut.block_at(start, end - start + 1) is None


@given(st.integers(1, 50 * TERABYTE), st.booleans())
def test_no_size_makes_too_many_blocks_or_costly_requests(size, costs_kms):
    options = RangeOptions()
    cut = plan_ranges(size, (), options, costs_kms=costs_kms)
    if cut is None:
        assert size <= options.above * 4
        return
    assert len(cut.blocks) <= MOST_BLOCKS
    first, end = cut.request(0)
    asked = cut.start(end) - cut.start(first)
    assert asked >= min(options.smallest * (4 if costs_kms else 1) - options.block, size / REQUESTS)
    assert asked <= max(options.largest * (4 if costs_kms else 1), cut.start(1))


@given(
    st.binary(min_size=1, max_size=3_000),
    st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]),
    st.integers(1, 700),
    st.integers(1, 900),
    st.randoms(use_true_random=False),
)
def test_blocks_in_any_order_and_pieces_give_the_digest_of_the_whole(body, algorithm, block, chunk, dice):
    options = RangeOptions(above=0, smallest=1, largest=1, block=block)
    cut = plan_ranges(len(body), (), options, costs_kms=False)
    if cut is None:
        return
    block_map = BlockMap(cut, CRCS[algorithm])
    requests = [cut.request(number) for number in range(len(cut.requests))]
    dice.shuffle(requests)
    for first, end in requests:
        stream = BlockStream(cut, CRCS[algorithm], first)
        data = body[cut.start(first) : cut.start(end)]
        for at in range(0, len(data), chunk):
            for number, crc in stream.add(data[at : at + chunk]):
                block_map.add(number, crc)
        assert stream.pending == 0
    assert block_map.written_bytes == len(body)
    assert list(block_map.missing(0, len(cut.blocks))) == []
    assert block_map.digest(0, len(cut.blocks)) == digest(algorithm, body)


@given(st.integers(2, 60), st.integers(0, 2**32))
def test_the_block_map_knows_what_is_missing(count, seed):
    dice = random.Random(seed)
    cut = plan_ranges(
        count * 10 - 3, (), RangeOptions(above=0, smallest=10, largest=10, block=10), costs_kms=False
    )
    block_map, here = BlockMap(cut, CRCS["CRC32"]), set()
    for _ in range(80):
        number = dice.randrange(count)
        if dice.random() < 0.7:
            block_map.add(number, 1)
            here.add(number)
        else:
            end = dice.randrange(number, count) + 1
            block_map.drop(number, end)
            here -= set(range(number, end))
        missing = {block for first, end in block_map.missing(0, count) for block in range(first, end)}
        assert missing == set(range(count)) - here
        assert block_map.written_bytes == sum(7 if number == count - 1 else 10 for number in here)
