"""`s3haul help reliability` names a test for every fault, and each of them exists."""

import re
from pathlib import Path

import pytest

from s3haul.cli.help_topics import reliability_rows, topic_text

TESTS = Path(__file__).parent.parent
WANTED = [
    *(f"P{number}" for number in range(1, 11)),
    *(f"F{number:02}" for number in range(1, 55)),
    *(f"S{number}" for number in range(1, 21)),
]


def test_every_promise_fault_and_security_rule_has_its_row():
    assert [row.id for row in reliability_rows()] == WANTED


@pytest.mark.parametrize("row", reliability_rows(), ids=lambda row: row.id)
def test_the_test_of_a_row_exists_and_the_promise_that_it_keeps(row):
    file, name = row.test.split("::")
    assert re.search(rf"^ *(async )?def {name}\(", (TESTS / file).read_text(), re.MULTILINE)
    assert row.promise == "-" or row.promise in WANTED


def test_the_text_names_every_row_with_its_test():
    text = topic_text("reliability")
    for row in reliability_rows():
        assert f"  {row.id:<4}{row.problem}" in text
        assert row.test.partition("::")[2].removeprefix("test_").replace("_", " ") in text
