"""The run's directory: numbers are given out once, markers are published once,
and nothing secret is in it."""

import fcntl
import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.journal_directory import JournalDirectory, remove_finished
from s3haul.cluster.plan import Attempt, ShardSize
from s3haul.cluster.planner import in_order, make_plan, new_run
from s3haul.cluster.records import (
    EXTERNAL_ID,
    VERSION,
    AttemptReport,
    Marker,
    decode_description,
    decode_marker,
    decode_report,
    encode_description,
    with_external_id,
    without_secrets,
)
from s3haul.cluster.records import encode as encode_record
from s3haul.core.stats import Stats
from s3haul.errors import DestinationError, SourceError, UsageError
from s3haul.models import ObjectRef, UnusableEntry
from s3haul.options import (
    AccessOptions,
    DestinationOptions,
    Existing,
    RoleOptions,
    SourceOptions,
    TransferOptions,
)

SECRET = "an-external-id"
ACCESS = AccessOptions(
    role=RoleOptions(role_arn="arn:aws:iam::111111111111:role/r", external_id=SECRET), external_id=SECRET
)
RUN = new_run(
    SourceOptions(bucket="b", prefix="p/"),
    DestinationOptions(root=Path("/data")),
    access=ACCESS,
    transfer=TransferOptions(filters=((False, "*/tmp"), (True, "x")), max_rps=2.5, existing=Existing.SKIP),
    endpoint="https://s3",
)


def marker(shard: int = 0, attempt: int = 1) -> Marker:
    return Marker.of(Stats(), shard=shard, attempt=attempt, node="n", audit_sha256="0", seconds=1.0)


@pytest.fixture
def directory(tmp_path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run")


async def planned(directory: RunDirectory):
    async def pages():
        refs = [ObjectRef(f"p/{number}", number, '"e"', 1.0) for number in range(7)]
        yield in_order(refs[:5], [UnusableEntry("p/1\udcff", "bytes")])
        yield in_order([*refs[5:], ObjectRef("p/x/tmp", 1, '"e"', 1.0)], [])

    return await make_plan(directory, RUN, ShardSize(objects=3), pages())


async def test_a_plan_reads_back_as_it_was_made(directory):
    run = await planned(directory)
    assert directory.describe() == run
    assert (run.objects, run.bytes, run.filtered, run.shards) == (8, 21, 1, 4)
    index = directory.read_index(run)
    assert [record.objects for record in index] == [3, 2, 2, 1]
    shards = [directory.read_shard(number, run) for number in range(run.shards)]
    assert [ref.key for shard in shards for ref in shard.refs] == [f"p/{number}" for number in range(7)]
    assert [entry.key for shard in shards for entry in shard.unusable] == ["p/1\udcff"]
    assert decode_description(encode_description(run)) == run


async def test_no_external_id_is_written_down_and_every_worker_must_have_it(directory):
    run = await planned(directory)
    for path in directory.root.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077
    with pytest.raises(UsageError, match="External ID"):
        with_external_id(run, {})
    assert with_external_id(run, {EXTERNAL_ID: SECRET}) == ACCESS
    assert with_external_id(replace(run, external_id_apart=False), {}) == run.access


def test_access_that_needs_a_person_is_refused():
    role = RoleOptions(role_arn="arn:aws:iam::111111111111:role/r", mfa_serial="arn:aws:iam::1:mfa/me")
    with pytest.raises(UsageError, match="MFA"):
        without_secrets(AccessOptions(role=role))


async def test_a_directory_with_something_in_it_is_no_place_for_a_plan(directory, tmp_path):
    with pytest.raises(UsageError, match="not empty"):
        RunDirectory.create(directory.root)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not a directory"):
        RunDirectory.create(tmp_path / "file")
    with pytest.raises(UsageError, match="no plan"):
        directory.describe()
    run = await planned(directory)
    (directory.root / "run.json").write_bytes(
        encode_description(run).replace(b'"version": %d' % VERSION, b'"version": 99')
    )
    with pytest.raises(UsageError, match="another version"):
        directory.describe()
    (directory.root / "run.json").write_text("[]")
    with pytest.raises(UsageError, match=r"run\.json"):
        directory.describe()


@pytest.mark.parametrize("name", ["plan/000001.jsonl.gz", "plan/index.jsonl", "plan/late.jsonl"])
async def test_a_file_of_the_plan_that_was_changed_is_refused(directory, name):
    run = await planned(directory)
    (directory.root / name).write_bytes(b"x" + (directory.root / name).read_bytes())
    read = directory.read_index if name.endswith("index.jsonl") else partial(directory.read_shard, 1)
    with pytest.raises(SourceError, match="damaged"):
        read(run)


def together(work, count=8):
    """What `count` threads get that begin at the same moment."""
    found, barrier = [], threading.Barrier(count)

    def one(number):
        barrier.wait()
        found.append(work(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_of_many_simultaneous_claims_each_has_its_number_and_of_many_markers_only_one_counts(directory):
    assert sorted(together(lambda _: directory.claim(3))) == [Attempt(3, number) for number in range(1, 9)]
    published = together(lambda number: directory.publish(marker(0, number + 1), b"%d" % number))
    assert published.count(True) == 1
    winner = directory.marker(0)
    assert [path.name for path in (directory.root / "audit").iterdir()] == [
        f"000000-{winner.attempt:04d}.jsonl.gz"
    ]
    assert directory.audit_path(Attempt(0, winner.attempt)).read_bytes() == b"%d" % (winner.attempt - 1)
    assert directory.done() == {0}


def test_of_several_attempts_the_last_one_is_shown(directory):
    for shard in (0, 1, 1, 2):
        directory.claim(shard)
    directory.publish(marker(2, 1), b"")
    assert [directory.is_latest(Attempt(*each)) for each in ((0, 1), (1, 1), (1, 2))] == [True, False, True]
    assert directory.latest_attempts() == {0: 1, 1: 2, 2: 1}


def test_an_unreadable_report_is_no_report_and_an_unreadable_marker_an_error(directory):
    report = AttemptReport(shard=1, attempt=2, node="n", pid=3, sequence=4)
    directory.report(report)
    assert directory.last_report(Attempt(1, 2)) == report
    assert decode_report(encode_record(report)[:-9]) is None
    assert directory.last_report(Attempt(9, 9)) is None
    assert decode_marker(encode_record(marker())) == marker()
    with pytest.raises(SourceError, match="marker"):
        decode_marker(b"{}")


def test_a_journal_directory_that_another_process_uses_is_an_error_for_the_user(tmp_path):
    in_use = JournalDirectory.take(tmp_path / "local", "run", Attempt(1, 1))
    with pytest.raises(DestinationError, match="another process uses the journal directory"):
        JournalDirectory.take(tmp_path / "local", "run", Attempt(1, 1))
    in_use.close()


def test_an_attempt_reuses_the_files_of_a_dead_one_and_does_not_touch_those_of_a_living_one(tmp_path):
    local = tmp_path / "local"
    first = JournalDirectory.take(local, "run", Attempt(1, 1))
    first.journal.write_text("rows")
    beside = JournalDirectory.take(local, "run", Attempt(1, 2))
    assert beside.name == "000001-0002"
    beside.close()
    first.close()
    (local / "run" / "000001-0002" / "lock").touch()
    other = JournalDirectory.take(local, "run", Attempt(1, 3))
    assert other.name == "000001-0002", "the latest that nobody works in"
    again = JournalDirectory.take(local, "run", Attempt(1, 4))
    assert (again.name, again.journal.read_text()) == ("000001-0001", "rows")
    assert not stat.S_IMODE(local.stat().st_mode) & 0o077

    remove_finished(local, "run", lambda shard: shard == 1)
    assert again.path.exists(), "somebody is at work there"
    again.close()
    remove_finished(local, "run", lambda _shard: False)
    assert again.path.exists()
    remove_finished(local, "run", lambda shard: shard == 1)
    assert not again.path.exists()
    other.remove()
    other.close()
    assert not (local / "run").exists()


CHECKS = """
import sys
from pathlib import Path
from s3haul.cluster.worker import disk_error
errors = [error.message for _ in range(100) if (error := disk_error(Path(sys.argv[1])))]
sys.exit(errors[0] if errors else 0)
"""


def test_processes_that_check_one_disk_at_a_time_do_not_disturb_each_other(tmp_path):
    command = [sys.executable, "-c", CHECKS, str(tmp_path / "local")]
    checks = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [check.communicate()[1] for check in checks]
    assert [check.returncode for check in checks] == [0, 0], said
    assert list((tmp_path / "local").iterdir()) == []


def test_a_process_that_is_stopped_while_it_has_the_lock_does_not_stop_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr("s3haul.cluster.journal_directory.LONGEST_WAIT", 0.01)
    (tmp_path / "local").mkdir(mode=0o700)
    fd = os.open(tmp_path / "local", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    journal_directory = JournalDirectory.take(tmp_path / "local", "run", Attempt(0, 1))
    journal_directory.remove()
    journal_directory.close()
    os.close(fd)
    assert list((tmp_path / "local").iterdir()) == []


def test_a_journal_directory_that_somebody_prepared_is_refused(tmp_path):
    trap = tmp_path / "elsewhere"
    trap.mkdir()
    (tmp_path / "local").symlink_to(trap)
    with pytest.raises(DestinationError):
        JournalDirectory.take(tmp_path / "local", "run", Attempt(0, 1))


def test_one_driver_holds_the_run(directory):
    with directory.driving():
        fd = os.open(directory.root / "lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(fd)
        with pytest.raises(DestinationError, match="another run"), directory.driving():
            pass
    with directory.driving():
        pass
