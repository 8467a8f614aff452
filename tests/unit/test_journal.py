"""The journal: sync before commit, what the next run knows, errors that are raised everywhere."""

import os
import sqlite3
import stat
import threading
import time
from contextlib import closing

import pytest

from journals import CRC, SOURCE, done, failed, nothing, open_journal, written
from s3haul.errors import DestinationError, DestinationLockedError, JournalError
from s3haul.journal import Count, Journal, KnownRow, Reader, Run, SourceIdentity, database
from s3haul.journal.rows import PUT
from s3haul.models import ObjectRef, Outcome, State, Verdict

LAST = "\U0010ffff"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path):
    with closing(open_journal(path)) as journal:
        journal.begin_run()
        yield journal


def names_in(directory):
    return sorted(entry.name for entry in directory.iterdir())


def keys_on_disk(path):
    with Reader(path) as reader:
        return [outcome.ref.key for outcome in reader.outcomes()]


# --- recording and reading ---


def test_what_was_recorded_is_known_to_the_next_run(path):
    written(path, done("a", version_id="v1"), failed("b"))
    with closing(open_journal(path)) as journal:
        assert journal.committed.known("", LAST) == {
            "a": KnownRow('"16"', 9, "a", State.DONE),
            "b": KnownRow('"26"', 9, None, State.FAILED, "network"),
        }


def test_a_journal_whose_thread_cannot_start_leaves_no_file_open(path, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    written(path, done("a"))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError) as _kept:  # so is the frame that opened it
        open_journal(path)
    assert names_in(path.parent) == [path.name]  # no -wal: the last connection removes it


def test_rows_that_are_gone_are_not_checked(path):
    written(path, done("a"), done("b"))
    with closing(open_journal(path)) as journal:
        journal.begin_run()
        journal.mark_gone(["b"])
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE objects SET size = size + 1 WHERE key = 'b'")
        other.commit()
    with closing(open_journal(path)) as journal:
        assert list(journal.committed.known("", LAST)) == ["a"]


def test_a_range_includes_its_first_key_and_excludes_its_end(journal):
    for key in "abcd":
        journal.record(done(key))
    journal.flush()
    assert list(journal.committed.known("b", "d")) == ["b", "c"]
    assert journal.committed.known("c", "c") == {}
    assert list(journal.committed.known("c", "c\0")) == ["c"]
    assert list(journal.committed.known("c", None)) == ["c", "d"]


def test_keys_are_ordered_by_their_utf8_bytes(journal):
    keys = ["a", "a\0b", "b", "Z", "é", "ﬁ", "\ue000", "😀", "\U0010ffff", "a/b", "a.b"]
    for key in keys:
        journal.record(done(key))
    journal.flush()
    assert list(journal.committed.known("", None)) == sorted(keys, key=str.encode)
    assert "😀" in journal.committed.known("ﬁ", "😀\0")


def test_a_later_outcome_of_a_key_replaces_the_earlier(journal):
    journal.record(failed("a"))
    journal.record(done("a"))
    journal.flush()
    assert journal.committed.known("", "b")["a"].state is State.DONE


def test_a_batch_is_recorded_in_its_order_and_at_one_time(path):
    readings = iter([1.0, 2.0, 3.0, 4.0])
    with closing(open_journal(path, clock=lambda: next(readings))) as journal:
        journal.record_all([failed("a"), done("b"), done("a")])
        journal.record_all([])
        journal.flush()
        assert {key: row.state for key, row in journal.committed.known("", LAST).items()} == {
            "a": State.DONE,
            "b": State.DONE,
        }
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT DISTINCT updated FROM objects").fetchall() == [(2.0,)]


def test_of_a_batch_with_a_key_that_cannot_be_stored_nothing_is_queued(journal):
    with pytest.raises(JournalError, match=r"\\ud800"):
        journal.record_all([done("b"), done("a\ud800", path="a")])
    journal.flush()
    assert journal.committed.known("", LAST) == {}


def test_what_is_not_committed_is_not_known(journal):
    journal.record(done("a"))
    assert journal.committed.known("", LAST) == {}
    assert journal.backlog == 2  # its kind, and its row
    journal.flush()
    assert list(journal.committed.known("", LAST)) == ["a"]
    assert journal.backlog == 0


def test_closing_commits_what_is_left(path):
    journal = open_journal(path)
    journal.begin_run()
    journal.record(done("a"))
    journal.close()
    assert keys_on_disk(path) == ["a"]


def test_a_closed_journal_refuses_records(path):
    journal = open_journal(path)
    journal.close()
    with pytest.raises(RuntimeError, match="closed"):
        journal.record(done("a"))


def test_a_closed_journal_is_one_file_that_only_the_owner_can_read(path):
    written(path, done("a"))
    assert names_in(path.parent) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_the_owner_can_read_the_files_of_an_open_journal(journal, path):
    journal.record(done("a"))
    journal.flush()
    modes = {name: stat.S_IMODE((path.parent / name).stat().st_mode) for name in names_in(path.parent)}
    assert modes == {path.name + suffix: 0o600 for suffix in ("", "-wal", "-shm")}


def test_a_path_may_contain_any_character(tmp_path):
    path = tmp_path / "a?b#c%41 é" / "journal.sqlite3"
    path.parent.mkdir()
    written(path, done("a"))
    assert keys_on_disk(path) == ["a"]
    assert names_in(tmp_path) == [path.parent.name]


def test_a_key_that_is_not_unicode_is_refused_and_the_writer_continues(journal):
    with pytest.raises(JournalError, match=r"\\ud800"):
        journal.record(done("a\ud800", path="a"))
    journal.record(done("b"))
    journal.flush()
    assert list(journal.committed.known("", LAST)) == ["b"]


def test_keys_that_are_no_utf8_are_kept_apart_and_in_their_place(journal):
    keys = ["a", "a\udc80", "a\udcff", "a\udcff\udcfe", "aé", "b"]
    for key in keys:
        journal.record(done(key, path="a"))
    journal.flush()
    in_order = sorted(keys, key=lambda key: key.encode("utf-8", "surrogateescape"))
    assert list(journal.committed.known("", LAST)) == [key for key in in_order if key != "b"] + ["b"]
    assert list(journal.committed.known("aé", "a\udcff\udcfe")) == ["aé", "a\udcff"]
    journal.begin_run()
    journal.mark_gone(["a\udcff", "aé"])
    journal.mark_gone_between("a\udcff", None)
    journal.flush()
    assert list(journal.committed.known("", LAST)) == ["a", "a\udc80"]


@pytest.mark.parametrize("size", [-1, 2**63])
def test_an_invalid_size_is_refused(journal, size):
    with pytest.raises(JournalError, match="cannot store"):
        journal.record(done("a", size))


def test_headers_that_are_not_utf8_cannot_stop_the_writer(journal):
    ref = ObjectRef("a", 2**63 - 1, '"\udcff"', 1.0, "\udcfe", "\udcfd")
    journal.record(Outcome(ref, State.FAILED, detail="\udcfc\0" * 5000, kms_key_id="\udcfb", sse="\udcfa"))
    journal.flush()
    assert journal.committed.known("", LAST)["a"].etag == '"\\udcff"'


# --- sync, then commit ---


def test_files_are_synced_before_rows_are_committed(path):
    seen = []

    def sync():
        with closing(sqlite3.connect(path)) as other:
            seen.append(other.execute("SELECT count(*) FROM objects").fetchone()[0])

    with closing(open_journal(path, sync=sync)) as journal:
        journal.begin_run()
        for n in range(3):
            journal.record(done(f"{n}"))
            journal.flush()
    assert seen == [0, 0, 1, 2]


def spin_until(true):
    """Let other threads run until the condition is true."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0)


def test_a_full_batch_is_committed_without_flush(path):
    synced = threading.Semaphore(0)
    with closing(open_journal(path, batch=4, sync=synced.release)) as journal:
        journal.begin_run()
        assert synced.acquire(timeout=30)
        journal.record(done("a"))  # and its kind
        spin_until(lambda: journal._writer._wake._waiters)
        journal.record(done("b"))
        assert not synced.acquire(blocking=False)
        journal.record(done("c"))
        assert synced.acquire(timeout=30)
        journal.flush()
        assert not synced.acquire(blocking=False)


def test_outcomes_recorded_together_count_one_by_one_towards_the_batch(path):
    synced = threading.Semaphore(0)
    with closing(open_journal(path, batch=3, sync=synced.release)) as journal:
        journal.record(done("a"))
        spin_until(lambda: journal._writer._wake._waiters)
        journal.record_all(map(done, "bcde"))
        assert synced.acquire(timeout=30)
        journal.flush()
        assert journal.backlog == 0


def test_a_single_row_is_committed_after_the_interval(path):
    synced = threading.Semaphore(0)
    with closing(open_journal(path, interval=0.01, sync=synced.release)) as journal:
        journal.record(done("a"))
        assert synced.acquire(timeout=30)


def test_recording_does_not_wait_for_a_slow_disk(path):
    entered, free = threading.Event(), threading.Event()

    def sync():
        entered.set()
        assert free.wait(30)

    journal = open_journal(path, batch=1, sync=sync)
    try:
        journal.record(done("a"))
        assert entered.wait(30)
        for n in range(100):
            journal.record(done(f"{n}"))
        assert journal.backlog == 102  # and one kind
    finally:
        free.set()
        journal.close()
    assert len(keys_on_disk(path)) == 101


def test_many_threads_may_record_at_once(path):
    with closing(open_journal(path, batch=7)) as journal:
        journal.begin_run()

        def record(thread):
            for n in range(50):
                journal.record(done(f"{thread}-{n}"))

        threads = [threading.Thread(target=record, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        journal.flush()
        assert len(journal.committed.known("", LAST)) == 200


# --- a writer that fails ---


def test_a_failed_sync_commits_nothing_and_is_raised_everywhere(path):
    told = []
    error = DestinationError("the disk is gone")

    def sync():
        if armed:
            raise error

    armed = []
    journal = open_journal(path, sync=sync, on_error=told.append)
    journal.begin_run()
    armed.append(True)
    journal.record(done("a"))
    for asked in (journal.flush, journal.flush, lambda: journal.record(done("b")), journal.begin_run):
        with pytest.raises(DestinationError) as caught:
            asked()
        assert caught.value is error
    assert told == [error]
    assert journal._writer.failure is error
    armed.clear()
    with pytest.raises(DestinationError):
        journal.close()
    assert keys_on_disk(path) == []


def test_an_unexpected_exception_of_sync_is_raised_unchanged(path):
    def sync():
        raise ZeroDivisionError

    journal = open_journal(path, sync=sync)
    journal.record(done("a"))
    with pytest.raises(ZeroDivisionError):
        journal.close()


def test_rows_committed_before_the_failure_stay(path):
    def sync():
        if path.with_name("fail").exists():
            raise OSError(5, "Input/output error")

    journal = open_journal(path, sync=sync)
    journal.begin_run()
    journal.record(done("a"))
    journal.flush()
    path.with_name("fail").touch()
    journal.record(done("b"))
    with pytest.raises(DestinationError, match="EIO"):
        journal.close()
    assert keys_on_disk(path) == ["a"]


def test_a_journal_that_another_process_keeps_locked_ends_the_run(path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.0)
    journal = open_journal(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        journal.record(done("a"))
        with pytest.raises(DestinationLockedError):
            journal.close()


@pytest.mark.parametrize("replace", [False, True])
def test_a_journal_that_is_removed_during_the_run_ends_it(path, replace):
    journal = open_journal(path)
    journal.begin_run()
    path.rename(path.with_name("elsewhere"))
    if replace:
        path.touch()
    journal.record(done("a"))
    with pytest.raises(DestinationError, match="removed or replaced"):
        journal.close()


# --- keys that are gone ---


def test_gone_keys_leave_the_manifest_and_are_unknown(path, journal):
    for key in "abcde":
        journal.record(done(key))
    journal.mark_gone(["b", "no such key"])
    journal.begin_run()
    journal.mark_gone_between("d\0", None)
    journal.mark_gone(["b"])
    journal.flush()
    assert list(journal.committed.known("", LAST)) == ["a", "c", "d"]
    assert keys_on_disk(path) == ["a", "c", "d"]


def test_a_range_is_gone_without_its_neighbours(path, journal):
    for key in ("a", "b", "b\0", "c", "d"):
        journal.record(done(key))
    journal.begin_run()
    journal.mark_gone_between("b", "c")
    journal.flush()
    assert keys_on_disk(path) == ["a", "c", "d"]


def test_a_key_that_comes_back_is_recorded_again(path, journal):
    journal.record(done("a"))
    journal.mark_gone(["a"])
    journal.record(done("a"))
    journal.flush()
    assert keys_on_disk(path) == ["a"]


def test_after_an_empty_listing_all_rows_are_gone(path, journal):
    journal.record(done("a"))
    journal.begin_run()
    journal.mark_gone_between("", None)
    journal.flush()
    assert keys_on_disk(path) == []


# --- runs and counts ---


def test_runs_are_numbered_and_an_unfinished_one_says_so(path):
    times = iter(range(100, 200))
    journal = open_journal(path, clock=lambda: next(times))
    assert journal.begin_run() == 1
    journal.close()
    with closing(open_journal(path, clock=lambda: next(times))) as journal:
        assert journal.begin_run() == 2
        journal.end_run(2, complete=True, exit_code=3, listed=7, listed_bytes=70)
    with Reader(path) as reader:
        assert reader.runs() == [
            Run(1, 101.0, None, None, 0, None, None, "base/"),
            Run(2, 102.0, 103.0, 3, 1, 7, 70, "base/"),
        ]


def test_listed_objects_are_counted_by_outcome(path):
    outcomes = [done("a", 1), done("b", 2, verdict=Verdict.SIZE_ONLY), done("c", 4, fetched=4), failed("d")]
    written(path, *outcomes, failed("e", "changed"))
    with closing(open_journal(path)) as journal:
        journal.begin_run()
        journal.mark_gone(["e"])
    with Reader(path) as reader:
        assert reader.counts() == [
            Count("done", None, "size-only", 1, 2, 0),
            Count("done", None, "verified", 2, 5, 4),
            Count("failed", "network", None, 1, 9, 0),
        ]


def test_every_outcome_reads_back_page_by_page(path):
    outcomes = [
        done(
            f"{n:05d}", n, part_sizes=(8, 8, 8, n), detail="a detail", fetched=n, attempts=2, kms_key_id="arn"
        )
        for n in range(2345)
    ]
    written(path, *outcomes)
    with Reader(path) as reader:
        assert list(reader.outcomes()) == outcomes
        assert reader.source == SOURCE


def test_reading_all_rows_does_not_block_the_writer(path):
    with closing(open_journal(path)) as journal:
        for n in range(1500):
            journal.record(done(f"{n:05d}"))
        journal.flush()
        with Reader(path) as reader:
            rows = reader.outcomes()
            assert next(rows).ref.key == "00000"
            journal.record(done("00001x"))
            journal.record(done("01499x"))
            journal.flush()
            rest = [outcome.ref.key for outcome in rows]
    assert rest[-1] == "01499x"
    assert len(rest) == 1500


# --- the source of a journal ---


def test_another_endpoint_of_the_same_bucket_uses_the_same_journal(path):
    written(path, done("a"))
    Journal.open(path, SOURCE._replace(endpoint="https://elsewhere"), sync=lambda: None).close()


def test_the_journal_of_another_bucket_is_refused_by_name(path):
    written(path, done("a"))
    before = path.read_bytes()
    with pytest.raises(JournalError) as caught:
        Journal.open(path, SOURCE._replace(bucket="other"), sync=nothing)
    assert caught.value.message.endswith("is the journal of s3://bucket, not of s3://other")
    assert "another destination" in caught.value.hint
    assert path.read_bytes() == before


def test_a_journal_of_a_newer_version_is_refused(path):
    written(path, done("a"))
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version={database.VERSION + 1}")
    for opening in (open_journal, Reader):
        with pytest.raises(JournalError, match=f"version {database.VERSION + 1}") as caught:
            opening(path)
        assert caught.value.hint == "use a newer s3haul"


def test_a_journal_that_does_not_name_its_source_is_damaged(path):
    written(path, done("a"))
    with closing(sqlite3.connect(path)) as other:
        other.execute("DELETE FROM meta WHERE name = 'base'")
        other.commit()
    with pytest.raises(JournalError, match="damaged"):
        open_journal(path)


def test_another_programs_database_is_left_alone(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    for opening in (open_journal, Reader):
        with pytest.raises(JournalError, match="not an s3haul journal"):
            opening(path)
    assert path.read_bytes() == before


def test_a_file_that_is_not_a_database_is_left_alone(path):
    path.write_bytes(b"precious notes\n" * 1000)
    for opening in (open_journal, Reader):
        with pytest.raises(JournalError, match="not a database"):
            opening(path)
    assert path.read_bytes() == b"precious notes\n" * 1000


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
def test_anything_but_a_regular_file_is_refused(path, make):
    make(path)
    for opening in (open_journal, Reader):
        with pytest.raises(JournalError, match="not a regular file"):
            opening(path)


def test_reading_a_missing_journal_creates_nothing(path):
    with pytest.raises(JournalError, match="no journal") as caught:
        Reader(path)
    assert "s3haul cp" in caught.value.hint
    assert names_in(path.parent) == []


def test_a_missing_directory_is_a_destination_error(path):
    with pytest.raises(DestinationError, match="ENOENT"):
        open_journal(path.parent / "absent" / "journal.sqlite3")


def test_after_deletion_a_new_empty_journal_is_created(path):
    written(path, done("a"))
    path.unlink()
    with closing(open_journal(path)) as journal:
        assert journal.begin_run() == 1
        assert journal.committed.known("", LAST) == {}


def test_the_journal_is_recognisable(path):
    written(path, done("a"))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA application_id").fetchone() == (0x73334861,)
        assert other.execute("PRAGMA user_version").fetchone() == (database.VERSION,)
        assert dict(other.execute("SELECT * FROM meta")) == {
            "bucket": "bucket",
            "base": "base/",
            "endpoint": "https://s3.example",
            "created": "1700000100.0",
        }
        assert other.execute("SELECT checksum, crc FROM objects").fetchone()[0] == CRC.value
        assert len(other.execute("SELECT * FROM objects").fetchone()) == PUT.count("?")


def test_commits_wait_for_the_disk(path, monkeypatch):
    traced = []
    connect = sqlite3.connect

    def traced_connect(*args, **options):
        connection = connect(*args, **options)
        connection.set_trace_callback(traced.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced_connect)
    connection = database.open_for_writing(path, SourceIdentity("b", "", ""))
    with closing(connection):
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert "PRAGMA fullfsync=ON" in traced


def test_the_journal_of_a_run_that_was_killed_at_its_start_is_empty_and_is_used_again(path):
    path.touch(mode=0o600)
    with pytest.raises(JournalError, match="is still empty"):
        Reader(path)
    with closing(open_journal(path)) as journal:
        assert journal.committed.partials() == []


def test_rows_of_this_run_are_not_marked_as_gone(journal):
    number = journal.begin_run()
    for key in ("a", "b"):
        journal.record(done(key))
    journal.mark_gone(["a"])
    journal.mark_gone_between("b", None)
    journal.flush()
    assert list(journal.committed.known("", LAST)) == ["a", "b"]
    assert journal.begin_run() > number
    journal.mark_gone(["a"])
    journal.mark_gone_between("b", None)
    journal.flush()
    assert list(journal.committed.known("", LAST)) == []
