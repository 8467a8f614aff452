"""For every outcome: it reads back from a real database as it was, and no change of a row goes unseen."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journals import done
from s3haul.journal.rows import GONE, OBJECTS_TABLE, PUT, Row, run_lengths, to_outcome, to_row
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict

text = st.text(max_size=20)
integers = st.integers(0, 2**63 - 1)
times = st.floats(allow_nan=False) | st.integers(-(2**40), 2**40)
outcomes = st.builds(
    Outcome,
    ref=st.builds(ObjectRef, text, integers, text, times, text, st.none(), st.just(""), st.just(False)),
    state=st.sampled_from(State),
    path=st.none() | text,
    reason=st.none() | text,
    detail=st.none() | text,
    verdict=st.none() | st.sampled_from(Verdict),
    checksum=st.none() | st.builds(Checksum, text, text, text),
    part_sizes=st.lists(integers, max_size=6).map(tuple),
    computed=text,
    sse=text,
    kms_key_id=text,
    version_id=st.none() | text.filter(bool),
    attempts=integers,
    fetched=integers,
)


def stored(row, *statements):
    """The row as SQLite gives it back."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute(OBJECTS_TABLE)
        database.execute(PUT, row)
        for statement, *parameters in statements:
            database.execute(statement, parameters)
        return Row._make(database.execute("SELECT * FROM objects").fetchone())


@settings(deadline=None)
@given(outcomes, integers, times)
def test_every_outcome_survives_the_database(outcome, run, now):
    row = to_row(outcome, run, now)
    back = stored(row)
    assert back == row
    assert back.is_sound
    assert to_outcome(back) == outcome._replace(ref=outcome.ref._replace(version_id=outcome.version_id))


@settings(deadline=None)
@given(outcomes, st.sampled_from(Row._fields), st.data())
def test_a_field_that_changed_is_noticed(outcome, field, data):
    row = to_row(outcome, 1, 1.0)
    value = getattr(row, field)
    change = {int: integers, float: st.floats(allow_nan=False), str: text, type(None): text}[type(value)]
    changed = row._replace(**{field: data.draw(change.filter(lambda other: other != value))})
    assert not changed.is_sound


def test_a_gone_row_is_sealed_as_gone():
    row = to_row(done("a"), 1, 1.0)
    gone = stored(row, (GONE, "a"), (GONE, "a"))
    assert gone.is_sound
    assert not gone.listed
    assert not gone._replace(listed=1).is_sound
    assert not row._replace(listed=0).is_sound


def test_the_columns_are_the_fields():
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(OBJECTS_TABLE)
        columns = [column[1] for column in database.execute("PRAGMA table_info(objects)")]
    assert columns == list(Row._fields)


def test_a_listed_version_is_kept_where_the_answer_names_none():
    outcome = Outcome(ObjectRef("a", 1, "e", 1.0, version_id="v"), State.DONE)
    assert to_outcome(to_row(outcome, 1, 1.0)).version_id == "v"


def test_ten_thousand_equal_parts_take_a_few_bytes():
    sizes = (8 << 20,) * 9_999 + (5,)
    row = to_row(done("a", part_sizes=sizes), 1, 1.0)
    assert row.part_sizes == "8388608x9999,5x1"
    assert to_outcome(row).part_sizes == sizes
    assert run_lengths(sizes) == [(8 << 20, 9_999), (5, 1)]


@pytest.mark.parametrize("length", [1999, 2000, 2001])
def test_a_long_detail_is_cut(length):
    assert len(to_row(done("a", detail="x" * length), 1, 1.0).detail) == min(length, 2000)
