"""Disks that refuse what a POSIX disk does: the run goes on and says so once, or ends with the cause named."""

import errno
import fcntl
import os

import pytest

from s3haul.core.keypath import safe_path
from s3haul.disk import Destination
from s3haul.disk import destination as destination_module
from s3haul.disk import trial as trial_module
from s3haul.disk.limitations import MODES, SYNC, TIMES
from s3haul.disk.trial import try_out
from s3haul.errors import DestinationError

REFUSED = [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP]


def refusing(number):
    def call(*_args, **_more):
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("number", REFUSED)
def test_a_disk_without_modes_takes_files_and_says_so_once(tmp_path, monkeypatch, number):
    (tmp_path / ".s3haul/tmp").mkdir(parents=True)
    for directory in (".s3haul", ".s3haul/tmp"):
        (tmp_path / directory).chmod(0o777)
    monkeypatch.setattr(os, "fchmod", refusing(number))
    with Destination.open(tmp_path) as destination:
        destination.write_file(safe_path("a"), b"x", 0.0)
        assert destination.untold_limitations() == [MODES]
        assert destination.untold_limitations() == []
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize("number", REFUSED)
def test_a_disk_that_takes_no_times_takes_files_and_says_so_once(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "utime", refusing(number))
    with Destination.open(tmp_path) as destination:
        for name in "abc":
            destination.write_file(safe_path(name), b"x", 1.0)
        assert destination.untold_limitations() == [TIMES]
    assert (tmp_path / "c").read_bytes() == b"x"


@pytest.mark.parametrize("number", [*REFUSED, errno.EINVAL])
def test_where_one_disk_cannot_be_synced_all_are(tmp_path, monkeypatch, number):
    synced = []
    monkeypatch.setattr(destination_module, "sync_file_system", refusing(number))
    monkeypatch.setattr(os, "sync", lambda: synced.append(True))
    with Destination.open(tmp_path) as destination:
        destination.sync()
        assert (synced, destination.untold_limitations()) == ([True], [SYNC])


@pytest.mark.parametrize("name", ["utime", "fchmod"])
def test_a_broken_disk_is_not_taken_for_one_that_cannot(tmp_path, monkeypatch, name):
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
        pytest.raises(DestinationError, match="no locks") as caught,
    ):
        destination.lock()
    assert "local disk" in caught.value.hint
    with pytest.raises(DestinationError, match="no locks"):
        try_out(tmp_path)


def test_a_check_tries_all_of_it(tmp_path, monkeypatch):
    assert try_out(tmp_path).limitations == ()
    monkeypatch.setattr(os, "fchmod", refusing(errno.EPERM))
    monkeypatch.setattr(os, "utime", refusing(errno.EPERM))
    monkeypatch.setattr(trial_module, "sync_file_system", refusing(errno.ENOSYS))
    assert try_out(tmp_path).limitations == (MODES, TIMES, SYNC)
