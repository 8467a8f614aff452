"""Every outcome can be stored and read back from a real database, and every change of a row is detected."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journals import done
from s3haul.journal.rows import (
    GONE,
    KIND,
    KINDS_TABLE,
    OBJECTS_TABLE,
    PUT,
    PUT_KIND,
    Kind,
    KindNumbers,
    Row,
    gone,
    is_sound,
    numbered,
    run_lengths,
    to_outcome,
    to_row,
)
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict

BASE = "base/"

text = st.text(max_size=20)
integers = st.integers(0, 2**63 - 1)
times = st.floats(allow_nan=False) | st.integers(-(2**40), 2**40)
clocks = st.floats(-1e18, 1e18) | st.integers(-(2**40), 2**40)
outcomes = st.builds(
    Outcome,
    ref=st.builds(
        ObjectRef,
        text | text.map(BASE.__add__),
        integers,
        text,
        times,
        text,
        st.none(),
        st.just(""),
        st.just(False),
    ),
    state=st.sampled_from(State),
    path=st.none() | text.filter(lambda path: path not in {"/", "//"}),
    reason=st.none() | text,
    detail=st.none() | text.filter(bool),
    verdict=st.none() | st.sampled_from(Verdict),
    checksum=st.none() | st.builds(Checksum, text, text, text),
    part_sizes=st.lists(integers, max_size=6).map(tuple),
    computed=text,
    sse=text,
    kms_key_id=text,
    version_id=st.none() | text.filter(bool),
    attempts=integers,
    fetched=integers,
    content_type=text,
    user_metadata=text,
)


class Written:
    """An outcome in a database, and the row that SQLite returns."""

    def __init__(self, outcome, *statements, run=1, now=1.0):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
            database.execute(KINDS_TABLE)
            database.execute(OBJECTS_TABLE)
            self.kind = KindNumbers(BASE, lambda row: database.execute(PUT_KIND, row)).of(outcome)
            self.row = to_row(outcome, self.kind, BASE, run, now)
            database.execute(PUT, self.row)
            for statement, *parameters in statements:
                database.execute(statement, parameters)
            self.stored = Row._make(database.execute("SELECT * FROM objects").fetchone())
            self.stored_kind = database.execute(KIND, (self.stored.kind,)).fetchone()

    @property
    def outcome(self):
        """The outcome as a reader returns it."""
        kind = numbered(self.stored_kind, BASE)
        assert is_sound(self.stored, kind)
        return to_outcome(self.stored, kind, BASE)


@given(outcomes, integers, clocks, st.booleans())
def test_every_outcome_survives_the_database(outcome, run, now, own_path):
    key = outcome.ref.key
    if own_path:
        outcome = outcome._replace(path=key[len(BASE) :])
    written = Written(outcome, run=run, now=now)
    assert written.stored == written.row
    assert (written.stored.path == "") == (key.startswith(BASE) and outcome.path == key[len(BASE) :])
    assert written.outcome == outcome._replace(ref=outcome.ref._replace(version_id=outcome.version_id))


def another(value, data):
    """Another value, of the same type or of any other type that a damaged row may have."""
    of_type = {int: integers, float: st.floats(allow_nan=False), str: text}
    change = of_type.get(type(value), text) | st.one_of(st.none(), st.binary(max_size=3), *of_type.values())
    return data.draw(change.filter(lambda other: other != value or type(other) is not type(value)))


@given(outcomes, st.sampled_from([field for field in Row._fields if field != "crc"]), st.data())
def test_a_field_that_changed_is_noticed(outcome, field, data):
    written = Written(outcome)
    value = another(getattr(written.stored, field), data)
    changed = written.stored._replace(**{field: value})
    if changed == written.stored:  # 1 for 1.0, which no column gives
        return
    assert not is_sound(changed, written.kind)


@given(outcomes, st.integers(0, len(Kind._fields)), st.data())
def test_a_kind_that_changed_is_noticed_by_its_rows(outcome, column, data):
    written = Written(outcome)
    row = list(written.stored_kind)
    row[column] = another(row[column], data)
    try:
        changed = numbered(tuple(row), BASE)
    except ValueError:
        return
    assert not is_sound(written.stored, changed)


def test_a_base_that_changed_is_noticed():
    written = Written(done("base/a", path="a"))
    assert is_sound(written.stored, numbered(written.stored_kind, BASE))
    assert not is_sound(written.stored, numbered(written.stored_kind, "bose/"))


def test_the_crc_of_a_gone_row_includes_that_it_is_gone():
    written = Written(done("a"), (GONE, 2, "a"), (GONE, 2, "a"))
    row, kind = written.stored, written.kind
    assert is_sound(row, kind)
    assert not row.listed
    assert row == gone(written.row)
    assert not is_sound(row._replace(listed=1), kind)
    assert not is_sound(Row._make(written.row)._replace(listed=0), kind)


def test_the_columns_are_the_fields():
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(OBJECTS_TABLE)
        columns = [column[1] for column in database.execute("PRAGMA table_info(objects)")]
    assert columns == list(Row._fields)


def test_the_listed_version_is_kept_if_the_response_has_none():
    outcome = Outcome(ObjectRef("a", 1, "e", 1.0, version_id="v"), State.DONE)
    assert Written(outcome).outcome.version_id == "v"


def test_ten_thousand_equal_parts_take_a_few_bytes():
    sizes = (8 << 20,) * 9_999 + (5,)
    written = Written(done("a", part_sizes=sizes))
    assert written.stored.part_sizes == "8388608x9999,5x1"
    assert written.outcome.part_sizes == sizes
    assert run_lengths(sizes) == [(8 << 20, 9_999), (5, 1)]


@pytest.mark.parametrize("length", [1999, 2000, 2001])
def test_a_long_detail_is_cut(length):
    assert len(Written(done("a", detail="x" * length)).stored.detail) == min(length, 2000)
