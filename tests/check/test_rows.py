"""Each mistake alone: `check` names its row and no other, and so does `cp`."""

import re

import pytest

from check.rows import ROWS
from check.world import found

PLACEHOLDER = re.compile(r"\b(BUCKET|ROLE-ARN|KEY-ARN|CALLER-ARN|REGION|PREFIX|DEST)\b")
# The rows of AWS's refusals; objects, disks and networks have further ids.
TABLE = {
    f"S3H-{family}-{number:02}"
    for family, last in (("CFG", 6), ("STS", 13), ("NET", 3), ("S3", 14), ("KMS", 8))
    for number in range(1, last + 1)
}


def test_every_row_of_the_table_is_set_up():
    """Throttling and a proxy's header are answers that the server is told to give;
    all else is a real mistake."""
    assert {row.id for row in ROWS.values()} == TABLE


@pytest.mark.parametrize("mistake", ROWS, ids=lambda mistake: mistake.__name__)
def test_check_names_the_row_and_no_other(world, mistake):
    mistake(world)
    row = ROWS[mistake]
    code, report = world.check()
    assert found(report, "error", "warning", "note") == {row.id}, report
    assert found(report, row.level) == {row.id}
    assert code == row.check == report["exit_code"], report
    for finding in report["findings"]:
        assert not PLACEHOLDER.search(finding["fix"]), finding


@pytest.mark.parametrize("mistake", ROWS, ids=lambda mistake: mistake.__name__)
def test_cp_ends_with_the_row(world, mistake):
    mistake(world)
    row = ROWS[mistake]
    ran = world.copy()
    assert ran.code == row.cp, ran.text
    assert ran.shown == ({row.id} if row.cp_names else set()), ran.text
    assert not PLACEHOLDER.search(ran.text), ran.text
