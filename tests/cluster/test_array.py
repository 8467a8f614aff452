"""Shards without a driver, as tasks of an array job; and what is said before and after."""

import os

import pytest

from cluster.harness import description
from s3haul.cli.app import run
from s3haul.cli.cluster_run import array_shards
from s3haul.demo import seed
from s3haul.errors import UsageError


def test_tasks_of_an_array_do_everything_once_and_may_be_repeated(cluster, server):
    cluster.plan("--shard-objects", "12")
    one = cluster.do("shard", "0", "--local", str(cluster.local))
    assert one.code == 0, one.text
    assert one.out.startswith("shard 0: ")
    unfinished = cluster.do("merge", "--json")
    assert (unfinished.code, set(unfinished.summary["problems"])) == (1, {"shard-not-finished"})
    for task in ("0/2", "1/2"):
        assert cluster.do("shard", task, "--local", str(cluster.local)).code == 0
    before = server.count("GetObject")
    assert cluster.do("shard", "1/2", "--local", str(cluster.local)).code == 0
    assert server.count("GetObject") == before, "what is done is left alone"
    assert cluster.do("merge").code == 0
    cluster.assert_exact()


def test_every_shard_belongs_to_one_task_and_a_wrong_one_is_refused():
    run = description(shards=17)
    for tasks in (1, 2, 3, 50):
        shards = [shard for task in range(tasks) for shard in array_shards(run, f"{task}/{tasks}")[0]]
        assert sorted(shards) == list(range(run.shards))
    assert array_shards(run, "3") == ([3], run.shards)
    for wrong in ("x", "1/", "-1", "3/3", "99", "²", "1/2/3"):
        with pytest.raises(UsageError):
            array_shards(run, wrong)


def test_objects_that_fail_are_reported_by_every_step_and_tried_again_by_cp(cluster, server):
    denied = {"status": 403, "code": "AccessDenied", "message": "no"}
    server.faults.add("error", operation="GetObject", key="data/1/object-0001.bin", **denied)
    cluster.plan("--shard-objects", "40")
    ran = cluster.drive()
    assert ran.code == 1, ran.text
    assert ran.summary["objects"]["failed"] == 1
    assert "  failed    1: " in cluster.do("status").out
    told = cluster.do("status", "--json").summary
    assert (told["complete"], sum(told["failed"].values())) == (True, 1)
    assert "1: " in cluster.do("report").out
    server.faults.clear()
    again = cluster.machine.cp(cluster.dest)
    assert (again.code, again.summary["done"]["objects"]) == (0, 1)


def test_a_plan_selects_and_lists_with_the_flags_of_cp(cluster, server, tmp_path):
    (tmp_path / "unwanted.txt").write_text("data/0/*\n")
    flags = ("--exclude-from", str(tmp_path / "unwanted.txt"), "--list-concurrency", "1", "--page-size", "5")
    planned = cluster.plan(*flags, "--json")
    assert planned.code == 0, planned.text
    keys = server.cloud.buckets[seed.BUCKET].objects
    assert planned.summary["objects"] == sum(not key.startswith("data/0/") for key in keys)
    assert server.count("ListObjectsV2") >= len(keys) / 5


def test_the_conditions_of_a_plan_hold_for_its_run(cluster, server):
    keys = server.cloud.buckets[seed.BUCKET].objects
    server.cloud.put(seed.BUCKET, "data/large", b"x" * 100_000)
    planned = cluster.plan("--max-size", "99999", "--regex", "^(?!data/0/)", "--json")
    assert planned.code == 0, planned.text
    wanted = {key for key in keys if not key.startswith("data/0/")} - {"data/large"}
    assert planned.summary["objects"] == len(wanted)
    done = cluster.drive()
    assert (done.code, done.summary["objects"]["done"]) == (0, len(wanted)), done.text


def test_a_plan_that_was_refused_can_be_made_in_the_same_directory(cluster):
    cluster.machine.configure(external_id="wrong")
    assert cluster.plan().code == 4
    cluster.machine.configure(external_id=seed.EXTERNAL_ID)
    planned = cluster.plan()
    assert planned.code == 0, planned.text
    again = cluster.plan()
    assert (again.code, "is not empty" in again.err) == (2, True)


def test_an_external_id_that_was_given_to_the_plan_must_be_given_to_the_workers(cluster):
    cluster.machine.configure(without="external_id")
    planned = cluster.plan("--shard-objects", "40", S3HAUL_EXTERNAL_ID=seed.EXTERNAL_ID)
    assert planned.code == 0, planned.text
    assert "S3HAUL_EXTERNAL_ID" in planned.err
    refused = cluster.drive()
    assert (refused.code, "S3HAUL_EXTERNAL_ID" in refused.err) == (2, True)
    assert cluster.drive(S3HAUL_EXTERNAL_ID=seed.EXTERNAL_ID).code == 0
    cluster.assert_exact()


def test_a_check_finds_what_a_worker_would_find(cluster, tmp_path):
    cluster.plan("--shard-objects", "40")
    fine = cluster.do("check", "--json")
    assert fine.code == 0, fine.text
    assert [node["node"] for node in fine.summary["nodes"]] == [os.uname().nodename]
    (tmp_path / "file").touch()
    wrong = cluster.do("check", "--local", str(tmp_path / "file"))
    assert (wrong.code, "x " in wrong.out) == (5, True)
    cluster.machine.configure(external_id="wrong")
    refused = cluster.do("check")
    assert (refused.code, "S3H-STS" in refused.out) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "nowhere"), "nowhere makes one"),
        (("shard", "nowhere", "0"), "There is no plan"),
        (("status", "nowhere"), "There is no plan"),
        (("plan", "s3://bucket", "d", "--run", "r", "--shard-bytes", "many"), "not a size"),
        (("plan", "s3://bucket", "d", "--run", "r", "--existing", "skip"), "s3haul cp --existing skip"),
    ],
)
def test_an_invalid_command_line_is_explained(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert run(["cluster", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_a_subcommand_the_help_is_shown(capsys):
    assert run(["cluster"]) == 0
    assert "s3haul cluster plan" in capsys.readouterr().out
