"""`--include` and `--exclude` decide as `aws s3 cp` does."""

import pytest

from s3haul.cli.parsing import filters_in_order
from s3haul.core.filters import idle, nothing_selected, selector


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
    assert selector(tuple(filters))(key) is selected


def test_the_order_of_both_flags_is_taken_from_the_command_line():
    argv = ["cp", "s3://b", ".", "--exclude", "*", "--include=*.txt", "--exclude", "--include", "--quiet"]
    assert filters_in_order(argv) == ((False, "*"), (True, "*.txt"), (False, "--include"))


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
    found = idle(filters)
    assert found is None if said is None else said in found


def test_an_empty_selection_is_explained_by_the_filters_or_by_the_source():
    assert nothing_selected((), 0).startswith("Nothing is there")
    assert nothing_selected(((False, "*"),), 20_000).startswith(
        "The filters leave nothing of 20,000 objects: "
    )
    assert "comes last" in nothing_selected(((True, "a"), (False, "*")), 5)
