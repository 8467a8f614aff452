"""Whether the remaining objects fit into the destination."""

from s3haul.core.estimates import SpaceEstimate

GIB = 1 << 30


def test_there_is_no_warning_while_everything_fits():
    room = SpaceEstimate(GIB, 10)
    room.need(GIB, 10)
    assert room.fits
    assert room.warning() is None


def test_too_many_bytes_cause_one_warning_with_both_numbers():
    room = SpaceEstimate(GIB, 1000)
    room.need(3 * GIB, 2)
    said = room.warning()
    assert "3.0 GiB in 2 files" in said
    assert "1.0 GiB and 1,000 inodes are free" in said
    room.need(GIB, 1)
    assert room.warning() is None


def test_too_many_files_cause_a_warning_too():
    room = SpaceEstimate(GIB, 5)
    room.need(6, 6)
    assert "6 files" in room.warning()


def test_a_file_that_is_replaced_by_a_smaller_one_makes_room():
    room = SpaceEstimate(10, 10)
    room.need(-100, 0)
    room.need(110, 1)
    assert room.fits
