"""The power goes while a run writes to an ext4 disk: what the journal calls done is here whole.

A file is the disk. EXT4_IOC_SHUTDOWN without a flush drops all that was not synced, as a power loss
does; then the file system is mounted anew. Needs root, loop devices and mkfs.ext4.
`S3HAUL_POWER_LOSSES` is how many.
"""

import contextlib
import fcntl
import os
import random
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from torture.checks import ENVIRONMENT, command, finish, rows

LOSSES = int(os.environ.get("S3HAUL_POWER_LOSSES", "20"))
COUNT = 2_500  # objects: more than a journal commits at once
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
NO_FLUSH = struct.pack("I", 2)  # of the log either


@pytest.fixture
def disk(tmp_path):
    """An image with an ext4 file system, and where it will be mounted."""
    if os.geteuid() or not shutil.which("mkfs.ext4"):
        pytest.fail("root and mkfs.ext4 are needed (apt-get install e2fsprogs)")
    image, place = tmp_path / "disk.img", tmp_path / "mounted"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(128 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    yield image, place
    subprocess.run(["umount", str(place)], check=False, capture_output=True)


@contextlib.contextmanager
def mounted(image: Path, place: Path):
    ran = subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=False, capture_output=True)
    if ran.returncode:
        pytest.fail(f"no loop device can be mounted here: {ran.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.timeout(3600)
def test_p4_after_a_power_loss_no_object_that_is_done_is_short_or_missing(disk):
    image, place = disk
    seed = int(os.environ.get("S3HAUL_POWER_SEED") or time.time_ns() % (1 << 32))
    dice, done = random.Random(seed), 0
    for number in range(LOSSES):
        with mounted(image, place):
            shutil.rmtree(place / "dest", ignore_errors=True)
            lose_power(place, dice.uniform(0.0, 2.5))
        with mounted(image, place):
            committed = len(
                rows(place / "dest", COUNT)
            )  # after a power loss, files that are in no row may be empty
            done += committed
            print(f"seed {seed}, loss {number}: {committed} of {COUNT} were done, all whole")
            finish(place / "dest", COUNT)
    assert done, f"seed {seed}: no run lived long enough to commit"


def lose_power(place: Path, seconds: float) -> None:
    """A run is under way for so many seconds; then nothing more reaches the disk."""
    with subprocess.Popen(command(place / "dest", COUNT), env=ENVIRONMENT, stderr=subprocess.DEVNULL) as run:
        while not (place / "dest" / ".s3haul" / "journal.sqlite3").exists() and run.poll() is None:
            time.sleep(0.005)
        time.sleep(seconds)
        fd = os.open(place, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, NO_FLUSH)
        finally:
            os.close(fd)
        run.kill()
