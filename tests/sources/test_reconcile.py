"""The bucket is listed again at the end: what came, changed or went meanwhile is told."""

import pytest

from s3haul.demo import inventory, seed
from sources.world import SOURCE


def meanwhile(world):
    """What happens to the bucket between a report and the run."""
    world.put("aa/new", b"new")
    world.put("zz/new", b"new")
    world.put("zz/too small", b"")
    world.put("data/1/01.bin", b"changed")
    world.bucket.delete("data/0/00.bin")
    world.bucket.delete("data/2/11.bin")


@pytest.mark.parametrize("size", ["1", "1000"])
def test_a_run_from_a_report_reports_how_the_bucket_has_changed_since(world, size):
    report = inventory.deliver(world.server.cloud, seed.BUCKET, seed.BUCKET)
    meanwhile(world)
    flags = (
        "--inventory",
        f"{SOURCE}/{report}",
        "--reconcile",
        "--page-size",
        size,
        "--exclude",
        "inventory/*",
    )
    ran = world.cp(*flags, "--min-size", "1")
    assert ran.code == 3, ran.text
    found = ran.summary["reconciled"]
    assert (found["added"], found["changed"], found["deleted"]) == (2, 0, 2), (
        "the changed one came as it is now"
    )
    assert found["examples"][0] == "aa/new"
    shown = world.run("cp", SOURCE, str(world.dest), "--profile", "export", *flags, "--min-size", "1")
    assert "meanwhile 2 added, 0 changed, 2 deleted" in shown.out


def test_keys_behind_the_end_of_the_bucket_are_deleted_ones(world):
    report = inventory.deliver(world.server.cloud, seed.BUCKET, seed.BUCKET)
    for key in list(world.bucket.objects):
        if key.startswith("data/") and key != "data/0/00.bin":
            world.bucket.delete(key)
    ran = world.cp("--inventory", f"{SOURCE}/{report}", "--reconcile", source=f"{SOURCE}/data/")
    assert ran.summary["reconciled"]["deleted"] == 11


def test_a_bucket_without_changes_has_nothing_to_report(world):
    ran = world.cp("--reconcile")
    assert ran.code == 0, ran.text
    assert ran.summary["reconciled"] == {"added": 0, "changed": 0, "deleted": 0, "examples": []}
    assert world.server.count("ListObjectsV2") == 2
    assert world.cp().summary["reconciled"] is None


def test_an_object_that_changes_after_it_was_fetched_is_reported(world):
    world.server.faults.add(operation="ListObjectsV2", effect="change", exactly=2)
    changed = world.bucket.current("data/1/01.bin")
    original, seen = world.server.cloud.change, []

    def change(bucket, _key):
        seen.append(original(bucket, changed.key))

    world.server.cloud.change = change
    ran = world.cp("--reconcile")
    assert len(seen) == 1
    assert ran.summary["reconciled"]["changed"] == 1
    assert ran.summary["reconciled"]["examples"] == ["data/1/01.bin"]


@pytest.mark.parametrize("words", [("--files-from", "x"), ("--plan", "x"), ("--at", "1h")])
def test_a_selection_cannot_be_reconciled(world, words):
    assert world.cp("--reconcile", *words).code == 2
