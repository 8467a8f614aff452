"""Whole runs on processes of this machine: plan, run, merge, and what happens when something is killed."""

import json

from s3haul.demo import seed


def test_a_plan_is_hauled_by_two_workers_and_merged_into_what_one_run_leaves(cluster, server, tmp_path):
    planned = cluster.plan("--json")
    assert planned.code == 0, planned.text
    assert planned.summary["objects"] == len(server.cloud.buckets[seed.BUCKET].objects)
    listings = server.count("ListObjectsV2")
    ran = cluster.drive()
    assert ran.code == 0, ran.text
    assert ran.summary["problems"] == {}
    assert ran.summary["objects"]["done"] == planned.summary["objects"]
    assert server.count("ListObjectsV2") == listings, "the plan is what is hauled"
    cluster.assert_exact()

    alone = cluster.machine.haul(tmp_path / "alone")
    assert alone.code == 0
    lines = cluster.machine.run("manifest", str(tmp_path / "alone")).out.splitlines()
    assert cluster.manifest() == [json.loads(line) for line in lines]

    again = cluster.machine.haul(cluster.dest)
    assert again.summary["unchanged"]["objects"] == planned.summary["objects"], (
        "the journal is that of one run"
    )
    assert cluster.drive().summary == ran.summary, "a run that is done is only merged again"
