"""What a report says is what the journal holds."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from report.destinations import DENIED, HOSTILE, KMS_KEY, STARTED, destination, mixed, outcome, performance
from s3haul.errors import JournalError
from s3haul.journal import Reader
from s3haul.journal.performance import Performance
from s3haul.journal.survey import SIZE_CLASSES
from s3haul.models import State
from s3haul.report import content
from s3haul.report.content import Amount, gather
from s3haul.report.text import headline

OLD = Path(__file__).parents[1] / "unit"


@pytest.fixture
def report(tmp_path):
    return gather(
        destination(tmp_path, mixed(), performance=performance(), code=1),
        under_way=False,
        clock=lambda: STARTED,
    )


def test_every_listed_object_is_in_exactly_one_state_verdict_size_and_key(report):
    outcomes = mixed()
    for state in State:
        sizes = [each.ref.size for each in outcomes if each.state is state]
        assert report.states[state] == Amount(len(sizes), sum(sizes))
    everything = Amount(len(outcomes), sum(each.ref.size for each in outcomes))
    for shares in (report.sizes, report.keys, report.storage):
        amounts = [share.amount for share in shares]
        assert Amount(*map(sum, zip(*amounts, strict=True))) == everything == report.all
    assert sum(share.amount.objects for share in report.verdicts) == report.states["done"].objects


def test_verdicts_name_the_algorithm_and_whether_parts_were_checked(report):
    verdicts = {share.name: share.amount.objects for share in report.verdicts}
    assert verdicts == {
        "CRC64NVME of the whole object": 200 + len(HOSTILE),
        "SHA256 part by part": 5,
        "by size alone (no-checksum)": 1,
    }


def test_causes_come_with_their_fix_failures_and_the_frequent_first(report):
    assert [(cause.state, cause.reason, cause.amount.objects) for cause in report.causes] == [
        ("failed", "kms-access-denied", 30),
        ("failed", "network", len(HOSTILE)),
        ("skipped", "archived", 3),
    ]
    denied = report.causes[0]
    assert (denied.id, denied.who, denied.detail) == ("S3H-KMS-01", "data owner", DENIED)
    assert "kms:Decrypt" in denied.fix
    assert (denied.rows[0].key, denied.rows[0].attempts) == ("secret/000", 2)


def test_keys_storage_classes_and_encoded_names(report):
    keys = {(key.kms_key_id, key.encryption): (key.amount.objects, key.failed) for key in report.keys}
    assert keys == {
        (KMS_KEY, "aws:kms"): (205 + len(HOSTILE), 0),
        ("", "AES256"): (1, 0),
        ("", ""): (33 + len(HOSTILE), 30 + len(HOSTILE)),
    }
    assert {share.name: share.amount.objects for share in report.storage}["GLACIER"] == 3
    assert report.encoded == len(HOSTILE)
    assert {row.key: row.path for row in report.encoded_rows} == {
        f"odd/{key}/..": f"odd/{key}/~s3haul~=%2E%2E" for key in HOSTILE
    }


def test_sizes_are_counted_up_to_the_largest_class_that_occurs(tmp_path):
    sizes = [0, 1, 1023, 1024, SIZE_CLASSES[-1] - 1, SIZE_CLASSES[-1]]
    root = destination(tmp_path, [outcome(f"k{size}", size) for size in sizes])
    found = [(share.name, share.amount.objects) for share in gather(root, under_way=False).sizes]
    assert found[:3] == [("empty", 1), ("below 1 KiB", 2), ("below 4 KiB", 1)]
    assert found[-2:] == [("below 16 GiB", 1), ("16 GiB or more", 1)]


def test_rows_are_bounded_and_every_cause_has_some(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "ROWS", 20)
    monkeypatch.setattr(content, "LEAST_ROWS", 5)
    outcomes = [outcome(f"f{number:03}", 1, State.FAILED, "network") for number in range(100)]
    outcomes += [outcome("g", 1, State.FAILED, "stalled")]
    causes = gather(destination(tmp_path, outcomes), under_way=False).causes
    assert [(cause.reason, cause.amount.objects, len(cause.rows)) for cause in causes] == [
        ("network", 100, 10),
        ("stalled", 1, 1),
    ]


def test_the_course_is_that_of_the_run_that_received_most(tmp_path):
    root = destination(tmp_path, mixed(), performance=performance())
    destination(root, [], performance=Performance(samples=performance().samples[:2]))
    report = gather(root, under_way=False)
    assert (report.performance_run.number, report.performance, len(report.runs)) == (1, performance(), 2)


@pytest.mark.parametrize(
    ("outcomes", "options", "under_way", "badge"),
    [
        ([outcome("a", 1)], {}, False, "Complete"),
        ([outcome("a", 1)], {"ended": False}, False, "Unfinished"),
        ([outcome("a", 1)], {"ended": False}, True, "Under way"),
        ([outcome("a", 1), outcome("b", 1, State.SKIPPED, "archived")], {}, False, "Incomplete"),
        ([outcome("b", 1, State.FAILED, "network")], {}, False, "Incomplete"),
        ([outcome("a", 1), outcome("b", 1, State.VANISHED, "vanished")], {}, False, "Incomplete"),
        ([], {}, False, "Empty"),
    ],
)
def test_the_headline_says_only_what_the_journal_contains(tmp_path, outcomes, options, under_way, badge):
    report = gather(destination(tmp_path, outcomes, **options), under_way=under_way)
    assert headline(report).badge == badge


def test_objects_that_were_checked_only_by_size_are_in_the_headline(tmp_path):
    done = [each for each in mixed() if each.state is State.DONE]
    sentence = headline(gather(destination(tmp_path, done), under_way=False)).sentence
    assert f"The bytes of {len(done) - 1} match" in sentence
    assert "1 could be checked by size alone" in sentence


@pytest.mark.parametrize("version", [2, 3])
def test_journals_of_earlier_versions_are_reported_on(tmp_path, version):
    path = tmp_path / ".s3haul/journal.sqlite3"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.executescript((OLD / f"journal_version_{version}.sql").read_text(encoding="utf-8"))
    report = gather(tmp_path, under_way=False)
    with Reader(path) as reader:
        assert report.all.objects == sum(count.objects for count in reader.counts()) == 8
    assert [(cause.state, cause.reason) for cause in report.causes] == [
        ("failed", "access-denied"),
        ("skipped", "archived"),
    ]
    assert [(row.key, row.path) for row in report.encoded_rows] == [("base/shadow", "~s3haul~@shadow")]
    assert (report.performance_run, report.performance) == (None, Performance())


def test_where_nothing_was_copied_there_is_no_report(tmp_path):
    with pytest.raises(JournalError):
        gather(tmp_path, under_way=False)
