"""Normal use of `disk`: files are complete, with the right name, mode and time.

Faults are in test_disk_faults.py.
"""

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3haul.core.keypath import safe_path
from s3haul.disk import Destination, ObjectPathError
from s3haul.disk.tree import LIMIT, Directories
from s3haul.errors import DestinationError, DestinationLockedError
from s3haul.models import SafePath

WHEN = 1_700_000_000.25


def open_files():
    return len(list(Path("/dev/fd").iterdir()))


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def destination(root):
    before = open_files()
    with Destination.open(root) as opened:
        yield opened
        assert list((root / ".s3haul" / "tmp").iterdir()) == []
    assert open_files() == before


def test_the_root_is_made_with_its_parents_and_our_state_is_private(tmp_path):
    root = tmp_path / "new" / "deep"
    with umask(0), Destination.open(root) as destination:
        assert destination.state_path == root / ".s3haul"
        assert [mode(path) for path in (root, root / ".s3haul", root / ".s3haul/tmp")] == [
            0o777,
            0o700,
            0o700,
        ]


def test_a_relative_root_is_kept_when_the_working_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Destination.open(Path("root")) as destination:
        monkeypatch.chdir("/")
        destination.check_alive()
        assert destination.root == tmp_path / "root"


def test_the_root_itself_may_be_a_symlink(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    with Destination.open(tmp_path / "root") as destination:
        destination.write_file(safe_path("a"), b"x", WHEN)
        destination.check_alive()
    assert (tmp_path / "real" / "a").read_bytes() == b"x"


def test_a_state_directory_that_others_could_read_is_closed_to_them(root):
    (root / ".s3haul").mkdir(parents=True, mode=0o700)
    (root / ".s3haul").chmod(0o2755)
    Destination.open(root).close()
    assert mode(root / ".s3haul") == 0o2700


def test_the_file_system_root_is_refused():
    with pytest.raises(DestinationError, match="is /") as caught:
        Destination.open(Path("/"))
    assert "--force" in caught.value.hint
    assert caught.value.exit_code == 5
    assert not Path("/.s3haul").exists()


def test_the_home_directory_is_refused_by_any_name_unless_forced(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "alias").symlink_to(home)
    monkeypatch.setenv("HOME", str(home))
    for name in (home, tmp_path / "alias", home / ".." / "home"):
        with pytest.raises(DestinationError, match="home directory"):
            Destination.open(name)
    assert list(home.iterdir()) == []
    Destination.open(home, force=True).close()
    Destination.open(home / "below").close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize("given", ["", ".s3haul", ".s3haul/tmp"])
def test_a_directory_of_another_user_is_refused_unless_forced(root, given):
    (root / ".s3haul" / "tmp").mkdir(parents=True)
    os.chown(root / given, 12345, -1)
    before = open_files()
    with pytest.raises(DestinationError, match="belongs to uid 12345"):
        Destination.open(root)
    assert open_files() == before
    Destination.open(root, force=True).close()


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_a_root_that_is_not_a_directory_is_refused(root, make):
    make(root)
    for path in (root, root / "below"):
        with pytest.raises(DestinationError):
            Destination.open(path)


def test_a_planted_state_directory_is_refused(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    root.mkdir()
    (root / ".s3haul").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DestinationError, match=r"\.s3haul"):
        Destination.open(root)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_second_process_is_refused_with_the_holder_of_the_lock(root, destination):
    destination.lock()
    code = "import sys; from pathlib import Path; from s3haul.disk import Destination\n"
    code += "with Destination.open(Path(sys.argv[1])) as d: d.lock()"
    other = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=False)
    assert "DestinationLockedError" in other.stderr
    assert f"process {os.getpid()} on {os.uname().nodename}" in other.stderr


def test_the_lock_ends_with_its_process_however_that_ends(root):
    code = "import sys; from pathlib import Path; from s3haul.disk import Destination\n"
    code += "d = Destination.open(Path(sys.argv[1])); d.lock(); print('locked', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, root]
    with (
        Destination.open(root) as destination,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder,
    ):
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(DestinationLockedError, match=f"process {holder.pid} on"):
            destination.lock()
        holder.kill()
        holder.wait()
        destination.lock()


def test_the_lock_ends_with_close(root):
    with Destination.open(root) as first:
        first.lock()
    with Destination.open(root) as second:
        second.lock()


def test_leftovers_of_earlier_runs_are_removed(root, destination):
    for name in ("one", "two"):
        (root / ".s3haul" / "tmp" / name).touch()
    assert destination.clear_temporary() == 2
    assert destination.clear_temporary() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"whole",
        bytearray(b"array"),
        memoryview(b"view"),
        [],
        [b"a", memoryview(b"bc"), b""],
        [b"%d," % n for n in range(3000)],
        [bytes(100_000)] * 30,
    ],
)
def test_a_small_file_lands_whole_with_its_time(root, destination, body):
    destination.write_file(safe_path("data/x.bin"), body, WHEN)
    assert (root / "data/x.bin").read_bytes() == (b"".join(body) if isinstance(body, list) else bytes(body))
    assert (root / "data/x.bin").stat().st_mtime == WHEN


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_modes_come_from_the_umask_alone(root, mask):
    with umask(mask), Destination.open(root) as destination:
        destination.write_file(safe_path("d/file"), b"x", WHEN)
        temporary = destination.create_temporary(0)
        assert (
            mode(root / ".s3haul" / "tmp") == 0o700
        )  # no other user can enter the directory of temporary files
        destination.publish(temporary, safe_path("d/large"), WHEN)
        destination.make_directory(safe_path("e/", directory=True))
    assert mode(root / "d/file") == mode(root / "d/large") == 0o666 & ~mask
    assert mode(root / "d") == mode(root / "e") == 0o777 & ~mask


@pytest.mark.parametrize(
    ("mtime", "stored"),
    [
        (-1.0, 0),
        (-1e300, 0),
        (float("nan"), 0),
        (float("-inf"), 0),
        (0.0, 0),
        (4_102_444_800.0, 4_102_444_800),
    ],
)
def test_a_time_out_of_range_is_ignored(root, destination, mtime, stored):
    destination.write_file(safe_path("x"), b"x", mtime)
    assert (root / "x").stat().st_mtime == stored


@pytest.mark.parametrize("mtime", [1e11, 1e20, 1e300, float("inf")])
def test_an_impossible_date_is_ignored(root, destination, mtime):
    destination.write_file(safe_path("x"), b"x", mtime)
    assert (root / "x").stat().st_mtime > WHEN


def test_a_regular_file_is_replaced_and_its_other_names_are_not_written_to(root, destination):
    root.joinpath("x").write_bytes(b"old")
    os.link(root / "x", root / "kept")
    destination.write_file(safe_path("x"), b"new", WHEN)
    assert (root / "x").read_bytes() == b"new"
    assert (root / "kept").read_bytes() == b"old"


def test_a_large_file_is_written_by_the_caller_and_published(root, destination):
    temporary = destination.create_temporary(6)
    os.pwrite(temporary.fd, b"def", 3)
    os.pwrite(temporary.fd, b"abc", 0)
    destination.publish(temporary, safe_path("d/x"), WHEN)
    destination.discard(temporary)
    assert (root / "d/x").read_bytes() == b"abcdef"
    assert (root / "d/x").stat().st_mtime == WHEN


def test_a_file_that_was_set_aside_can_be_continued(root, destination):
    temporary = destination.create_temporary(6)
    name = temporary.name
    destination.write(temporary, b"def", 3)
    destination.set_aside(temporary)
    (root / ".s3haul" / "tmp" / "other").touch()
    assert destination.clear_temporary(kept={name}) == 1
    again = destination.reopen_temporary(name, 6)
    assert destination.read(again, 10, 3) == b"def"
    destination.write(again, memoryview(b"abc"), 0)
    destination.publish(again, safe_path("x"), WHEN)
    assert (root / "x").read_bytes() == b"abcdef"
    assert destination.reopen_temporary(name, 6) is None
    assert destination.temporary_space(name) == 0


@pytest.mark.parametrize("name", ["", "..", "../../x", "/etc/passwd", "x", "0123456g-1", "01234567-1/x"])
def test_only_our_own_names_are_reopened(root, destination, name):
    (root / "x").write_bytes(b"x")
    assert destination.reopen_temporary(name, 100) is None
    destination.remove_temporary(name)
    assert (root / "x").exists()
    assert destination.temporary_space(name) == 0


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "too long"])
def test_a_file_that_is_not_ours_is_not_reopened(root, destination, kind):
    place, other = root / ".s3haul" / "tmp" / "01234567-1", root / "other"
    other.write_bytes(b"content")
    match kind:
        case "link":
            place.symlink_to(other)
        case "hard link":
            os.link(other, place)
        case "pipe":
            os.mkfifo(place)
        case _:
            place.write_bytes(b"1234567")
    assert destination.reopen_temporary("01234567-1", 6) is None
    place.unlink()
    assert other.read_bytes() == b"content"


@pytest.mark.parametrize("written", [0, 5, 7])
def test_a_file_of_the_wrong_length_is_not_published(root, destination, written):
    temporary = destination.create_temporary(6)
    os.write(temporary.fd, bytes(written))
    with pytest.raises(ObjectPathError) as caught:
        destination.publish(temporary, safe_path("x"), WHEN)
    assert caught.value.reason == "wrong-size"
    assert not (root / "x").exists()
    destination.discard(temporary)
    destination.discard(temporary)


def test_creating_a_directory_twice_is_allowed(root, destination):
    marker = safe_path("a/b/", directory=True)
    destination.make_directory(marker)
    destination.make_directory(marker)
    destination.make_directory(SafePath((), directory=True))
    assert (root / "a/b").is_dir()


def test_stat_returns_what_is_at_a_path_without_following_links(root, destination):
    destination.write_file(safe_path("d/file"), b"12345", WHEN)
    (root / "link").symlink_to("d")
    assert destination.stat(safe_path("d/file")) == (5, WHEN, True, False)
    assert destination.stat(safe_path("d/", directory=True))[2:] == (False, True)
    assert destination.stat(SafePath((), directory=True))[2:] == (False, True)
    assert destination.stat(safe_path("link"))[2:] == (False, False)
    for absent in ("no", "no/such", "d/file/below", "link/file"):
        assert destination.stat(safe_path(absent)) is None


def test_a_directory_that_does_not_exist_is_not_tried_again(root, destination):
    absent = set()
    assert destination.stat(safe_path("d/e/one"), absent) is None
    assert destination.stat(safe_path("file"), absent) is None
    assert absent == {("d", "e")}
    destination.write_file(safe_path("d/e/two"), b"12345", WHEN)
    assert destination.stat(safe_path("d/e/two"), absent) is None
    assert destination.stat(safe_path("d/e/two"), set()) == (5, WHEN, True, False)


def test_a_file_is_opened_for_reading(destination):
    destination.write_file(safe_path("d/file"), b"12345", WHEN)
    with os.fdopen(destination.open_read(safe_path("d/file")), "rb") as file:
        assert file.read() == b"12345"


def test_a_file_is_renamed_when_its_key_becomes_shadowed(root, destination):
    plain, shadowed = safe_path("d/a"), safe_path("d/a", shadowed=True)
    destination.write_file(plain, b"x", WHEN)
    assert destination.relocate(plain, shadowed)
    assert not destination.relocate(plain, shadowed)
    destination.write_file(safe_path("d/a/b"), b"y", WHEN)
    assert destination.stat(shadowed) == (1, WHEN, True, False)
    assert (root / "d/a/b").read_bytes() == b"y"


def test_nothing_is_renamed_if_there_is_no_file(destination):
    destination.make_directory(safe_path("d/", directory=True))
    for key in ("d", "no/such"):
        assert not destination.relocate(safe_path(key), safe_path("new"))
    assert destination.stat(safe_path("new")) is None


@pytest.mark.parametrize(
    "parts",
    [
        ("..", "x"),
        ("x", ".."),
        (".",),
        ("",),
        ("a/b",),
        ("a", "b/../.."),
        ("a\0",),
        (".s3haul", "x"),
        (".S3HAUL",),
    ],
)
def test_a_path_that_keypath_never_makes_is_refused(destination, tmp_path, parts):
    before = sorted(tmp_path.rglob("*"))
    for work in (
        lambda path: destination.write_file(path, b"x", WHEN),
        destination.stat,
        destination.open_read,
        destination.make_directory,
        lambda path: destination.relocate(path, safe_path("new")),
    ):
        with pytest.raises((ValueError, ObjectPathError)):
            work(SafePath(parts))
    assert {path for path in sorted(tmp_path.rglob("*")) if path not in before} <= {
        tmp_path / "root" / parts[0]
    }


def test_the_path_of_a_directory_is_refused_for_a_file(destination):
    for path in (SafePath(()), SafePath(("d",), directory=True)):
        with pytest.raises(ValueError, match="directory"):
            destination.write_file(path, b"x", WHEN)


def test_names_are_utf_8_whatever_the_locale(root):
    code = "import sys; from pathlib import Path; from s3haul.disk import Destination\n"
    code += "from s3haul.core.keypath import safe_path\n"
    code += (
        "with Destination.open(Path(sys.argv[1])) as d: d.write_file(safe_path('\\u65e5/\\xe9'), b'x', 0.0)\n"
    )
    code += "print(sys.getfilesystemencoding())"
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, root], env=os.environ | plain, capture_output=True, check=True
    )
    assert done.stdout != b"utf-8\n"
    assert os.listdir(os.fsencode(root / "日")) == ["é".encode()]  # noqa: PTH208 - bytes, as stored


def test_a_path_longer_than_any_path_name_may_be_is_stored(root, destination):
    path = safe_path("/" * 1000 + "x")
    assert len(str(path)) > 4096
    destination.write_file(path, b"deep", WHEN)
    assert destination.stat(path).size == 4
    destination.close()
    subprocess.run(["rm", "-rf", root], check=True)
    root.joinpath(".s3haul/tmp").mkdir(parents=True)


def test_few_directories_stay_open_even_if_there_are_many(destination):
    before = open_files()
    for number in range(3 * LIMIT):
        destination.write_file(safe_path(f"d{number}/x"), b"", WHEN)
    assert open_files() - before <= LIMIT


def test_a_directory_in_use_stays_open_when_it_is_no_longer_kept(tmp_path):
    root_fd = os.open(tmp_path, os.O_RDONLY)
    directories = Directories(root_fd, limit=2)
    used = directories.acquire(("used",), create=True)
    for name in "abc":
        directories.release(directories.acquire((name,), create=True))
    assert os.path.samestat(os.fstat(used.fd), (tmp_path / "used").stat())
    directories.release(used)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(used.fd)
    directories.forget()
    os.close(root_fd)


def test_the_directory_used_longest_ago_is_closed_first(tmp_path):
    root_fd = os.open(tmp_path, os.O_RDONLY)
    directories = Directories(root_fd, limit=2)

    def use(name):
        directories.release(handle := directories.acquire((name,), create=True))
        return handle

    first = use("a")
    use("b")
    assert use("a") is first
    use("c")
    assert use("a") is first
    directories.forget()
    os.close(root_fd)


def test_many_threads_write_into_many_directories_at_once(root, destination):
    start = threading.Barrier(8)

    def land(worker):
        start.wait()
        for number in range(300):
            name = f"{number % (2 * LIMIT)}/{number % 7}/{worker}-{number}"
            destination.write_file(safe_path(name), name.encode(), WHEN)
            if number % 50 == worker:
                destination.check_alive()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(land, range(8)))
    landed = [path for path in root.rglob("*-*") if path.is_file()]
    assert len(landed) == 8 * 300
    assert all(path.read_text() == str(path.relative_to(root)) for path in landed)


def test_free_space_and_sync_answer(destination):
    free = destination.free_space()
    assert free.bytes > 0
    assert free.inodes > 0
    destination.sync()
