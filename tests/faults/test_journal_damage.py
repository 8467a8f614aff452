"""Kills, full disks and damaged bytes: what the journal calls done was landed, synced and is unchanged."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from journals import done, failed, open_journal, written
from s3haul.errors import DestinationError, DestinationFullError, JournalError
from s3haul.journal import Reader, manifest_lines
from s3haul.models import State

LAST = "\U0010ffff"
CHILD = Path(__file__).with_name("journal_child.py")
SEED = 20_160_901


# --- kill -9 ---


class Killed:
    """A directory in which children work and die."""

    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "journal.sqlite3"
        (directory / "files").mkdir(parents=True)

    def start(self, count, batch, *wrapper):
        command = [*wrapper, sys.executable, str(CHILD), str(self.directory), str(count), str(batch)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, count, batch, *wrapper):
        """(return code, what was promised, the error that it named)."""
        child = self.start(count, batch, *wrapper)
        out, err = child.communicate(timeout=60)
        assert not err, err
        lines = dict(line.split() for line in out.splitlines())
        return child.returncode, int(lines.get("committed", 0)), lines.get("error")

    def synced(self):
        """How many files were synced when the last child died."""
        log = self.directory / "log"
        lines = log.read_text().rpartition("start ") if log.exists() else ("", "", "0")
        return max(int(line.split()[-1]) for line in lines[2].splitlines() or ["0"])

    def check(self, promised):
        """The journal opens, holds what was promised, and nothing that was not landed and synced."""
        with closing(open_journal(self.path)) as journal:
            known = journal.committed.known("", LAST)
        assert list(known) == [f"{n:08d}" for n in range(len(known))]
        assert promised <= len(known) <= self.synced()
        for key, row in known.items():
            assert row.state is State.DONE
            assert (self.directory / "files" / key).read_text() == key
        if known:
            assert len(list(manifest_lines(self.path))) == len(known)
        return len(known)


@pytest.fixture
def killed(tmp_path):
    return Killed(tmp_path / "killed")


def test_after_every_kill_the_journal_opens_and_only_synced_rows_are_done(killed):
    dice = random.Random(SEED)
    rows = []
    for _ in range(8):
        child = killed.start(10**9, dice.choice([1, 7, 20]))
        with child:
            lines = [child.stdout.readline() for _ in range(dice.randrange(1, 25))]
            child.kill()
            # Promises that were still in the pipe count too.
            lines += child.stdout.read().splitlines()
        assert child.returncode == -signal.SIGKILL
        rows.append(killed.check(int(lines[-1].split()[1])))
    assert rows == sorted(set(rows))


needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace to stop at a system call"
)


def at_call(tmp_path, syscall, n, effect):
    options = ["-f", "-qq", "-o", str(tmp_path / "trace"), "-e", f"trace={syscall}"]
    return ["strace", *options, "-e", f"inject={syscall}:{effect}:when={n}"]


@needs_strace
@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("syscall", ["pwrite64", "fdatasync", "ftruncate", "unlink"])
def test_a_kill_at_any_write_of_the_journal_breaks_no_promise(tmp_path, syscall, fresh):
    for n in range(1, 100):
        killed = Killed(tmp_path / f"{n}")
        if not fresh:
            assert killed.run(3, 1)[:2] == (0, 3)
        code, promised, _ = killed.run(3, 1, *at_call(tmp_path, syscall, n, "signal=KILL"))
        killed.check(max(promised, 0 if fresh else 3))
        if code == 0:
            break
        assert code in {-signal.SIGKILL, 128 + signal.SIGKILL}
    else:
        pytest.fail("the run never came to its end")
    assert n > 1, "nothing was killed"


@needs_strace
@pytest.mark.parametrize(
    ("syscall", "errno", "errors"),
    [
        ("fdatasync", "EIO", {"DestinationError"}),
        ("pwrite64", "EIO", {"DestinationError"}),
        # SQLite does not tell why its index of the log cannot grow; a disk with free space is not full.
        ("pwrite64", "ENOSPC", {"DestinationError", "DestinationFullError"}),
    ],
)
def test_an_error_of_the_disk_at_any_write_ends_the_run_with_its_name(tmp_path, syscall, errno, errors):
    named = set()
    for n in range(1, 100):
        killed = Killed(tmp_path / f"{n}")
        assert killed.run(3, 1)[:2] == (0, 3)
        code, promised, error = killed.run(3, 1, *at_call(tmp_path, syscall, n, f"error={errno}"))
        assert code == 0
        killed.check(max(promised, 3))
        if error is None and promised == 6:
            break
        named.add(error)
    else:
        pytest.fail("the run never came to its end")
    assert named == errors


# --- damaged bytes ---

KEYS = [f"prefix/{n:05d}.json" for n in range(240)]
TRUTH = {
    key: done(key, detail="x" * 60) if n % 3 else failed(key, detail="y" * 60) for n, key in enumerate(KEYS)
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Journal and log of a run that was killed: 160 rows in the file, 80 more in the log, 20 a commit."""
    directory = tmp_path_factory.mktemp("pristine")
    (directory / "open").mkdir()
    first = written(directory / "open" / "journal.sqlite3", *rows(0, 160))
    journal = open_journal(first)
    for start in range(160, 240, 20):
        for outcome in rows(start, start + 20):
            journal.record(outcome)
        journal.flush()
    for suffix in ("", "-wal"):
        shutil.copy(f"{first}{suffix}", directory / f"journal.sqlite3{suffix}")
    journal.close()
    return directory / "journal.sqlite3"


def rows(start, end):
    return [TRUTH[key] for key in KEYS[start:end]]


def read(path):
    """The keys that a new run knows, or None where it is refused. Nothing that is known may be untrue."""
    try:
        with closing(open_journal(path)) as journal:
            known = journal.committed.known("", LAST)
    except JournalError as error:
        return None if error.hint else pytest.fail("a refusal without a hint")
    for key, row in known.items():
        truth = TRUTH[key]
        assert (row.etag, row.size, row.path, row.state) == (truth.ref.etag, 9, truth.path, truth.state)
    return list(known)


def read_manifest(path):
    """The keys in the manifest, as far as it comes."""
    keys = []
    try:
        with Reader(path) as reader:
            for outcome in reader.outcomes():
                assert outcome == TRUTH[outcome.ref.key]
                keys.append(outcome.ref.key)
    except JournalError:
        pass
    return keys


class Damage:
    """Copies of the pristine files with something done to them."""

    def __init__(self, pristine, directory):
        self.contents = {suffix: Path(f"{pristine}{suffix}").read_bytes() for suffix in ("", "-wal")}
        self.path = directory / "journal.sqlite3"

    def write(self, **changed: bytes) -> Path:
        for suffix, content in {**self.contents, **changed}.items():
            Path(f"{self.path}{suffix}").write_bytes(content)
        Path(f"{self.path}-shm").unlink(missing_ok=True)
        return self.path


@pytest.fixture
def damage(pristine, tmp_path):
    return Damage(pristine, tmp_path)


def test_the_undamaged_pair_holds_everything(damage):
    assert read(damage.write()) == KEYS
    assert read_manifest(damage.path) == KEYS


def test_a_log_that_is_cut_anywhere_gives_the_commits_before_the_cut(damage):
    log = damage.contents["-wal"]
    dice = random.Random(SEED)
    lengths = {0, 1, 31, 32, 33, len(log) - 1, *range(0, len(log), 2048), *dice.sample(range(len(log)), 40)}
    found = []
    for length in sorted(lengths):
        keys = read(damage.write(**{"-wal": log[:length]}))
        assert keys == KEYS[: len(keys)]
        assert len(keys) >= 160
        assert len(keys) % 20 == 0
        found.append(len(keys))
    assert found == sorted(found)
    assert set(found) == {160, 180, 200, 220}


def test_a_flipped_byte_in_the_log_gives_the_commits_before_it(damage):
    log = damage.contents["-wal"]
    dice = random.Random(SEED)
    found = set()
    for place in [*range(0, 56, 5), *dice.sample(range(len(log)), 120)]:
        broken = bytearray(log)
        broken[place] ^= 1 << dice.randrange(8)
        keys = read(damage.write(**{"-wal": bytes(broken)}))
        if keys is not None:
            assert keys == KEYS[: len(keys)]
            assert len(keys) >= 160
            found.add(len(keys))
    assert found >= {160, 180, 200, 220}


def test_without_its_log_the_journal_has_what_was_checkpointed(damage):
    path = damage.write()
    Path(f"{path}-wal").unlink()
    assert read(path) == KEYS[:160]


def test_a_truncated_journal_is_refused_or_contains_only_true_rows(damage):
    content = damage.contents[""]
    dice = random.Random(SEED)
    refused = 0
    for length in sorted(
        {0, 1, 99, 100, 512, *range(0, len(content), 4096), *dice.sample(range(len(content)), 40)}
    ):
        for log in (b"", damage.contents["-wal"]):
            keys = read(damage.write(**{"": content[:length], "-wal": log}))
            assert length or keys in ([], None)
            refused += keys is None
            read_manifest(damage.write(**{"": content[:length], "-wal": log}))
    assert refused > 50


def test_a_flipped_byte_in_the_journal_never_makes_a_wrong_row(damage):
    content = damage.contents[""]
    dice = random.Random(SEED)
    refused = 0
    places = [*range(100), *dice.sample(range(len(content)), 300)]
    for place in places:
        broken = bytearray(content)
        broken[place] ^= 1 << dice.randrange(8)
        path = damage.write(**{"": bytes(broken), "-wal": b""})
        refused += read(path) is None
        read_manifest(damage.write(**{"": bytes(broken), "-wal": b""}))
    assert refused > 100


def test_damage_to_a_page_is_refused_before_the_run_begins(damage):
    content = bytearray(damage.contents[""])
    page = content.index(KEYS[100].encode()) // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    path = damage.write(**{"": bytes(content), "-wal": b""})
    with pytest.raises(JournalError, match="damaged"):
        open_journal(path)


def changed(damage, statement, *parameters):
    """The journal after somebody else's statement."""
    path = damage.write(**{"-wal": b""})
    with closing(sqlite3.connect(path)) as other:
        assert other.execute(statement, parameters).rowcount > 0
        other.commit()
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE objects SET detail = replace(detail, 'x', 'z') WHERE detail LIKE 'x%'",
        "UPDATE objects SET kind = 3 - kind",
        "UPDATE objects SET kind = 7",
        "UPDATE kinds SET state = 'done' WHERE state = 'failed'",
        "UPDATE kinds SET state = 'gone' WHERE state = 'done'",
        "UPDATE kinds SET reason = 'netwerk' WHERE reason = 'network'",
        "UPDATE kinds SET number = 4 - number",
        "DELETE FROM kinds",
    ],
)
def test_a_change_of_the_content_is_detected_by_the_crc_of_the_row(damage, statement):
    path = changed(damage, statement)
    assert read(path) is None
    assert len(read_manifest(path)) <= 1


def test_rows_without_their_kind_are_not_counted(damage):
    with Reader(changed(damage, "DELETE FROM kinds")) as reader, pytest.raises(JournalError, match="kind"):
        reader.counts()


def test_a_base_that_is_not_that_of_the_rows_is_noticed(damage):
    path = changed(damage, "UPDATE meta SET value = 'bose/' WHERE name = 'base'")
    assert read_manifest(path) == []


def test_a_row_moved_to_another_key_is_not_believed(damage):
    statement = "UPDATE objects SET key = 'prefix/00000.jsoo' WHERE key = ?"
    assert read(changed(damage, statement, KEYS[1])) is None


def test_after_damage_the_steps_of_the_hint_work(damage):
    path = damage.write(**{"": damage.contents[""][:5000]})
    with pytest.raises(JournalError) as caught:
        open_journal(path)
    assert "-wal" in caught.value.hint
    for file in (path, path.with_name(f"{path.name}-wal")):
        if file.exists():
            file.rename(f"{file}.old")
    assert read(path) == []


# --- disks that are full or read-only ---


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[Path]:
    """A small file system in memory, or a skip that says why there is none."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    mount = subprocess.run(command, capture_output=True, text=True, check=False)
    if mount.returncode:
        pytest.skip(f"needs the right to mount: {mount.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    if shutil.which("mount") is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a Linux mount")
    with mounted(tmp_path / "small", "size=400k") as directory:
        yield directory


def fill_until_full(journal):
    """How many rows were committed before the journal gave up for lack of space."""
    committed = 0
    try:
        for n in range(100_000):
            journal.record(done(f"{n:06d}", detail="x" * 200))
            if n % 50 == 49:
                journal.flush()
                committed = n + 1
    except DestinationFullError as error:
        full = error
    assert "free some space" in full.hint
    assert journal._writer.failure is full
    with pytest.raises(DestinationFullError):
        journal.close()
    return committed


def test_a_full_disk_under_the_journal_is_reported_at_once_and_loses_nothing(small_disk):
    path = small_disk / "journal.sqlite3"
    told = []
    journal = open_journal(path, on_error=told.append)
    journal.begin_run()
    committed = fill_until_full(journal)
    assert committed
    assert [type(error) for error in told] == [DestinationFullError]
    with Reader(path) as reader:
        assert sum(1 for _ in reader.outcomes()) >= committed
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    with closing(open_journal(path)) as journal:
        assert len(journal.committed.known("", LAST)) >= committed
        journal.record(done("z"))
        journal.flush()


@pytest.mark.parametrize("existing", [False, True])
def test_a_disk_that_is_full_from_the_start_takes_no_run(small_disk, existing):
    if existing:
        written(small_disk / "journal.sqlite3", done("a"))
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    with pytest.raises(DestinationFullError):
        open_journal(small_disk / "journal.sqlite3")


def test_a_database_that_may_not_grow_is_a_full_disk(tmp_path):
    path = tmp_path / "journal.sqlite3"
    journal = open_journal(path)
    journal.begin_run()
    journal._writer._connection.execute("PRAGMA max_page_count=40")
    committed = fill_until_full(journal)
    assert committed
    with closing(open_journal(path)) as journal:
        assert len(journal.committed.known("", LAST)) == committed


@pytest.fixture
def freezable(request, tmp_path):
    """A directory, and what makes it read-only: its mode, or a mount for root, who heeds no mode."""
    if os.geteuid():
        directory = tmp_path / "frozen"
        directory.mkdir()
        yield directory, lambda: directory.chmod(0o500)
        directory.chmod(0o700)
    else:
        directory = request.getfixturevalue("small_disk")
        yield directory, lambda: subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)


def test_a_read_only_directory_takes_no_run_and_gives_its_manifest(freezable):
    directory, freeze = freezable
    path = written(directory / "journal.sqlite3", done("a"), done("b"))
    freeze()
    for name in ("journal.sqlite3", "new.sqlite3"):
        with pytest.raises(DestinationError) as caught:
            open_journal(directory / name)
        assert not isinstance(caught.value, JournalError)
    assert len(list(manifest_lines(path))) == 2


def test_in_a_read_only_directory_a_journal_with_a_log_is_refused(freezable, pristine):
    directory, freeze = freezable
    for suffix in ("", "-wal"):
        shutil.copy(f"{pristine}{suffix}", directory / f"journal.sqlite3{suffix}")
    freeze()
    with pytest.raises(DestinationError):
        list(manifest_lines(directory / "journal.sqlite3"))
