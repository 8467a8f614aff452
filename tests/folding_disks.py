"""Disks that take A and a for one name, mounted for one test where root and the tools are there."""

import os
import shutil
import subprocess

import pytest


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{command[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


@pytest.fixture(name="folding_disk", params=["exfat", "ntfs"])
def mounted_folding_disk(request, tmp_path):
    """A mounted disk of 32 MiB that folds case."""
    make, mount = {"exfat": ("mkfs.exfat", "mount.exfat-fuse"), "ntfs": ("mkntfs", "lowntfs-3g")}[
        request.param
    ]
    missing = [tool for tool in (make, mount, "losetup") if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root and {', '.join(missing) or 'mount'}")
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    run(make, *(["-F", "-Q"] if make == "mkntfs" else []), str(image))
    loop = run("losetup", "-f", "--show", str(image))
    try:
        run(mount, *(["-o", "ignore_case"] if make == "mkntfs" else []), loop, str(place))
        yield place
    finally:
        subprocess.run(["umount", place], check=False, capture_output=True)
        subprocess.run(["losetup", "-d", loop], check=False, capture_output=True)
