"""Sizes, ages, classes and regular expressions select, beside the patterns."""

import pytest

from s3haul.core.filters import object_selector
from s3haul.models import ObjectRef
from s3haul.options import Conditions, TransferOptions
from sources.world import tree

DAY = 86_400.0


def ref(key="p/a.csv", size=10, modified=100.0, storage_class="STANDARD"):
    return ObjectRef(key, size, '"e"', modified, storage_class)


@pytest.mark.parametrize(
    ("conditions", "chosen"),
    [
        ({}, True),
        ({"min_size": 10, "max_size": 10}, True),
        ({"min_size": 11}, False),
        ({"max_size": 9}, False),
        ({"newer_than": 100.0}, True),
        ({"newer_than": 100.5}, False),
        ({"older_than": 100.0}, False),
        ({"older_than": 100.5}, True),
        ({"storage_classes": frozenset({"STANDARD"})}, True),
        ({"storage_classes": frozenset({"GLACIER"})}, False),
        ({"regex": (r"^a\.", r"csv$")}, True),
        ({"regex": (r"^a\.", r"^p")}, False),
        ({"min_size": 1, "regex": ("b",)}, False),
    ],
)
def test_all_conditions_must_hold(conditions, chosen):
    options = TransferOptions(conditions=Conditions(**conditions))
    assert object_selector(options, "p/")(ref()) is chosen


def test_patterns_and_conditions_must_both_select():
    options = TransferOptions(filters=((False, "*.csv"),), conditions=Conditions(min_size=1))
    assert not object_selector(options, "p/")(ref())
    assert object_selector(options, "p/")(ref("p/a.txt"))


def test_a_run_takes_what_is_selected_and_counts_the_rest(world):
    now = world.server.cloud.clock()
    world.put("old.csv", b"x" * 50, last_modified=now - 40 * DAY)
    world.put("new.csv", b"x" * 50, last_modified=now - DAY)
    world.put("rare.csv", b"x" * 50, last_modified=now - DAY, storage_class="STANDARD_IA")
    flags = ("--regex", r"\.csv$", "--newer-than", "30d", "--storage-class", "standard", "--min-size", "50")
    for more in (("--dryrun",), ()):
        ran = world.cp(*flags, *more)
        assert ran.code == 0, ran.text
    assert tree(world.dest) == {"new.csv": b"x" * 50}
    assert (ran.summary["selected"]["objects"], ran.summary["filtered"]) == (1, 14)
    nothing = world.cp("--min-size", "1G")
    assert any("meets the conditions" in said for said in nothing.summary["warnings"])


def test_patterns_come_from_files_in_the_place_where_they_are_named(world):
    all_of_1, one = world.file(["data/1/*"], "a"), world.file(["", "# none", "data/1/04.bin"], "b")
    ran = world.cp("--exclude", "*", "--include-from", all_of_1, "--exclude-from", one)
    assert ran.code == 0, ran.text
    assert set(tree(world.dest)) == {"data/1/01.bin", "data/1/07.bin", "data/1/10.bin"}


@pytest.mark.parametrize(
    "words",
    [
        ("--min-size", "big"),
        ("--max-size", "-1"),
        ("--min-size", "2K", "--max-size", "1K"),
        ("--newer-than", "soon"),
        ("--newer-than", "7d", "--older-than", "30d"),
        ("--regex", "("),
        ("--storage-class", "glacier instant"),
        ("--include-from", "/nowhere"),
    ],
)
def test_an_impossible_condition_is_refused_before_any_request(world, words):
    ran = world.cp(*words)
    assert ran.code == 2, ran.text
    assert not world.server.calls
