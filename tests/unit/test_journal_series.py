"""How runs went, in the journal: written anew by each, read back whole,
and absent in what earlier versions wrote."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from journals import open_journal
from s3haul.core.stats import PrefixTime, Sample, SlowObject
from s3haul.journal import Reader
from s3haul.journal.performance import Performance

VERSION_3 = Path(__file__).with_name("journal_version_3.sql")
PERFORMANCE = Performance(
    samples=[
        Sample(0.0, 1.0, 10, 1, 5, 32, 2, 1, 0, 0.25, 0.5),
        Sample(1.0, 1.0, 20, 2, 0, 64, 0, 0, 1),
    ],
    slowest=[SlowObject(9.5, "base/é", 7), SlowObject(1.5, "base/b", 8)],
    prefixes=[PrefixTime("base/", 2, 15, 11.0), PrefixTime("", 1, 1, 0.5)],
    retries={"server-error": 2, "network": 1},
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite3"


def test_the_samples_of_a_run_are_read_back_and_the_last_ones_count(path):
    with closing(open_journal(path)) as journal:
        number = journal.begin_run()
        journal.put_performance(number, Performance(samples=PERFORMANCE.samples[:1], retries={"stalled": 1}))
        journal.put_performance(number, PERFORMANCE)
        journal.put_performance(number + 1, Performance())
    with Reader(path) as reader:
        assert reader.performance(number) == PERFORMANCE
        assert reader.performance(number + 1) == Performance(samples=[], slowest=[], prefixes=[])


def test_an_object_that_was_slow_twice_is_named_once(path):
    with closing(open_journal(path)) as journal:
        journal.put_performance(1, Performance(slowest=[SlowObject(2.0, "k", 7), SlowObject(1.0, "k", 7)]))
    with Reader(path) as reader:
        assert reader.performance(1).slowest == [SlowObject(2.0, "k", 7)]


def test_a_journal_of_the_version_before_is_read_without_a_course_and_brought_up_to_date(path):
    with closing(sqlite3.connect(path)) as other:
        other.executescript(VERSION_3.read_text(encoding="utf-8"))
    with Reader(path) as reader:
        assert reader.performance(1) == Performance()
    with closing(open_journal(path)) as journal:
        journal.put_performance(1, PERFORMANCE)
    with Reader(path) as reader:
        assert reader.performance(1) == PERFORMANCE
