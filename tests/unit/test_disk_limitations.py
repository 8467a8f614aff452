"""File systems that are not POSIX: the run continues with one warning, or ends with the cause."""

import errno
import fcntl
import os
import stat
import sys

import pytest

from s3haul.core.keypath import safe_path
from s3haul.disk import Destination
from s3haul.disk import destination as destination_module
from s3haul.disk import probe as trial_module
from s3haul.disk.errors import MODES, SYNC, TIMES
from s3haul.disk.probe import try_out
from s3haul.disk.tree import free_space_for
from s3haul.errors import DestinationError
from s3haul.journal import Journal, SourceIdentity

REFUSED = [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP]


def refusing(number):
    def call(*_args, **_more):
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("number", REFUSED)
def test_without_file_modes_files_are_written_and_one_warning_is_given(tmp_path, monkeypatch, number):
    (tmp_path / ".s3haul/tmp").mkdir(parents=True)
    for directory in (".s3haul", ".s3haul/tmp"):
        (tmp_path / directory).chmod(0o777)
    monkeypatch.setattr(os, "fchmod", refusing(number))
    with Destination.open(tmp_path) as destination:
        destination.write_file(safe_path("a"), b"x", 0.0)
        assert destination.unreported_limitations() == [MODES]
        assert destination.unreported_limitations() == []
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize("number", REFUSED)
def test_without_file_times_files_are_written_and_one_warning_is_given(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "utime", refusing(number))
    with Destination.open(tmp_path) as destination:
        for name in "abc":
            destination.write_file(safe_path(name), b"x", 1.0)
        assert destination.unreported_limitations() == [TIMES]
    assert (tmp_path / "c").read_bytes() == b"x"


@pytest.mark.parametrize("number", [*REFUSED, errno.EINVAL])
def test_if_one_file_system_cannot_be_synced_all_are_synced(tmp_path, monkeypatch, number):
    synced = []
    monkeypatch.setattr(destination_module, "sync_file_system", refusing(number))
    monkeypatch.setattr(os, "sync", lambda: synced.append(True))
    with Destination.open(tmp_path) as destination:
        destination.sync()
        assert (synced, destination.unreported_limitations()) == ([True], [SYNC])


@pytest.mark.parametrize("name", ["utime", "fchmod"])
def test_an_error_of_the_disk_is_not_a_limitation(tmp_path, monkeypatch, name):
    (tmp_path / ".s3haul").mkdir()
    (tmp_path / ".s3haul").chmod(0o777)
    monkeypatch.setattr(os, name, refusing(errno.EIO))
    with pytest.raises((DestinationError, OSError)), Destination.open(tmp_path) as destination:
        destination.write_file(safe_path("a"), b"x", 1.0)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_disk_without_locks_is_refused_with_the_cause(tmp_path, monkeypatch, number):
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    with (
        Destination.open(tmp_path) as destination,
        pytest.raises(DestinationError, match="support locks") as caught,
    ):
        destination.lock()
    assert "local disk" in caught.value.hint
    with pytest.raises(DestinationError, match="support locks"):
        try_out(tmp_path)


def test_a_check_tests_all_limitations(tmp_path, monkeypatch):
    assert try_out(tmp_path).limitations == ()
    monkeypatch.setattr(os, "fchmod", refusing(errno.EPERM))
    monkeypatch.setattr(os, "utime", refusing(errno.EPERM))
    monkeypatch.setattr(trial_module, "sync_file_system", refusing(errno.ENOSYS))
    assert try_out(tmp_path).limitations == (MODES, TIMES, SYNC)


@pytest.mark.parametrize("name", ["rename", "unlink"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV, errno.EBUSY])
def test_a_disk_on_which_nothing_can_be_renamed_or_removed_is_refused_before_anything_is_fetched(
    tmp_path, monkeypatch, name, number
):
    monkeypatch.setattr(os, name, refusing(number))
    with pytest.raises(DestinationError, match="rename and remove") as caught:
        Destination.open(tmp_path)
    assert "another file system" in caught.value.hint
    assert errno.errorcode[number] in caught.value.message
    if name == "rename":
        with pytest.raises(DestinationError, match=errno.errorcode[number]):
            try_out(tmp_path)


def test_the_probe_of_renames_leaves_nothing_behind(tmp_path):
    with Destination.open(tmp_path):
        assert {path.name for path in (tmp_path / ".s3haul").rglob("*")} == {"tmp"}


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_that_reports_no_free_space_has_no_limit(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "statvfs", refusing(number))
    with Destination.open(tmp_path) as destination:
        assert destination.free_space() == (sys.maxsize, sys.maxsize)
        destination.write_file(safe_path("a"), b"x", 0.0)
    assert free_space_for(tmp_path / "new").bytes == sys.maxsize


def test_a_directory_that_cannot_be_synced_holds_a_journal(tmp_path, monkeypatch):
    sync = os.fsync

    def refuse_directories(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(fd)

    monkeypatch.setattr(os, "fsync", refuse_directories)
    Journal.open(tmp_path / "journal", SourceIdentity("b", "", "e"), sync=lambda: None).close()
    monkeypatch.setattr(os, "fsync", refusing(errno.EIO))
    with pytest.raises(DestinationError, match="EIO"):
        Journal.open(tmp_path / "other", SourceIdentity("b", "", "e"), sync=lambda: None)
