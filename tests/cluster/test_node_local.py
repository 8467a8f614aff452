"""Objects on disks of the nodes: the manifest says which node has what,
and what a lost node had is copied again."""

import gzip
import json

import pytest

from cluster.test_node import home, planned
from s3haul.audit import verify
from s3haul.cluster.merge import merge, merge_here
from s3haul.cluster.shard import SupersededError, attempt_shard, open_node
from s3haul.cluster.status import forget_node
from s3haul.errors import UsageError

__all__ = ["home"]  # the fixture


def catalogue(directory) -> dict[str, str]:
    """Key to node."""
    text = gzip.decompress((directory.root / "manifest.jsonl.gz").read_bytes())
    entries = [json.loads(line) for line in text.splitlines()]
    return {entry["key"]: entry["node"] for entry in entries}


async def test_the_manifest_names_the_node_of_an_object_and_a_lost_node_is_replaced(home):
    directory = await planned(home, node_local=True)
    run = directory.describe()
    async with (
        open_node(directory, run, home / "local-a") as a,
        open_node(directory, run, home / "local-b") as b,
    ):
        a.name, b.name = "a", "b"
        await attempt_shard(a, directory.claim(0))
        first = directory.claim(1)
        await attempt_shard(b, first)
        await attempt_shard(b, directory.claim(2))
        assert merge(directory, run).clean
        assert not (home / "dest" / ".s3haul" / "journal.sqlite3").exists()
        keys = {
            node: [ref.key for ref in directory.read_shard(shard, run).refs]
            for shard, node in ((0, "a"), (1, "b"))
        }
        assert {catalogue(directory)[key] for key in keys["a"]} == {"a"}
        assert {catalogue(directory)[key] for key in keys["b"]} == {"b"}

        assert forget_node(directory, run, "b") == 2
        assert directory.done() == {0}
        with pytest.raises(SupersededError):
            await attempt_shard(b, first)
        assert directory.done() == {0}, "a worker of the lost node finishes nothing"
        for shard in (1, 2):
            await attempt_shard(a, directory.claim(shard))
    assert merge(directory, run).clean
    assert set(catalogue(directory).values()) == {"a"}


async def test_each_node_verifies_what_it_has(home):
    directory = await planned(home, node_local=True)
    run = directory.describe()
    async with open_node(directory, run, home / "local") as node:
        node.name = "a"
        await attempt_shard(node, directory.claim(0))
    here = len(directory.read_shard(0, run).refs)
    assert merge_here(directory, run, "b") == 0
    assert merge_here(directory, run, "a") == here
    counts = verify(home / "dest")
    assert (counts.verified, counts.damaged) == (here, 0)


async def test_nothing_is_lost_with_a_node_where_all_is_in_one_place(home):
    directory = await planned(home)
    with pytest.raises(UsageError):
        forget_node(directory, directory.describe(), "a")
