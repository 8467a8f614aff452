"""Archived objects: never asked for, told with the way to have them back, and fetched once they are restored."""

import csv
import io
import json
import shlex

import pytest

from s3haul.demo import inventory, seed
from sources.world import SOURCE, tree

LATER = 4_000_000_000.0
ODD = "cold/a b,'\"\n.bin"


@pytest.fixture
def cold(world):
    for key in list(world.bucket.objects):
        world.bucket.delete(key)
    world.put(ODD, b"frozen", storage_class="GLACIER")
    world.put("cold/deep", b"frozen deeply", storage_class="DEEP_ARCHIVE")
    world.put("cold/on its way", b"soon", storage_class="GLACIER", restore="ongoing")
    world.put("cold/back", b"restored", storage_class="GLACIER", restore=LATER)
    world.put("warm", b"warm", storage_class="GLACIER_IR")
    return world


def test_archived_objects_are_skipped_without_a_request_and_restored_ones_are_fetched(cold):
    ran = cold.cp()
    assert ran.code == 3, ran.text
    assert tree(cold.dest) == {"cold/back": b"restored", "warm": b"warm"}
    assert cold.server.count("GetObject") == 2
    assert cold.server.count("HeadObject") == 0
    (cause,) = ran.summary["skipped"]
    assert (cause["reason"], cause["objects"]) == ("archived", 3)
    shown = cold.run("cp", SOURCE, str(cold.dest), "--profile", "export")
    assert f"s3haul restore {cold.dest} > restore.csv" in shown.out


def test_a_list_does_not_say_whether_an_object_is_restored_so_a_head_is_sent(cold):
    report = inventory.deliver(cold.server.cloud, seed.BUCKET, seed.BUCKET)
    ran = cold.cp("--inventory", f"{SOURCE}/{report}")
    assert ran.code == 3, ran.text
    assert set(tree(cold.dest)) == {"cold/back", "warm"}
    asked = {call.key for call in cold.server.calls if call.operation == "HeadObject"}
    assert {ODD, "cold/deep", "cold/on its way", "cold/back"} <= asked
    assert "warm" not in asked
    gets = {call.key for call in cold.server.calls if call.operation == "GetObject"}
    assert not {ODD, "cold/deep", "cold/on its way"} & gets


def test_the_plan_of_a_restore_names_every_object_that_was_skipped(cold):
    assert cold.cp().code == 3
    ran = cold.run("restore", str(cold.dest))
    assert ran.code == 0
    rows = list(csv.reader(io.StringIO(ran.out)))
    assert rows == [
        [seed.BUCKET, "cold/a%20b%2C%27%22%0A.bin"],
        [seed.BUCKET, "cold/deep"],
        [seed.BUCKET, "cold/on%20its%20way"],
    ]
    assert "GLACIER: 2 objects, 10 B, within 12 hours at tier Bulk" in ran.err
    assert "DEEP_ARCHIVE: 1 object, 13 B, within 48 hours at tier Bulk" in ran.err


def test_a_plan_for_the_shell_survives_any_key(cold):
    assert cold.cp().code == 3
    ran = cold.run("restore", str(cold.dest), "--format", "shell", "--days", "3", "--tier", "Standard")
    words = shlex.split(ran.out)
    assert words[:5] == ["aws", "s3api", "restore-object", "--bucket", seed.BUCKET]
    assert words[words.index("--key") + 1] == ODD
    request = json.loads(words[words.index("--restore-request") + 1])
    assert request == {"Days": 3, "GlacierJobParameters": {"Tier": "Standard"}}


def test_the_report_of_a_batch_job_selects_the_objects_that_it_restored(cold):
    assert cold.cp().code == 3
    plan = cold.run("restore", str(cold.dest)).out.splitlines()
    for key in (ODD, "cold/deep"):
        cold.bucket.current(key).restore = LATER
    report = cold.file([f"{line},,succeeded,,200," for line in plan])
    ran = cold.cp("--files-from", report, "--files-format", "batch-report")
    assert ran.code == 3, ran.text
    assert tree(cold.dest)[ODD] == b"frozen"
    assert len(tree(cold.dest)) == 4


def test_without_archived_objects_restore_says_so(world):
    assert world.cp().code == 0
    ran = world.run("restore", str(world.dest))
    assert (ran.code, ran.out) == (0, "")
    assert "nothing to restore" in ran.err
