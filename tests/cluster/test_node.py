"""A worker's own credentials and its part of the rate limits, against the embedded cloud, in this process."""

import asyncio
from pathlib import Path

import pytest

from contract.demo_access import demo_profile
from e2e.harness import expected, tree
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.merge import merge
from s3haul.cluster.plan import Attempt, ShardSize
from s3haul.cluster.planner import plan_listing
from s3haul.cluster.ray import run_attempt
from s3haul.cluster.shard import attempt_shard, open_node
from s3haul.demo import seed
from s3haul.options import AccessOptions, DestinationOptions, LimitOptions, SourceOptions, TransferOptions

SOURCE = SourceOptions(bucket=seed.BUCKET)


@pytest.fixture
def home(server, tmp_path):
    directory = tmp_path / "home"
    directory.mkdir()
    with demo_profile(server, directory):
        yield tmp_path


async def planned(home: Path, *, node_local: bool = False, **transfer) -> RunDirectory:
    directory = RunDirectory.create(home / "run")
    await plan_listing(
        directory,
        SOURCE,
        DestinationOptions(root=home / "dest"),
        access=AccessOptions(profile="export"),
        transfer=TransferOptions(**transfer),
        size=ShardSize(objects=21),
        node_local=node_local,
    )
    return directory


async def test_one_session_of_the_role_serves_all_shards_of_a_worker(home, server):
    directory = await planned(home)
    run = directory.describe()
    before = server.count("AssumeRole")
    async with open_node(directory, run, home / "local") as node:
        markers = [await attempt_shard(node, Attempt(shard, 1)) for shard in range(run.shards)]
    assert server.count("AssumeRole") == before + 1
    assert sum(marker.objects for marker in markers) == run.objects
    assert [marker.again for marker in markers] == [0] * run.shards


async def test_a_session_that_ends_between_two_shards_is_renewed(home, server):
    directory = await planned(home)
    run = directory.describe()
    async with open_node(directory, run, home / "local") as node:
        await attempt_shard(node, Attempt(0, 1))
        server.faults.add("expire-sessions", operation="GetObject", exactly=1)
        marker = await attempt_shard(node, Attempt(1, 1))
    assert marker.exit_code == 0


async def test_a_worker_keeps_to_the_share_of_the_limits_that_the_driver_sets(home):
    directory = await planned(home, max_rps=100.0, max_kms_rps=40.0, bandwidth=10_000_000)
    run = directory.describe()
    async with open_node(directory, run, home / "local", sharers=4) as node:
        assert node.share == LimitOptions(25.0, 10.0, 2_500_000)
        directory.set_sharers(2)
        node.take_share()
        assert node.share == LimitOptions(50.0, 20.0, 5_000_000)
        async with open_node(directory, run, home / "local", sharers=4, driven=False) as alone:
            assert alone.share == LimitOptions(25.0, 10.0, 2_500_000)
            alone.take_share()
            assert alone.share == LimitOptions(25.0, 10.0, 2_500_000), (
                "what a driver said is nothing to a task of an array"
            )
        (directory.root / "limits.json").unlink()
        node.take_share()
        assert node.share == LimitOptions(50.0, 20.0, 5_000_000), "without a driver the last share stays"


async def test_an_attempt_at_a_finished_shard_changes_nothing(home):
    directory = await planned(home)
    run = directory.describe()
    async with open_node(directory, run, home / "local") as node:
        first = await attempt_shard(node, Attempt(0, 1))
        assert await attempt_shard(node, Attempt(0, 2)) is None
    assert directory.marker(0) == first
    assert len(list((directory.root / "audit").iterdir())) == 1


async def test_a_worker_of_ray_keeps_its_session_and_opens_a_new_one_after_an_error(home, server):
    directory = await planned(home)
    plan = directory.root / "plan" / "000001.jsonl.gz"
    whole = plan.read_bytes()
    plan.write_bytes(whole[:-9])
    before = server.count("AssumeRole")

    def attempt(shard: int, number: int) -> bool:
        return run_attempt(str(directory.root), str(home / "local"), "", Attempt(shard, number), 1)

    tried = [await asyncio.to_thread(attempt, shard, 1) for shard in (0, 2, 1)]
    assert tried == [True, True, False]
    assert server.count("AssumeRole") == before + 1
    report = directory.last_report(Attempt(1, 1))
    assert (report.ended, report.error_id) == (True, "S3H-RUN-03")
    plan.write_bytes(whole)
    assert await asyncio.to_thread(attempt, 1, 2)
    assert server.count("AssumeRole") == before + 2
    assert directory.done() == {0, 1, 2}


async def test_a_key_that_another_shard_shadows_has_the_path_that_it_has_in_one_run(home, server):
    for key in ("zz", *(f"zz-{number:02}" for number in range(30)), "zz/below"):
        server.cloud.put(seed.BUCKET, key, key.encode())
    directory = await planned(home)
    run = directory.describe()
    assert (directory.root / "plan" / "late.jsonl").read_text().endswith('"zz"]\n')
    async with open_node(directory, run, home / "local") as node:
        for shard in range(run.shards):
            await attempt_shard(node, Attempt(shard, 1))
    assert merge(directory, run).clean
    assert tree(home / "dest") == expected(server)
