"""A listing that cannot be complete ends the run; an unusual but complete one does not."""

import pytest

from s3haul.core.listing_validator import MAX_PAGES_WITHOUT_NEWS, ListingValidator, unusable_outcome
from s3haul.errors import ListingIncompleteError
from s3haul.models import ListPage, ObjectRef, State, UnusableEntry


def page(*keys, token=None, truncated=None, count=None, empty=False, unusable=()):
    entries = tuple(ObjectRef(key, 1, '"e"', 0.0) for key in keys)
    more = token is not None if truncated is None else truncated
    announced = len(keys) + len(unusable) if count is None else count
    bad = tuple(UnusableEntry(key, "why") for key in unusable)
    return ListPage(entries, more, token, announced, empty, bad)


def keys_of(refs):
    return [ref.key for ref in refs]


def test_pages_in_order_are_passed_on():
    validator = ListingValidator()
    assert keys_of(validator.accept(page("a", "b", token="1"))) == ["a", "b"]
    assert keys_of(validator.accept(page("c"))) == ["c"]


def test_utf8_order_is_the_order_of_code_points():
    assert keys_of(ListingValidator().accept(page("Z", "a", "é", "\uffff", "😀"))) == [
        "Z",
        "a",
        "é",
        "\uffff",
        "😀",
    ]


def test_a_key_that_is_listed_again_counts_once_also_on_the_next_page():
    validator = ListingValidator()
    assert keys_of(validator.accept(page("a", "a", "b", "a", "c", token="1"))) == ["a", "b", "c"]
    assert validator.repeated == 2
    assert keys_of(validator.accept(page("b", "c", "d", token="2"))) == ["d"]
    assert validator.repeated == 4
    with pytest.raises(ListingIncompleteError, match="ascending"):
        validator.accept(page("a", "e"))


def test_unusable_entries_count_as_entries_and_belong_to_the_range_that_is_listed():
    validator = ListingValidator()
    assert keys_of(validator.accept(page("a", token="1", unusable=("b\udcff",)))) == ["a"]
    assert validator.last_key == "b\udcff"
    assert keys_of(validator.accept(page("b\U0010ffff", "c", token="2", unusable=("b",)))) == [
        "b\U0010ffff",
        "c",
    ]
    assert validator.last_key == "c"
    for number in range(MAX_PAGES_WITHOUT_NEWS + 1):
        validator.accept(page(token=f"more {number}", unusable=(f"d{number:05d}\udcff",)))


def test_the_order_of_bytes_decides_which_key_is_the_last():
    validator = ListingValidator()
    validator.accept(page("\ue000", unusable=("\udcfe",)))
    assert validator.last_key == "\udcfe"


def test_an_unusable_entry_ends_as_a_failure_that_says_why():
    outcome = unusable_outcome(UnusableEntry("k\udcff", "why"))
    assert (outcome.ref.key, outcome.state, outcome.reason, outcome.detail) == (
        "k\udcff",
        State.FAILED,
        "unusable-entry",
        "why",
    )


def test_an_empty_bucket_and_an_empty_page_in_between_are_fine():
    validator = ListingValidator()
    assert validator.accept(page(token="1")) == []
    assert validator.accept(page()) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (page("b", truncated=True), "not where"),
        (page("a"), "ascending"),
        (page("b", token="1"), "repeats"),
        (page("b", count=2), "announces 2 keys"),
        (page(empty=True), "no listing in it"),
    ],
)
def test_a_page_that_hides_keys_is_refused(bad, words):
    validator = ListingValidator()
    validator.accept(page("a1", token="1"))
    with pytest.raises(ListingIncompleteError, match=words) as caught:
        validator.accept(bad)
    assert "a1" in str(caught.value)


def test_a_key_out_of_order_within_a_page_is_refused():
    with pytest.raises(ListingIncompleteError, match="ascending"):
        ListingValidator().accept(page("b", "a"))


def test_endless_pages_without_a_new_key_are_refused():
    validator = ListingValidator()
    for number in range(MAX_PAGES_WITHOUT_NEWS):
        validator.accept(page(token=str(number)))
    with pytest.raises(ListingIncompleteError, match="no new key"):
        validator.accept(page(token="one more"))


@pytest.mark.parametrize(
    "given", [page("a", "p/1"), page("p/1", "q"), page("p/1", unusable=("q\udcff",)), page("p")], ids=str
)
def test_a_key_outside_the_prefix_means_that_the_prefix_was_ignored(given):
    with pytest.raises(ListingIncompleteError, match="does not begin with the prefix"):
        ListingValidator("p/").accept(given)


def test_keys_below_the_prefix_are_fine():
    validator = ListingValidator("p/")
    assert keys_of(validator.accept(page("p/", "p/1", token="1"))) == ["p/", "p/1"]
    assert keys_of(validator.accept(page(token="2"))) == []
    assert keys_of(validator.accept(page("p/2", "p/9"))) == ["p/2", "p/9"]
