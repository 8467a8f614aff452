"""Where a benchmark puts the bytes: nowhere, into memory, onto the disk; and nothing stays."""

import os
import sys
from pathlib import Path

import pytest

from s3haul.bench.measure import MEMORY, available, has_room, opened_destination
from s3haul.bench.plan import DestinationKind
from s3haul.errors import DestinationError
from s3haul.models import SafePath

PATH = SafePath(("a", "b.bin"))
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")


def files(root: Path) -> list[str]:
    """Without s3haul's own state."""
    return [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and ".s3haul" not in p.parts]


@linux_only
def test_the_null_destination_takes_everything_and_keeps_nothing(tmp_path):
    with opened_destination(DestinationKind.NULL, tmp_path) as destination:
        destination.write_file(PATH, [b"small"], 0.0)
        destination.make_directory(SafePath(("d",), directory=True))
        large = destination.create_temporary(8)
        other = destination.create_temporary(8)
        destination.write(large, b"5678", 4)
        destination.write(large, b"1234", 0)
        assert destination.read(large, 8, 0) == b"12345678"  # a hash may need it
        assert large.name != other.name  # the journal tells them apart
        number = large.fd
        destination.publish(large, PATH, 0.0)
        destination.discard(other)
        for fd in (number, large.fd, other.fd):
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(fd)
        assert files(destination.root) == []
        assert not (destination.root / "d").exists()
    assert not destination.root.exists()


@pytest.mark.parametrize(
    "kind", [DestinationKind.DISK, pytest.param(DestinationKind.MEMORY, marks=linux_only)]
)
def test_the_other_destinations_are_ordinary_destinations_that_are_gone_afterwards(tmp_path, kind):
    with opened_destination(kind, tmp_path) as destination:
        assert destination.root.parent == (tmp_path if kind is DestinationKind.DISK else MEMORY)
        destination.write_file(PATH, [b"small"], 0.0)
        assert files(destination.root) == ["a/b.bin"]
    assert not destination.root.exists()


@linux_only
def test_memory_has_room_for_what_fits_into_it():
    assert all(available(kind) for kind in DestinationKind)
    assert has_room(DestinationKind.MEMORY, 1000)
    assert not has_room(DestinationKind.MEMORY, 1 << 60)
    assert has_room(DestinationKind.DISK, 1 << 60)  # a run says so itself


def test_a_directory_that_cannot_be_created_is_an_error_with_a_hint(tmp_path):
    destination = opened_destination(DestinationKind.DISK, tmp_path / "none")
    with pytest.raises(DestinationError, match="Cannot make a directory") as told, destination:
        pass
    assert "--dir" in (told.value.hint or "")
