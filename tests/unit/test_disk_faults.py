"""`disk` when things go wrong: what concerns one object and what ends the run, and that nothing leaks.

The faults are real: planted links, swapped directories, limits of the process, small file systems.
"""

import os
import resource
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3haul.core.keypath import safe_path
from s3haul.disk import OBJECT_REASONS, Destination, ObjectPathError
from s3haul.errors import DestinationError, DestinationFullError
from s3haul.models import SafePath

NOBODY = 65534


def land(destination, key, body=b"new"):
    destination.write_file(safe_path(key), body, 0.0)


def make_directory(destination, key):
    destination.make_directory(safe_path(key + "/", directory=True))


def land_many(destination, body):
    for number in range(100):
        land(destination, str(number), body)


def leftovers(root):
    return list((root / ".s3haul" / "tmp").iterdir())


@contextmanager
def refused(reason):
    """The block ends in trouble with one object, for `reason`."""
    with pytest.raises(ObjectPathError) as caught:
        yield
    assert caught.value.reason == reason
    assert reason in OBJECT_REASONS
    assert caught.value.message


@contextmanager
def limit(kind, value):
    """A soft limit of this process."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def destination(root):
    before = os.listdir("/dev/fd")  # noqa: PTH208 - names are enough
    with Destination.open(root) as opened:
        yield opened
    assert len(os.listdir("/dev/fd")) == len(before)  # noqa: PTH208


@pytest.fixture
def unprivileged():
    """A directory of a user whom permissions bind, who is the effective user for the test."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        if os.geteuid() != 0:
            yield Path(name)
            return
        os.chown(name, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


@pytest.fixture
def mount(tmp_path):
    """Mounts a tmpfs of its own for the test. Only where mounting is permitted; the skip says so."""
    mounted = []

    def mount_tmpfs(path, options):
        path.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "s3haul-test", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting a small tmpfs is not permitted: {done.stderr.strip()}")
        mounted.append(path)

    yield mount_tmpfs
    for path in reversed(mounted):
        subprocess.run(["umount", "-l", path], check=False)


# What stands in the way of one object.


@pytest.mark.parametrize("key", ["way/x", "d/way/x/y"])
def test_a_symlinked_directory_is_never_followed(root, destination, tmp_path, key):
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "d").mkdir()
    for place in (root, root / "d"):
        (place / "way").symlink_to(outside)
    with refused("symlink-in-the-way"):
        land(destination, key)
    with refused("symlink-in-the-way"):
        make_directory(destination, key)
    with refused("symlink-in-the-way"):
        destination.open_read(safe_path(key))
    assert destination.stat(safe_path(key)) is None
    assert list(outside.iterdir()) == []
    assert leftovers(root) == []


@pytest.mark.parametrize("target", ["../outside", "nowhere"])
def test_a_symlink_where_the_file_goes_is_neither_followed_nor_replaced(root, destination, tmp_path, target):
    outside = tmp_path / "outside"
    outside.write_bytes(b"old")
    (root / "x").symlink_to(target)
    with refused("symlink-in-the-way"):
        land(destination, "x")
    (root / "from").write_bytes(b"y")
    with refused("symlink-in-the-way"):
        destination.relocate(safe_path("from"), safe_path("x"))
    assert (root / "x").is_symlink()
    assert outside.read_bytes() == b"old"
    assert leftovers(root) == []


def test_a_symlink_is_not_read(root, destination, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "x").symlink_to("../secret")
    with refused("symlink-in-the-way"):
        destination.open_read(safe_path("x"))


def test_a_fifo_where_the_file_goes_is_refused_without_a_hang(root, destination):
    os.mkfifo(root / "x")
    with refused("not-a-regular-file"):
        land(destination, "x")
    with refused("not-a-regular-file"):
        destination.open_read(safe_path("x"))
    assert (root / "x").is_fifo()
    assert leftovers(root) == []


def test_a_directory_where_the_file_goes_is_refused(root, destination):
    (root / "x").mkdir()
    with refused("directory-in-the-way"):
        land(destination, "x")
    with refused("directory-in-the-way"):
        destination.open_read(safe_path("x"))
    assert leftovers(root) == []


def test_a_file_where_a_directory_goes_is_refused(root, destination):
    (root / "d").write_bytes(b"old")
    with refused("file-in-the-way"):
        land(destination, "d/x")
    with refused("file-in-the-way"):
        make_directory(destination, "d")
    assert (root / "d").read_bytes() == b"old"
    assert leftovers(root) == []


def test_a_published_file_meets_the_same_refusals_and_can_be_discarded(root, destination):
    (root / "x").mkdir()
    temporary = destination.create_temporary(0)
    with refused("directory-in-the-way"):
        destination.publish(temporary, safe_path("x"), 0.0)
    assert len(leftovers(root)) == 1
    destination.discard(temporary)
    assert leftovers(root) == []


def test_a_missing_file_is_not_opened(destination):
    for key in ("x", "d/x"):
        with refused("vanished"):
            destination.open_read(safe_path(key))


def test_a_name_too_long_for_the_disk_concerns_one_object(root, destination):
    path = SafePath(("x" * 256,))
    with refused("name-too-long"):
        destination.write_file(path, b"x", 0.0)
    with refused("name-too-long"):
        destination.stat(path)
    with refused("name-too-long"):
        destination.make_directory(path)
    assert leftovers(root) == []


def test_a_file_beyond_the_limit_of_the_process_fails_alone_and_leaves_nothing(root, destination):
    with limit(resource.RLIMIT_FSIZE, 4096):
        with refused("file-too-large"):
            land(destination, "large", bytes(4097))
        land(destination, "small", bytes(4096))
    assert sorted(path.name for path in root.iterdir()) == [".s3haul", "small"]
    assert leftovers(root) == []


def test_a_read_only_directory_inside_concerns_its_objects_alone(unprivileged):
    with Destination.open(unprivileged) as destination:
        land(destination, "d/x")
        (unprivileged / "d").chmod(0o555)
        with refused("permission-denied"):
            land(destination, "d/y")
        land(destination, "e/y")
        assert leftovers(unprivileged) == []
        (unprivileged / "d").chmod(0o755)


def test_a_directory_that_may_be_entered_but_not_read_takes_files(unprivileged):
    with Destination.open(unprivileged) as destination:
        (unprivileged / "d").mkdir()
        (unprivileged / "d").chmod(0o300)
        land(destination, "d/x")
        (unprivileged / "d").chmod(0o700)
        assert (unprivileged / "d/x").exists()


def test_lost_writes_end_the_run(destination):
    root_fd, destination._root_fd = destination._root_fd, -1
    with pytest.raises(DestinationError, match="EBADF"):
        destination.sync()
    destination._root_fd = root_fd


# What changes while the run goes on.


def test_a_directory_swapped_for_a_symlink_in_mid_run_leads_nowhere(root, destination, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    land(destination, "d/before")
    (root / "d").rename(root / "moved")
    (root / "d").symlink_to(outside)
    land(destination, "d/meanwhile")
    destination.check_alive()
    with refused("symlink-in-the-way"):
        land(destination, "d/after")
    assert list(outside.iterdir()) == []
    assert sorted(path.name for path in (root / "moved").iterdir()) == ["before", "meanwhile"]


def test_a_directory_removed_in_mid_run_is_made_again(root, destination):
    land(destination, "d/e/before")
    shutil.rmtree(root / "d")
    land(destination, "d/e/after")
    assert (root / "d/e/after").read_bytes() == b"new"


def test_a_moved_directory_is_noticed_at_the_next_check(root, destination):
    land(destination, "d/before")
    (root / "d").rename(root / "moved")
    destination.check_alive()
    land(destination, "d/after")
    assert (root / "d/after").exists()


def remove(root):
    shutil.rmtree(root)


def move(root):
    root.rename(root.with_name("elsewhere"))


def replace(root):
    move(root)
    root.mkdir()


def replace_by_symlink(root):
    move(root)
    root.symlink_to(root.parent)


@pytest.mark.parametrize("change", [remove, move, replace, replace_by_symlink])
def test_a_root_that_is_gone_ends_the_run_and_is_never_rebuilt(root, destination, change):
    land(destination, "d/x")
    destination.check_alive()
    change(root)
    with pytest.raises(DestinationError, match="root"):
        destination.check_alive()
    there = sorted(root.parent.rglob("*"))
    if change is remove:
        for attempt in (land, make_directory):
            with pytest.raises(DestinationError):
                attempt(destination, "d/y")
        with pytest.raises(DestinationError):
            destination.create_temporary(1)
    assert sorted(root.parent.rglob("*")) == there


def test_a_root_symlink_that_is_turned_elsewhere_ends_the_run(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    link = tmp_path / "root"
    link.symlink_to("one")
    with Destination.open(link) as destination:
        link.unlink()
        link.symlink_to("two")
        with pytest.raises(DestinationError, match="moved, unmounted or replaced"):
            destination.check_alive()


def test_a_state_directory_that_is_removed_ends_the_run(root, destination):
    shutil.rmtree(root / ".s3haul")
    with pytest.raises(DestinationError, match="ENOENT"):
        land(destination, "x")
    assert list(root.iterdir()) == []


def test_a_root_that_became_read_only_ends_the_run(unprivileged):
    with Destination.open(unprivileged) as destination:
        unprivileged.chmod(0o555)
        with pytest.raises(DestinationError, match="not writable"):
            land(destination, "x")
        with pytest.raises(DestinationError, match="not writable"):
            land(destination, "d/x")
        assert leftovers(unprivileged) == []
        unprivileged.chmod(0o755)


@pytest.mark.parametrize("closed", ["", ".s3haul"])
def test_a_root_that_is_not_writable_is_refused(unprivileged, closed):
    Destination.open(unprivileged).close()
    (unprivileged / closed).chmod(0o500)
    try:
        if closed:
            (unprivileged / closed).chmod(0)
        with pytest.raises(DestinationError) as caught:
            Destination.open(unprivileged)
        assert caught.value.hint
    finally:
        (unprivileged / closed).chmod(0o755)


# Limits and small file systems.


def test_too_many_open_files_end_the_run_with_a_hint(root, destination):
    land(destination, "d/x")
    free = os.dup(0)
    os.close(free)
    for attempt in (land, make_directory):
        with limit(resource.RLIMIT_NOFILE, free), pytest.raises(DestinationError, match="EMFILE") as caught:
            attempt(destination, "e/x")
        assert "ulimit -n" in caught.value.hint
    assert leftovers(root) == []
    land(destination, "e/x")


def test_a_file_larger_than_the_free_space_is_refused_at_once(root, destination):
    needed = 4 * destination.free_space().bytes + 1
    unused = os.dup(0)
    os.close(unused)
    with (
        limit(resource.RLIMIT_NOFILE, unused),  # the refusal comes before a file is opened
        pytest.raises(DestinationFullError, match=r"free: .* inodes; needed: .*iB") as caught,
    ):
        destination.create_temporary(needed)
    assert caught.value.exit_code == 5
    assert leftovers(root) == []


def test_a_full_disk_ends_the_run_and_takes_files_again_once_there_is_space(root, mount):
    mount(root, "size=256k")
    with Destination.open(root) as small:
        with pytest.raises(DestinationFullError, match=r"ENOSPC\); free: .* needed: 32.0 KiB") as caught:
            land_many(small, bytes(32 << 10))
        assert "free some space" in caught.value.hint
        assert len(list(root.glob("[0-9]"))) > 3
        assert leftovers(root) == []
        (root / "0").unlink()
        land(small, "again", bytes(16 << 10))
        assert all(path.stat().st_size == 32 << 10 for path in root.glob("[0-9]"))


def test_a_disk_without_inodes_ends_the_run(root, mount):
    mount(root, "size=1m,nr_inodes=20")
    with Destination.open(root) as small:
        with pytest.raises(DestinationFullError, match=r"ENOSPC.* and 0 inodes"):
            land_many(small, b"x")
        with pytest.raises(DestinationFullError):
            make_directory(small, "d")
        assert leftovers(root) == []


def test_space_is_reserved_without_changing_the_length(tmp_path, mount):
    mount(tmp_path / "small", "size=1m")
    with Destination.open(tmp_path / "small") as small:
        temporary = small.create_temporary(512 << 10)
        status = os.fstat(temporary.fd)
        assert (status.st_size, status.st_blocks * 512) == (0, 512 << 10)
        with pytest.raises(DestinationFullError):
            small.create_temporary(768 << 10)
        small.discard(temporary)
        os.close(small.create_temporary(768 << 10).fd)


def test_an_error_while_the_caller_writes_is_explained(tmp_path, mount):
    mount(tmp_path / "small", "size=64k")
    with Destination.open(tmp_path / "small") as small:
        temporary = small.create_temporary(1)
        os.write(temporary.fd, bytes(64 << 10))
        with pytest.raises(OSError, match="No space") as caught:
            os.write(temporary.fd, b"x")
        assert isinstance(small.trouble(caught.value), DestinationFullError)
        small.discard(temporary)


def test_a_read_only_file_system_ends_the_run(tmp_path, mount):
    small = tmp_path / "small"
    mount(small, "size=1m")
    with Destination.open(small) as destination:
        land(destination, "d/x")
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        for attempt in (land, make_directory):
            with pytest.raises(DestinationError, match="EROFS") as caught:
                attempt(destination, "e")
            assert "remount" in caught.value.hint
    with pytest.raises(DestinationError):
        Destination.open(small)


def test_a_file_system_mounted_inside_the_destination_concerns_its_objects_alone(root, destination, mount):
    mount(root / "inner", "size=1m")
    with refused("cross-device"):
        land(destination, "inner/x")
    land(destination, "outer/x")
    assert leftovers(root) == []
    assert list((root / "inner").iterdir()) == []


def test_a_destination_that_is_unmounted_ends_the_run(tmp_path, mount):
    small = tmp_path / "small"
    mount(small, "size=1m")
    with Destination.open(small) as destination:
        land(destination, "d/x")
        subprocess.run(["umount", "-l", small], check=True)
        with pytest.raises(DestinationError, match="unmounted"):
            destination.check_alive()
        assert list(small.iterdir()) == []
