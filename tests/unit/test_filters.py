"""`--include` and `--exclude` decide as `aws s3 cp` does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3haul.cli.flags import FilterFlags
from s3haul.cli.selection import filters_in_order
from s3haul.core.filters import (
    MOST_PREFIXES,
    mistake_in,
    nothing_selected,
    pattern_selector,
    prefixes_to_list,
)


@pytest.mark.parametrize(
    ("filters", "key", "selected"),
    [
        ([], "anything", True),
        ([(False, "*")], "a/b.txt", False),
        ([(False, "*"), (True, "*.txt")], "a/b.txt", True),
        ([(True, "*.txt"), (False, "*")], "a/b.txt", False),
        ([(False, "a/*"), (True, "a/keep/*")], "a/keep/x", True),
        ([(False, "a/*"), (True, "a/keep/*")], "a/x", False),
        ([(False, "[ab].txt")], "a.txt", False),
        ([(False, "[!ab].txt")], "a.txt", True),
        ([(False, "?.txt")], "ab.txt", True),
        ([(False, "line*end")], "line\nend", False),
    ],
)
def test_the_last_matching_pattern_decides(filters, key, selected):
    assert pattern_selector(tuple(filters))(key) is selected


def test_the_order_of_both_flags_is_taken_from_the_command_line():
    argv = ["cp", "s3://b", ".", "--exclude", "*", "--include=*.txt", "--exclude", "--include", "--quiet"]
    assert filters_in_order(argv, FilterFlags()) == (
        (False, "*"),
        (True, "*.txt"),
        (False, "--include"),
    )


ALL_OUT = (False, "*")


@pytest.mark.parametrize(
    ("filters", "prefixes"),
    [
        ((), [""]),
        (((True, "x*"),), [""]),
        (((False, "x*"),), [""]),
        ((ALL_OUT,), [""]),
        ((ALL_OUT, (True, "x*")), ["x"]),
        ((ALL_OUT, (True, "x*"), (False, "xa*")), ["x"]),
        ((ALL_OUT, (True, "b/x?"), (True, "a[0-9]"), (True, "b/xy*"), (True, "c")), ["a", "b/x", "c"]),
        ((ALL_OUT, (True, "x*"), (True, "*.txt")), [""]),
        (((True, "x*"), ALL_OUT, (True, "y*")), ["y"]),
        (((False, "**"), (True, "y*")), ["y"]),
        ((ALL_OUT, *((True, f"{number:03}*") for number in range(MOST_PREFIXES + 1))), [""]),
    ],
)
def test_only_prefixes_that_can_match_are_listed(filters, prefixes):
    assert prefixes_to_list(filters, "") == tuple(prefixes)
    assert prefixes_to_list(filters, "p/") == tuple(f"p/{prefix}" for prefix in prefixes)


@given(
    st.lists(st.tuples(st.booleans(), st.text("ab*?[]", max_size=3)), max_size=5), st.text("ab", max_size=4)
)
def test_a_key_that_is_selected_is_listed(filters, key):
    if pattern_selector(tuple(filters))(key):
        assert key.startswith(prefixes_to_list(tuple(filters), ""))


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ((), None),
        (((False, "*"), (True, "*.txt")), None),
        (((False, "*"),), None),
        (((True, "*.txt"),), "alone"),
        (((True, "*.txt"), (False, "*")), "comes last"),
    ],
)
def test_filters_without_effect_cause_a_warning(filters, said):
    found = mistake_in(filters)
    assert found is None if said is None else said in found


def test_an_empty_selection_is_explained_by_the_filters_or_by_the_source():
    assert nothing_selected((), 0).startswith("Nothing is there")
    assert "--include asks for" in nothing_selected((ALL_OUT, (True, "x*")), 0)
    assert nothing_selected(((False, "*"),), 20_000).startswith(
        "The filters leave nothing of 20,000 objects: "
    )
    assert "comes last" in nothing_selected(((True, "a"), (False, "*")), 5)
