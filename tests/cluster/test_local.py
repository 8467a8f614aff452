"""Whole runs on processes of this machine: plan, run, merge, and what happens when something is killed."""

import json

import pytest

from s3haul.demo import seed


def test_two_workers_copy_a_plan_and_the_merge_is_like_the_result_of_one_run(cluster, server, tmp_path):
    planned = cluster.plan("--json")
    assert planned.code == 0, planned.text
    assert planned.summary["objects"] == len(server.cloud.buckets[seed.BUCKET].objects)
    listings = server.count("ListObjectsV2")
    ran = cluster.drive()
    assert ran.code == 0, ran.text
    assert ran.summary["problems"] == {}
    assert ran.summary["objects"]["done"] == planned.summary["objects"]
    assert server.count("ListObjectsV2") == listings, "the plan is what is copied"
    cluster.assert_exact()

    alone = cluster.machine.cp(tmp_path / "alone")
    assert alone.code == 0
    lines = cluster.machine.run("manifest", str(tmp_path / "alone")).out.splitlines()
    assert cluster.manifest() == [json.loads(line) for line in lines]

    merged = cluster.machine.run("manifest", str(cluster.dest)).out.splitlines()
    assert merged == lines, "and so is the manifest that is read from the journal"

    again = cluster.machine.cp(cluster.dest)
    assert again.summary["unchanged"]["objects"] == planned.summary["objects"], (
        "the journal is that of one run"
    )
    assert cluster.drive().summary == ran.summary, "a run that is done is only merged again"


@pytest.mark.parametrize(
    ("prefix", "said"),
    [("data/2/", "another prefix, such as 'data/3/"), ("", "other paths")],
    ids=["beside", "above"],
)
def test_a_destination_with_objects_of_another_prefix_is_refused_before_anything_is_planned(
    cluster, server, prefix, said
):
    copied = ("cp", f"s3://{seed.BUCKET}/data/3/", str(cluster.dest), "--profile", "export")
    assert cluster.machine.run(*copied).code == 0
    calls = len(server.calls)
    flags = ("--run", str(cluster.run), "--profile", "export")
    source = f"s3://{seed.BUCKET}/{prefix}"
    planned = cluster.machine.run("cluster", "plan", source, str(cluster.dest), *flags)
    assert planned.code == 5, planned.text
    assert said in planned.err
    assert len(server.calls) == calls
    assert cluster.machine.run(*copied, "--json").summary["unchanged"]["objects"] > 0


@pytest.mark.parametrize("missing", [False, True])
def test_a_source_that_is_one_key_is_that_object_as_for_a_plain_copy(cluster, server, missing):
    key = "data/3/object-0003.bin"
    source = f"s3://{seed.BUCKET}/{'data/3' if missing else key}"
    assert (
        cluster.machine.run(
            "cp", f"s3://{seed.BUCKET}/data/3/", str(cluster.dest), "--profile", "export"
        ).code
        == 0
    )
    rows = cluster.machine.run("manifest", str(cluster.dest)).out
    (cluster.dest / "object-0003.bin").unlink()
    planned = cluster.machine.run(
        "cluster",
        "plan",
        source,
        str(cluster.dest),
        "--run",
        str(cluster.run),
        "--profile",
        "export",
        "--json",
    )
    if missing:
        assert (planned.code, "end the source in /" in planned.err) == (6, True), planned.text
        return
    assert (planned.code, planned.summary["objects"]) == (0, 1), planned.text
    ran = cluster.drive()
    assert (ran.code, ran.summary["objects"]["done"]) == (0, 1), ran.text
    assert (cluster.dest / "object-0003.bin").exists()
    assert cluster.machine.run("manifest", str(cluster.dest)).out == rows, (
        "what is beside it stays in the journal"
    )
    assert cluster.machine.run("verify", str(cluster.dest)).code == 0
