"""The lines of the manifest: their content and order, and that a key cannot fake a line."""

import json
from contextlib import closing

import pytest

from journals import CRC, done, failed, open_journal, ref, written
from s3haul.errors import JournalError
from s3haul.journal import manifest_lines
from s3haul.models import Checksum, Outcome, State, Verdict


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite3"


def entries(path):
    return [json.loads(line) for line in manifest_lines(path)]


def test_a_verified_object_has_a_complete_line(path):
    more = {"content_type": "text/csv", "user_metadata": '{"owner": "\\u00e9"}'}
    written(path, done("a/b", 9, kms_key_id="arn:key", version_id="v1", attempts=3, fetched=27, **more))
    assert entries(path) == [
        {
            "key": "a/b",
            "version_id": "v1",
            "etag": '"26f216"',
            "size": 9,
            "last_modified": "2023-11-14T22:13:20.500Z",
            "path": "a/b",
            "state": "done",
            "reason": None,
            "verdict": "verified",
            "checksum": {"algorithm": "CRC64NVME", "type": "FULL_OBJECT", "value": CRC.value},
            "sse": "aws:kms",
            "kms_key_id": "arn:key",
            "storage_class": "STANDARD",
            "content_type": "text/csv",
            "user_metadata": {"owner": "é"},
        }
    ]


def test_the_part_sizes_of_a_composite_object_are_run_length_encoded(path):
    checksum = Checksum("CRC32", "COMPOSITE", "AAAAAA==-3")
    written(path, done("a", 25, checksum=checksum, part_sizes=(10, 10, 5)))
    (entry,) = entries(path)
    assert entry["checksum"]["type"] == "COMPOSITE"
    assert entry["part_sizes"] == [[10, 2], [5, 1]]


def test_an_object_without_stored_checksum_has_the_computed_one(path):
    written(path, done("a", checksum=None, verdict=Verdict.SIZE_ONLY, computed="AAAAAAAAAAA=", sse=""))
    (entry,) = entries(path)
    assert (entry["verdict"], entry["checksum"], entry["computed"]) == ("size-only", None, "AAAAAAAAAAA=")
    assert (entry["sse"], entry["kms_key_id"]) == (None, None)


def test_skipped_and_failed_objects_have_a_reason(path):
    archived = Outcome(ref("b", 1), State.SKIPPED, reason="archived")
    written(path, failed("a", "access-denied", detail="AccessDenied: no"), archived)
    first, second = entries(path)
    assert (first["state"], first["reason"], first["detail"]) == (
        "failed",
        "access-denied",
        "AccessDenied: no",
    )
    assert (second["state"], second["reason"], second["path"]) == ("skipped", "archived", None)
    assert "detail" not in second


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (1_700_000_000.0, "2023-11-14T22:13:20Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
        (0.0, None),
        (-1.0, None),
        (253402300799.0, "9999-12-31T23:59:59Z"),
        (253402300800.0, None),
        (1e300, None),
    ],
)
def test_times_are_utc_and_null_if_unknown(path, seconds, shown):
    written(path, Outcome(ref("a", 1)._replace(last_modified=seconds), State.DONE))
    assert entries(path)[0]["last_modified"] == shown


def test_lines_come_in_key_order_one_per_key(path):
    keys = [f"{n:05d}" for n in range(1234)]
    written(path, *map(done, reversed(keys)))
    assert [entry["key"] for entry in entries(path)] == keys


def test_a_key_cannot_fake_a_line_or_control_the_terminal(path):
    keys = ['x"}\n{"key": "forged"', "\x1b[2J", "\u202egnp.exe", "\u2028", "\x7f\x9b", "é😀", "a\0b"]
    written(path, *(done(key, path="p", detail=key) for key in keys))
    lines = list(manifest_lines(path))
    assert {json.loads(line)["key"] for line in lines} == set(keys)
    assert all(line.isascii() and (line.replace("\x7f", "")).isprintable() for line in lines)


def test_the_manifest_can_be_read_during_a_run_and_after_a_kill(path):
    with closing(open_journal(path)) as journal:
        journal.record(done("a"))
        journal.flush()
        journal.record(done("b"))
        assert [entry["key"] for entry in entries(path)] == ["a"]
    assert [entry["key"] for entry in entries(path)] == ["a", "b"]


def test_without_a_journal_there_is_no_manifest(path):
    with pytest.raises(JournalError, match="no journal"):
        list(manifest_lines(path))
