"""Archived objects: never asked for, told with the way to have them back,
and fetched once they are restored."""

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


@pytest.mark.parametrize(
    "key", [ODD, "-rf", "--key", "file:///etc/passwd", "fileb://x", "https://127.0.0.1/x", "\x1b[31m"]
)
def test_a_plan_for_the_shell_gives_any_key_as_text_alone(world, key):
    world.put(key, b"frozen", storage_class="GLACIER")
    assert world.cp().code == 3
    ran = world.run("restore", str(world.dest), "--format", "shell", "--days", "3", "--tier", "Standard")
    *command, request = shlex.split(ran.out)
    assert command == ["aws", "s3api", "restore-object", "--cli-input-json"]
    assert request.startswith("{")  # else the AWS CLI could take it for a file or a flag
    assert (request.isascii(), request.isprintable()) == (True, True)
    assert json.loads(request) == {
        "Bucket": seed.BUCKET,
        "Key": key,
        "RestoreRequest": {"Days": 3, "GlacierJobParameters": {"Tier": "Standard"}},
    }


@pytest.fixture
def tiered(world):
    """An object in an archive tier: the listing does not show that, its GET does."""
    world.put("tiered", b"moves back", storage_class="INTELLIGENT_TIERING")
    world.put("cold/deep", b"frozen deeply", storage_class="DEEP_ARCHIVE")
    refused = {"operation": "GetObject", "key": "tiered", "status": 403, "code": "InvalidObjectState"}
    world.server.faults.add("error", **refused, message="The operation is not valid for the access tier")
    assert world.cp().code == 3
    return world


def test_objects_of_archive_tiers_are_restored_without_days_which_s3_would_refuse(tiered):
    ran = tiered.run("restore", str(tiered.dest), "--format", "shell", "--days", "3", "--tier", "Standard")
    requests = [json.loads(shlex.split(line)[-1]) for line in ran.out.splitlines()]
    assert {each["Key"]: "Days" in each["RestoreRequest"] for each in requests} == {
        "tiered": False,
        "cold/deep": True,
    }
    assert "INTELLIGENT_TIERING: 1 object, 10 B, within 12 hours at tier Standard" in ran.err
    assert "Make two plans" not in ran.err


def test_a_batch_job_takes_archive_tiers_or_other_classes_so_there_are_two_plans(tiered):
    ran = tiered.run("restore", str(tiered.dest))
    assert "! One job cannot restore INTELLIGENT_TIERING and other classes" in ran.err
    commands = [
        line.split("   (")[0].strip() for line in ran.err.splitlines() if line.startswith("  s3haul ")
    ]
    keys = ([[seed.BUCKET, "tiered"]], [[seed.BUCKET, "cold/deep"]])
    for command, rows in zip(commands, keys, strict=True):
        planned = tiered.run(*shlex.split(command)[1:])
        assert list(csv.reader(io.StringIO(planned.out))) == rows
        assert "!" not in planned.err


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
