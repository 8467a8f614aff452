"""Offline verification: every kind of damage to downloaded files is found and named, and nothing else."""

import os
import threading
from contextlib import ExitStack
from itertools import accumulate, pairwise

import pytest

from journals import done, failed, written
from s3haul.audit import BLOCK, AuditCounts, audit
from s3haul.core.checksums import new_hasher, text_of
from s3haul.core.keypath import safe_path
from s3haul.disk import Destination
from s3haul.errors import JournalError
from s3haul.journal import Reader
from s3haul.models import Checksum, Verdict

BODY = b"the quick brown fox jumps over the lazy dog"


def digest(algorithm, body):
    hasher = new_hasher(algorithm)
    hasher.update(body)
    return hasher.digest()


def full(algorithm="CRC64NVME", body=BODY):
    return Checksum(algorithm, "FULL_OBJECT", text_of(digest(algorithm, body)))


def composite(sizes, algorithm="CRC32", body=BODY):
    edges = [0, *accumulate(sizes)]
    parts = [body[start:end] for start, end in pairwise(edges)]
    value = text_of(digest(algorithm, b"".join(digest(algorithm, part) for part in parts)))
    return Checksum(algorithm, "COMPOSITE", f"{value}-{len(sizes)}")


class Tree:
    """A destination with its journal, as after `cp`."""

    def __init__(self, root):
        self.root = root
        self.outcomes = []
        self.progress = []

    def add(self, name, body=BODY, key=None, **fields):
        """Add a file for the object `base/NAME`."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        given = {"path": name, "checksum": full(body=body), **fields}
        self.outcomes.append(done(key or f"base/{name}", len(body), **given))
        return file

    def audit(self, **options):
        """Returns the counts, and the findings as key -> problem."""
        findings = []
        with ExitStack() as stack:
            destination = stack.enter_context(Destination.open(self.root))
            path = written(destination.state_path / "journal.sqlite3", *self.outcomes)
            reader = stack.enter_context(Reader(path))
            counts = audit(
                reader,
                destination,
                checked=findings.append,
                progress=self.note_progress,
                **options,
            )
        self.findings = [finding for finding in findings if finding.problem]
        return counts, {finding.key: finding.problem for finding in self.findings}

    def note_progress(self, counts):
        self.progress.append((counts.verified, counts.bytes))


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "dest")


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1", "SHA512", "MD5"])
def test_a_whole_file_is_verified_by_any_full_object_checksum(tree, algorithm):
    file = tree.add("a", checksum=full(algorithm))
    assert tree.audit() == (AuditCounts(verified=1, bytes=len(BODY)), {})
    file.write_bytes(BODY[:-1] + b"G")
    counts, problems = tree.audit()
    assert (counts.damaged, problems) == (1, {"base/a": "wrong-checksum"})


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_a_composite_file_is_verified_by_its_part_sizes(tree, algorithm):
    file = tree.add("a", checksum=composite((20, 20, 3), algorithm), part_sizes=(20, 20, 3))
    assert tree.audit() == (AuditCounts(verified=1, bytes=len(BODY)), {})
    file.write_bytes(b"T" + BODY[1:])
    assert tree.audit()[1] == {"base/a": "wrong-checksum"}


def test_a_file_without_stored_checksum_is_compared_with_what_was_received(tree):
    received = text_of(digest("CRC64NVME", BODY))
    file = tree.add("a", checksum=None, verdict=Verdict.SIZE_ONLY, computed=received)
    assert tree.audit() == (AuditCounts(as_received=1, bytes=len(BODY)), {})
    file.write_bytes(BODY.upper())
    assert tree.audit()[1] == {"base/a": "wrong-checksum"}


@pytest.mark.parametrize(
    "fields",
    [
        {"checksum": None, "verdict": Verdict.SIZE_ONLY},
        {"checksum": composite((20, 23)), "part_sizes": ()},
        {"checksum": composite((20, 23)), "part_sizes": (20, 22)},
        {"checksum": Checksum("XXHASH256", "FULL_OBJECT", "AAAAAAAAAAA=")},
        {"checksum": None, "computed": "not base64"},
    ],
)
def test_a_file_with_a_known_size_only_is_reported_as_size_only(tree, fields):
    file = tree.add("a", **fields)
    counts, problems = tree.audit()
    assert counts == AuditCounts(size_only=1)
    assert problems == {"base/a": "size-only"}
    file.write_bytes(BODY + b"!")
    assert tree.audit()[1] == {"base/a": "wrong-size"}


def test_one_flipped_bit_among_many_files_is_found(tree):
    files = [tree.add(f"{n:03d}", BODY * n) for n in range(1, 101)]
    damaged = bytearray(files[41].read_bytes())
    damaged[1000] ^= 4
    files[41].write_bytes(damaged)
    counts, problems = tree.audit()
    assert problems == {"base/042": "wrong-checksum"}
    assert counts == AuditCounts(verified=99, damaged=1, bytes=len(BODY) * 5050)
    assert str(tree.findings[0].detail).startswith("the CRC64NVME of the file is ")


def truncate(file):
    os.truncate(file, 5)


def replace_by(make):
    def replace(file):
        file.unlink()
        make(file)

    return replace


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (os.unlink, "missing"),
        (truncate, "wrong-size"),
        (replace_by(os.mkdir), "not-a-regular-file"),
        (replace_by(os.mkfifo), "not-a-regular-file"),
        (replace_by(lambda file: file.symlink_to("b")), "not-a-regular-file"),
    ],
)
def test_the_kind_of_damage_is_reported(tree, damage, problem):
    file = tree.add("a")
    tree.add("b")
    damage(file)
    counts, problems = tree.audit()
    assert problems == {"base/a": problem}
    assert counts == AuditCounts(verified=1, damaged=1, bytes=len(BODY))


def test_no_file_is_read_through_a_link_in_place_of_a_directory(tree, tmp_path):
    file = tree.add("d/a")
    file.parent.rename(tmp_path / "moved")
    file.parent.symlink_to(tmp_path / "moved")
    assert tree.audit()[1] == {"base/d/a": "missing"}


def test_directories_of_folder_markers_must_exist(tree):
    for name in ("d", "gone", "file"):
        tree.add(name, b"", key=f"base/{name}/", checksum=None)
        (tree.root / name).unlink()
    (tree.root / "d").mkdir()
    (tree.root / "file").touch()
    tree.outcomes.append(done("base/", 0, path="", checksum=None))
    counts, problems = tree.audit()
    assert problems == {"base/file/": "not-a-regular-file", "base/gone/": "missing"}
    assert counts == AuditCounts(directories=2, damaged=2)


@pytest.mark.parametrize(
    "key", ["base/../x", "base//a", "base/a/.", "base/.s3haul/x", "base/n\0l", "base/" + "é" * 300]
)
@pytest.mark.parametrize("shadowed", [False, True])
def test_encoded_names_are_the_keys_own(tree, key, shadowed):
    path = str(safe_path(key, base="base/", shadowed=shadowed))
    tree.add(path, key=key)
    assert tree.audit() == (AuditCounts(verified=1, bytes=len(BODY)), {})


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "d/../a", "d//a", "d/other", ".s3haul/lock", "", None]
)
def test_a_path_that_the_key_cannot_have_is_not_touched(tree, path):
    tree.add("d/a", key="base/d/b")
    tree.outcomes[-1] = done("base/d/b", len(BODY), path=path, checksum=full())
    assert tree.audit()[1] == {"base/d/b": "wrong-path"}


def test_a_single_object_may_have_a_name_of_the_users_choice(tree):
    tree.add("chosen.bin", key="base/deep/name")
    assert tree.audit() == (AuditCounts(verified=1, bytes=len(BODY)), {})


def test_objects_that_are_not_done_are_counted_but_not_searched_for(tree):
    tree.outcomes += [failed("base/a"), failed("base/b")]
    assert tree.audit() == (AuditCounts(not_done=2), {})


def test_files_that_are_not_in_the_journal_are_ignored(tree):
    tree.add("a")
    (tree.root / "mine.txt").write_text("mine")
    assert tree.audit()[1] == {}


def test_findings_come_in_key_order(tree):
    for n in range(500):
        tree.add(f"{n:03d}").unlink()
    tree.audit()
    assert [finding.key for finding in tree.findings] == [f"base/{n:03d}" for n in range(500)]


def test_progress_grows_and_ends_with_everything(tree):
    for n in range(200):
        tree.add(f"{n:03d}")
    tree.audit()
    assert len(tree.progress) > 3
    assert tree.progress == sorted(tree.progress)
    assert tree.progress[-1] == (200, 200 * len(BODY))


def test_progress_is_reported_while_a_large_file_is_read(tree, monkeypatch):
    heard, read = threading.Event(), os.read

    def read_on_when_heard(fd, n):
        if os.lseek(fd, 0, os.SEEK_CUR) == BLOCK:
            assert heard.wait(30)
        return read(fd, n)

    def note_progress(counts):
        if counts.bytes == BLOCK:
            heard.set()

    monkeypatch.setattr("s3haul.audit.TICK", 0.001)
    monkeypatch.setattr("s3haul.audit.os.read", read_on_when_heard)
    tree.note_progress = note_progress
    tree.add("a", bytes(2 * BLOCK))
    assert tree.audit() == (AuditCounts(verified=1, bytes=2 * BLOCK), {})
    assert heard.is_set()


def test_an_unreadable_block_is_a_finding_and_the_audit_continues(tree, monkeypatch):
    first, _ = tree.add("a"), tree.add("b")
    inode, read = first.stat().st_ino, os.read

    def failing(fd, n):
        if os.fstat(fd).st_ino == inode:
            raise OSError(5, "Input/output error")
        return read(fd, n)

    monkeypatch.setattr("s3haul.audit.os.read", failing)
    counts, problems = tree.audit()
    assert problems == {"base/a": "unreadable"}
    assert counts == AuditCounts(verified=1, damaged=1, bytes=len(BODY))


def test_a_damaged_journal_ends_the_audit(tree):
    tree.add("a")
    tree.audit()
    path = tree.root / ".s3haul" / "journal.sqlite3"
    path.write_bytes(path.read_bytes().replace(b"FULL_OBJECT", b"FULL_0BJECT"))
    with Destination.open(tree.root) as destination, Reader(path) as reader, pytest.raises(JournalError):
        audit(reader, destination, checked=print)
