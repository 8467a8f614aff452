"""The choice of a sample of objects of a large bucket."""

import itertools

import pytest

from s3haul.preflight.objects import jumps, representative, spread

LAST = "\U0010ffff"


@pytest.mark.parametrize("count", [2, 3, 7, 200])
def test_a_spread_has_both_ends_and_even_gaps(count):
    found = spread(range(1000), count)
    assert (len(found), found[0], found[-1]) == (count, 0, 999)
    gaps = {after - before for before, after in itertools.pairwise(found)}
    assert max(gaps) - min(gaps) <= 1


def test_a_rare_kind_is_in_the_sample():
    found = ["common"] * 5000 + ["rare"] + ["common"] * 5000
    chosen = representative(found, 20, str)
    assert (len(chosen), chosen.count("rare")) == (20, 1)
    kinds = representative([str(number) for number in range(1000)], 20, str)
    assert (len(kinds), len(set(kinds))) == (20, 20)
    assert representative("ab", 20, str) == ["a", "b"]


def test_few_objects_are_all_taken():
    assert spread("abc", 3) == list("abc")
    assert spread("", 3) == []


def test_the_next_pages_skip_the_outermost_directories_first():
    assert list(jumps("", "a/b/c.txt")) == [f"a/{LAST}", f"a/b/{LAST}", "a/b/c.txt"]
    assert list(jumps("a/", "a/b/c.txt")) == [f"a/b/{LAST}", "a/b/c.txt"]
    assert list(jumps("", "flat")) == ["flat"]
    assert len(list(jumps("", "1/2/3/4/5/6/7"))) == 5
