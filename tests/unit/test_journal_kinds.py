"""Values that objects share are stored once, so an object needs few bytes."""

import sqlite3
import threading
from contextlib import closing

import pytest

from journals import CRC, SOURCE, done, failed, open_journal, written
from s3haul.journal import Reader, rows
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict

KEY_ARN = "arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite3"


def numbers(path):
    with closing(sqlite3.connect(path)) as other:
        return [number for (number,) in other.execute("SELECT number FROM kinds")]


def outcomes(path):
    with Reader(path) as reader:
        return list(reader.outcomes())


def small(number):
    key = f"base/{number // 1000:02d}/object-{number:010d}.json"
    ref = ObjectRef(key, 4096, f'"{number * 0x9E3779B97F4A7C15 % 2**128:032x}"', 1_700_000_000.0 + number)
    return Outcome(
        ref,
        State.DONE,
        key.removeprefix(SOURCE.base),
        verdict=Verdict.VERIFIED,
        checksum=CRC,
        sse="aws:kms",
        kms_key_id=KEY_ARN,
        fetched=4096,
    )


def test_an_object_takes_at_most_150_bytes(path):
    first = small(0)
    assert (len(first.ref.key), len(first.ref.etag)) == (30, 34)
    assert len(KEY_ARN) >= 77
    journal = open_journal(path, batch=1000)
    journal.begin_run()
    for start in range(0, 20_000, 128):
        # They end in another order than they start.
        journal.record_all(map(small, reversed(range(start, min(start + 128, 20_000)))))
    journal.close()
    assert path.stat().st_size / 20_000 <= 150
    assert outcomes(path) == list(map(small, range(20_000)))


def test_objects_of_a_kind_share_it_in_later_runs_too(path):
    written(path, *map(done, "abc"), failed("d"), failed("e", "access-denied"))
    assert numbers(path) == [1, 2, 3]
    written(path, *map(done, "bcx"), failed("e"), done("y", kms_key_id="arn"))
    assert numbers(path) == [1, 2, 3, 4]
    assert [outcome.reason for outcome in outcomes(path)] == [
        None,
        None,
        None,
        "network",
        "network",
        None,
        None,
    ]


def test_kinds_that_are_not_in_memory_any_more_are_still_correct(path, monkeypatch):
    monkeypatch.setattr(rows, "REMEMBERED", 3)
    monkeypatch.setattr("s3haul.journal.reader.REMEMBERED", 3)
    monkeypatch.setattr(
        "s3haul.journal.reader.LATEST_KINDS", "SELECT * FROM kinds ORDER BY number DESC LIMIT 3"
    )
    many = [done(f"{n:02d}", kms_key_id=f"key {n % 8}") for n in range(40)]
    written(path, *many[:20])
    written(path, *many[20:])
    assert outcomes(path) == many
    assert len(numbers(path)) == 40


def test_threads_that_add_kinds_at_the_same_time_do_not_mix_them(path):
    many = [done(f"{n:03d}", checksum=Checksum(f"{n % 50}", "FULL_OBJECT", "x")) for n in range(200)]
    with closing(open_journal(path, batch=3)) as journal:
        threads = [threading.Thread(target=journal.record_all, args=(many[n::4],)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes(path) == many
    assert numbers(path) == list(range(1, 51))


def test_a_kind_is_never_committed_after_a_row_that_names_it(path):
    orphans = []

    def sync():
        with closing(sqlite3.connect(path)) as other:
            orphans.extend(
                other.execute("SELECT key FROM objects WHERE kind NOT IN (SELECT number FROM kinds)")
            )

    with closing(open_journal(path, batch=2, sync=sync)) as journal:
        for n in range(50):
            journal.record(done(f"{n}", kms_key_id=f"{n // 2}"))
    assert orphans == []
    assert len(numbers(path)) == 25


def test_a_damaged_kind_is_not_used_again(path):
    written(path, done("a"))
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE kinds SET state = 'dune'")
        other.commit()
    journal = open_journal(path)
    journal.record(done("a"))
    journal.close()
    assert outcomes(path) == [done("a")]
    assert numbers(path) == [1, 2]
