"""Which objects stand for a large bucket, and whether it fits."""

import itertools

import pytest

from s3haul.core.room import Need, Room, shortage
from s3haul.core.sampling import jumps, representative, spread

LAST = "\U0010ffff"


@pytest.mark.parametrize("count", [2, 3, 7, 200])
def test_a_spread_has_both_ends_and_even_gaps(count):
    found = spread(range(1000), count)
    assert (len(found), found[0], found[-1]) == (count, 0, 999)
    gaps = {after - before for before, after in itertools.pairwise(found)}
    assert max(gaps) - min(gaps) <= 1


def test_a_rare_kind_is_among_the_representatives():
    found = ["common"] * 5000 + ["rare"] + ["common"] * 5000
    chosen = representative(found, 20, str)
    assert (len(chosen), chosen.count("rare")) == (20, 1)
    kinds = representative([str(number) for number in range(1000)], 20, str)
    assert (len(kinds), len(set(kinds))) == (20, 20)
    assert representative("ab", 20, str) == ["a", "b"]


def test_few_objects_are_all_taken():
    assert spread("abc", 3) == list("abc")
    assert spread("", 3) == []


def test_the_next_pages_are_beyond_the_outermost_directories_first():
    assert list(jumps("", "a/b/c.txt")) == [f"a/{LAST}", f"a/b/{LAST}", "a/b/c.txt"]
    assert list(jumps("a/", "a/b/c.txt")) == [f"a/b/{LAST}", "a/b/c.txt"]
    assert list(jumps("", "flat")) == ["flat"]
    assert len(list(jumps("", "1/2/3/4/5/6/7"))) == 5


def test_what_is_missing_is_said_with_figures():
    assert shortage(Need(bytes=10, files=2), Room(bytes=10, inodes=2)) == ""
    assert (
        shortage(Need(bytes=2048, files=2), Room(bytes=1024, inodes=2))
        == "2.0 KiB are listed, 1.0 KiB are free"
    )
    assert "3 files are listed, 2 inodes" in shortage(Need(bytes=1, files=3), Room(bytes=1024, inodes=2))
