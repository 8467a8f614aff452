"""Whether what is still to come fits into the destination."""

from s3haul.core.space import SpaceEstimate

GIB = 1 << 30


def test_nothing_is_said_while_everything_fits():
    room = SpaceEstimate(GIB, 10)
    room.need(GIB, 10)
    assert room.fits
    assert room.warning() is None


def test_too_many_bytes_are_told_once_with_both_figures():
    room = SpaceEstimate(GIB, 1000)
    room.need(3 * GIB, 2)
    said = room.warning()
    assert "3.0 GiB in 2 files" in said
    assert "1.0 GiB and 1,000 inodes are free" in said
    room.need(GIB, 1)
    assert room.warning() is None


def test_too_many_files_are_told_as_well():
    room = SpaceEstimate(GIB, 5)
    room.need(6, 6)
    assert "6 files" in room.warning()


def test_a_file_that_is_replaced_by_a_smaller_one_makes_room():
    room = SpaceEstimate(10, 10)
    room.need(-100, 0)
    room.need(110, 1)
    assert room.fits
