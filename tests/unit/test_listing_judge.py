"""A listing that cannot be complete ends the run; odd but complete ones do not."""

import pytest

from s3haul.core.listing import MAX_BARREN_PAGES, ListingJudge
from s3haul.errors import ListingIncompleteError
from s3haul.models import ListPage, ObjectRef


def page(*keys, token=None, truncated=None, count=None, empty=False):
    entries = tuple(ObjectRef(key, 1, '"e"', 0.0) for key in keys)
    more = token is not None if truncated is None else truncated
    return ListPage(entries, more, token, len(keys) if count is None else count, empty)


def keys_of(refs):
    return [ref.key for ref in refs]


def test_pages_in_order_are_passed_on():
    judge = ListingJudge()
    assert keys_of(judge.accept(page("a", "b", token="1"))) == ["a", "b"]
    assert keys_of(judge.accept(page("c"))) == ["c"]


def test_utf8_order_is_the_order_of_code_points():
    assert keys_of(ListingJudge().accept(page("Z", "a", "é", "\uffff", "😀"))) == [
        "Z",
        "a",
        "é",
        "\uffff",
        "😀",
    ]


def test_a_key_listed_twice_counts_once_also_over_two_pages():
    judge = ListingJudge()
    assert keys_of(judge.accept(page("a", "a", "b", token="1"))) == ["a", "b"]
    assert keys_of(judge.accept(page("b", "c"))) == ["c"]


def test_an_empty_bucket_and_an_empty_page_in_between_are_fine():
    judge = ListingJudge()
    assert judge.accept(page(token="1")) == []
    assert judge.accept(page()) == []


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
    judge = ListingJudge()
    judge.accept(page("a1", token="1"))
    with pytest.raises(ListingIncompleteError, match=words) as caught:
        judge.accept(bad)
    assert "a1" in str(caught.value)


def test_a_key_out_of_order_within_a_page_is_refused():
    with pytest.raises(ListingIncompleteError, match="ascending"):
        ListingJudge().accept(page("b", "a"))


def test_endless_barren_pages_are_refused():
    judge = ListingJudge()
    for number in range(MAX_BARREN_PAGES):
        judge.accept(page(token=str(number)))
    with pytest.raises(ListingIncompleteError, match="no new key"):
        judge.accept(page(token="one more"))
