"""Whatever the keys, the pages and the order of the answers: ranges that are split while they are read give
every key exactly once, and what they account for leaves no gap."""

import bisect
import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from s3haul.core.key_ranges import (
    Coverage,
    Interval,
    OpenRanges,
    ancestors_across,
    just_after,
    may_have_keys_below,
    prefix_end,
)
from s3haul.core.split_points import Alphabet

ALPHABETS = (
    "ab",
    "0123456789abcdef",
    "/ab",
    "aZ09-_/.~ ",
    "\x01\x7f\x80\xff\u07ff\u0800\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff/A",
    "日本語한국어абв😀𠀀\ue000\uffff",
)
PREFIXES = ("", "x/y/", "\U0010ffff", "é/", "a\ud7ff")
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)


def keyspace(dice):
    alphabet, prefix = dice.choice(ALPHABETS), dice.choice(PREFIXES)
    longest = dice.choice([2, 6, 30])
    count = dice.choice([0, 1, 2, 5, 50, 400])
    tails = ("".join(dice.choices(alphabet, k=dice.randint(1, longest))) for _ in range(count))
    return prefix, sorted({prefix + tail for tail in tails})


class Bucket:
    """Answers from what is there now."""

    def __init__(self, keys, page_size):
        self.keys, self.page_size = list(keys), page_size
        self.requests = 0

    def page(self, prefix, after):
        self.requests += 1
        at = bisect.bisect_right(self.keys, after) if after else bisect.bisect_left(self.keys, prefix)
        below = [key for key in self.keys[at : at + self.page_size + 1] if key.startswith(prefix)]
        return below[: self.page_size], len(below) > self.page_size

    def change(self, key):
        at = bisect.bisect_left(self.keys, key)
        if at < len(self.keys) and self.keys[at] == key:
            self.keys.pop(at)
        else:
            self.keys.insert(at, key)


def listed(bucket, prefixes, dice, listers, between=lambda: None, each=lambda _range, _page: None):
    """Everything, by so many at a time: a page is asked for now and comes some time later."""
    ranges, coverage, keys = OpenRanges(prefixes), Coverage(), []
    pending = []
    while True:
        while len(pending) < listers:
            if not ranges.waiting and (found := ranges.points()):
                ranges.split(*found)
            if (begun := ranges.begin()) is None:
                break
            pending.append((begun, bucket.page(begun.prefix, begun.cursor)))
        if not pending:
            break
        between()
        range_, (page, more) = pending.pop(dice.randrange(len(pending)))
        each(range_, page)
        step = ranges.advance(range_, page, more=more)
        for interval in (step.interval, *step.empty):
            coverage.add(interval)
        keys += page[: step.own]
        if not range_.ended:
            pending.append((range_, bucket.page(range_.prefix, range_.cursor)))
    assert coverage.is_exactly(prefixes)
    return keys


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_every_key_of_any_keyspace_is_listed_once(seed):
    dice = random.Random(seed)
    prefix, keys = keyspace(dice)
    bucket = Bucket(keys, dice.choice([1, 2, 7, 20]))
    assert sorted(listed(bucket, [prefix], dice, dice.choice([1, 2, 5, 16]))) == keys


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_several_prefixes_give_the_keys_below_them_and_no_other(seed):
    dice = random.Random(seed)
    _, keys = keyspace(dice)
    starts = sorted({key[: dice.randint(1, 3)] for key in dice.sample(keys, min(3, len(keys)))})
    prefixes = [one for one in starts if not any(one != other and one.startswith(other) for other in starts)]
    wanted = [key for key in keys if key.startswith(tuple(prefixes))]
    assert sorted(listed(Bucket(keys, 3), prefixes, dice, 5)) == wanted


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_if_the_bucket_changes_every_key_that_stays_is_listed_once(seed):
    dice = random.Random(seed)
    prefix, keys = keyspace(dice)
    staying = set(dice.sample(keys, len(keys) // 2))
    fleeting = [key for key in keys if key not in staying]
    bucket = Bucket(keys, dice.choice([2, 7, 20]))

    def between():
        for key in dice.sample(fleeting, min(3, len(fleeting))):
            bucket.change(key)

    found = listed(bucket, [prefix], dice, dice.choice([2, 5, 16]), between)
    assert len(found) == len(set(found))
    assert staying <= set(found)


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_two_keys_that_follow_each_other_are_read_by_one_reader(seed):
    """Which is what shows that a server has another order, wherever the ranges were split."""
    dice = random.Random(seed)
    prefix, keys = keyspace(dice)
    read = set()

    def each(range_, page):
        read.update(pairwise([range_.cursor, *page] if range_.pages else page))

    listed(Bucket(keys, dice.choice([1, 2, 7, 20])), [prefix], dice, 5, each=each)
    assert read == set(pairwise(keys))


def test_many_parallel_list_requests_waste_few_requests():
    for name in ("{:012}", "{:032x}", "a/{:06}/x"):
        keys = sorted(name.format(number * (1 << 90 if "x}" in name else 1)) for number in range(20_000))
        bucket = Bucket(keys, 100)
        assert sorted(listed(bucket, [""], random.Random(1), 16)) == keys
        assert bucket.requests < 300


def test_a_gap_and_an_overlap_are_seen():
    whole = Coverage()
    for interval in (Interval("b", "c"), Interval("", "b"), Interval("c", None)):
        whole.add(interval)
    assert whole.is_exactly([""])
    for intervals in ([("", "b"), ("c", None)], [("", "c"), ("b", None)], [("", "b"), ("", None)]):
        broken = Coverage()
        for first, end in intervals:
            broken.add(Interval(first, end))
        assert not broken.is_exactly([""])


@given(texts, texts)
def test_the_end_of_a_prefix_is_behind_all_that_begin_with_it(prefix, other):
    end = prefix_end(prefix)
    inside = prefix <= other and (end is None or other < end)
    assert inside == other.startswith(prefix)
    if end is not None:
        end.encode()  # no surrogate: it can be asked for


@given(texts, texts)
def test_nothing_lies_between_a_key_and_what_is_just_after_it(key, other):
    assert not key < other < just_after(key)


@given(st.lists(texts, min_size=2, max_size=20, unique=True), st.text("ab/.", max_size=6))
def test_a_middle_key_lies_between_and_can_be_encoded(keys, tail):
    alphabet = Alphabet()
    alphabet.learn(sorted(keys))
    low, high = sorted(keys)[:2]
    middle = alphabet.middle(low, high)
    assert middle is None or low < middle < high
    for point in alphabet.siblings(low, high, ""):
        assert point > high
        point.encode()


slashes = st.text("ab/.-", max_size=6)


@given(slashes.filter(bool), slashes)
def test_only_ancestors_across_a_limit_may_have_keys_below_behind_it(key, limit):
    behind = any(f"{key}/{tail}" > limit for tail in ("", "a", "b", "\U0010ffff" * 3))
    reached = key <= limit
    assert may_have_keys_below(key, limit) == (reached and behind)
    assert (key in ancestors_across(limit)) == (reached and behind)
    assert not may_have_keys_below(key, None)


def test_a_range_that_ends_at_a_character_no_key_has_is_seen_to_hold_the_keys_before_it():
    alphabet = Alphabet()
    alphabet.learn(sorted(f"{number:02x}" for number in range(256)))
    for upto in ("A", "{"):
        first = "90" if upto == "A" else "f0"
        left = alphabet.pages_between(first, first[0] + "4", first[0] + "4", upto)
        assert 1.5 < left < 8
        middle = alphabet.middle(first[0] + "4", upto)
        assert first[0] + "4" < middle < upto
