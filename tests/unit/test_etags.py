"""ETags of the same version are equal, in every form that servers use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3haul.core.verification import check_range, check_whole
from s3haul.errors import StoreError
from s3haul.models import ObjectRef, same_etag
from s3haul.s3.responses import object_meta

VALUES = st.text(st.characters(codec="ascii", exclude_characters='"', min_codepoint=33), min_size=3).filter(
    lambda value: not value.startswith("W/")
)
FORMS = st.sampled_from(["{}", '"{}"', 'W/"{}"', ' "{}" '])


@given(VALUES, FORMS, FORMS)
def test_quotes_and_the_weak_mark_do_not_count(value, one, other):
    assert same_etag(one.format(value), other.format(value))


@given(VALUES, VALUES, FORMS, FORMS)
def test_different_etags_are_different_versions(value, another, one, other):
    assert same_etag(one.format(value), other.format(another)) == (value == another)


@pytest.mark.parametrize("sent", ["abc", 'W/"abc"', '"abc"'])
def test_an_etag_in_another_form_is_accepted_and_another_version_is_refused(sent):
    ref = ObjectRef("k", 4, '"abc"', 0.0)
    check_whole(ref, object_meta(200, {"content-length": "4", "etag": sent}))
    ranged = {"content-range": "bytes 0-1/4", "content-length": "2", "etag": sent}
    check_range(ref, object_meta(206, ranged), 0, 2)
    with pytest.raises(StoreError):
        check_whole(ref._replace(etag='"abd"'), object_meta(200, {"content-length": "4", "etag": sent}))


@pytest.mark.parametrize("whole", ["4", "*"])
def test_a_range_in_chunks_has_the_length_that_content_range_gives(whole):
    ref = ObjectRef("k", 4, '"abc"', 0.0)
    meta = object_meta(206, {"content-range": f"bytes 1-2/{whole}", "etag": '"abc"'})
    check_range(ref, meta, 1, 3)
    with pytest.raises(StoreError):
        check_range(ref, meta, 1, 4)


@pytest.mark.parametrize(
    ("status", "said"), [(200, "ignores Range"), (203, "status 203 to a GET of a range$")]
)
def test_the_whole_object_in_place_of_a_range_is_explained(status, said):
    meta = object_meta(status, {"content-length": "4", "etag": '"abc"'})
    with pytest.raises(StoreError, match=said):
        check_range(ObjectRef("k", 4, '"abc"', 0.0), meta, 0, 2)
