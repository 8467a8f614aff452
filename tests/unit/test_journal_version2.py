"""Journals of earlier versions: they can be read, and the next run converts them,
completely or not at all."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from journals import CRC, done, failed, open_journal, ref
from s3haul.errors import JournalError
from s3haul.journal import Count, Reader, Run, manifest_lines, version2
from s3haul.journal.database import VERSION
from s3haul.models import Block, Checksum, Outcome, Partial, State, Verdict

LAST = "\U0010ffff"
DUMPS = {number: Path(__file__).with_name(f"journal_version_{max(number, 2)}.sql") for number in (1, 2, 3, 4)}
TRUTH = [
    done("base/a", path="a", kms_key_id="arn:aws:kms:eu-central-1:111122223333:key/1", fetched=9),
    done("base/a/b", path="a/b", version_id="v1", attempts=3, fetched=27),
    done(
        "base/composite",
        25,
        path="composite",
        checksum=Checksum("CRC32", "COMPOSITE", "AAAAAA==-3"),
        part_sizes=(10, 10, 5),
        fetched=25,
    ),
    done("base/dir/", 0, path="dir"),
    failed("base/failed", "access-denied", detail="AccessDenied: 'no'\nnot you", attempts=5),
    Outcome(ref("base/old", 1)._replace(storage_class="GLACIER"), State.SKIPPED, "old", reason="archived"),
    done("base/shadow", path="~s3haul~@shadow"),
    done(
        "base/é😀",
        path="é😀",
        checksum=None,
        verdict=Verdict.SIZE_ONLY,
        computed="AAAAAAAAAAA=",
        sse="",
        reason="no-checksum",
        detail="S3 stores none",
    ),
]
COUNTS = [
    Count("done", None, "verified", 5, 52, 61),
    Count("done", "no-checksum", "size-only", 1, 9, 0),
    Count("failed", "access-denied", None, 1, 9, 0),
    Count("skipped", "archived", None, 1, 1, 0),
]


@pytest.fixture(params=[1, 2, 3, 4])
def path(request, tmp_path):
    path = tmp_path / "journal.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.executescript(DUMPS[request.param].read_text(encoding="utf-8"))
        if request.param == 1:
            other.executescript("DROP TABLE partials; DROP TABLE blocks; PRAGMA user_version=1")
        other.execute("PRAGMA journal_mode=WAL")
    return path


def version(path):
    with closing(sqlite3.connect(path)) as other:
        return other.execute("PRAGMA user_version").fetchone()[0]


def holds_the_truth(reader):
    assert [
        outcome._replace(ref=outcome.ref._replace(version_id=None)) for outcome in reader.outcomes()
    ] == TRUTH
    assert reader.counts() == COUNTS
    assert [run[:6] for run in reader.runs()] == [(1, 1_700_000_100.25, 1_700_000_100.25, 1, 1, 8)]
    assert reader.prefixes() == ["base/"]
    return True


def test_an_old_journal_is_read_without_changing_it(path):
    before = path.read_bytes()
    with Reader(path) as reader:
        assert holds_the_truth(reader)
        assert ("base/a", TRUTH[0].ref.etag, 9) in reader.done_of(["base/a"])
        assert not reader.shares_paths("other/")
    entries = list(map(json.loads, manifest_lines(path)))
    assert [entry["key"] for entry in entries] == [outcome.ref.key for outcome in TRUTH]
    assert entries[0]["checksum"]["value"] == CRC.value
    assert path.read_bytes() == before


def test_a_run_converts_it_and_nothing_is_lost(path):
    before, lines = version(path), list(manifest_lines(path))
    with closing(open_journal(path)) as journal:
        assert list(journal.committed.known("", LAST)) == [outcome.ref.key for outcome in TRUTH]
        partials = [Partial("base/large", '"etag"', 3 << 20, "t-1", "CRC64NVME")] if before > 1 else []
        assert journal.committed.partials() == partials
        assert journal.committed.blocks("t-1") == ((Block(0, 1 << 20, 2**64 - 1),) if partials else ())
    assert version(path) == VERSION
    assert list(manifest_lines(path)) == lines
    with Reader(path) as reader:
        assert holds_the_truth(reader)
        assert reader.shares_paths("other/")
        paths = ["a/b", "composite", "failed", "gone", "~s3haul~@shadow"]
        owned = {"a/b": "base/a/b", "composite": "base/composite", "~s3haul~@shadow": "base/shadow"}
        assert reader.owners_of(paths) == owned
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT key, listed, run, updated FROM objects ORDER BY key").fetchall()
        tables = {name for (name,) in other.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert ("base/gone", 0, 1, 1_700_000_100.0) in rows
    assert len(rows) == len(TRUTH) + 1
    series = {"samples", "slow_objects", "prefix_times", "retries"}
    assert tables == {"blocks", "kinds", "meta", "objects", "partials", "runs"} | series


def test_gone_rows_stay_gone_and_the_next_run_adds_rows(path):
    with closing(open_journal(path)) as journal:
        assert journal.begin_run() == 2
        journal.record(done("base/gone", path="gone"))
        journal.record(failed("base/a"))
    with Reader(path) as reader:
        states = {outcome.ref.key: outcome.state for outcome in reader.outcomes()}
        assert isinstance(reader.runs()[0], Run)
    assert states["base/gone"] is State.DONE
    assert states["base/a"] is State.FAILED
    assert len(states) == len(TRUTH) + 1


def test_a_reader_continues_while_a_run_converts_the_journal(path):
    with Reader(path) as reader:
        assert reader.counts() == COUNTS
        open_journal(path).close()
        assert holds_the_truth(reader)


def damage(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE objects SET state = 'done' WHERE key = 'base/failed'")
        other.commit()


@pytest.mark.parametrize("path", [1, 2], indirect=True)
def test_a_damaged_row_is_refused_before_anything_is_written(path):
    damage(path)
    before = version(path)
    with pytest.raises(JournalError, match=r"damaged: the row of 'base/failed'"):
        open_journal(path)
    with pytest.raises(JournalError, match=r"damaged: the row of 'base/failed'"):
        list(manifest_lines(path))
    assert version(path) == before


@pytest.mark.parametrize("path", [1, 2], indirect=True)
def test_when_it_is_cut_short_the_old_journal_is_still_there(path, monkeypatch):
    before, bring_up_to_date = version(path), version2.bring_up_to_date

    def cut_short(*args):
        bring_up_to_date(*args)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(version2, "bring_up_to_date", cut_short)
        with pytest.raises(Exception, match="the disk is full"):
            open_journal(path)
    assert version(path) == before
    with Reader(path) as reader:
        assert holds_the_truth(reader)
    open_journal(path).close()
    assert version(path) == VERSION
