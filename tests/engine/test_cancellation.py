"""Cancellation at every point: no incomplete file with a final name, no open file,
no wrong row in the journal."""

import asyncio
import contextlib
import gc
import os
from pathlib import Path

import pytest

from contract.memory import MemoryStore, stored
from contract.suite import noise
from engine.harness import leftovers, manifest, run_once, tree
from s3haul.journal import Reader
from s3haul.options import RangeOptions

MIB = 1024 * 1024


def open_files(root):
    """The files below `root` that this process has open."""
    links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return [link for link in links if link.startswith(str(root))]


@pytest.mark.parametrize("size", [100, 3 * MIB])
@pytest.mark.parametrize("steps", [1, 5, 20, 60, 200])
async def test_a_run_cancelled_after_any_number_of_steps_leaves_only_whole_files(tmp_path, size, steps):
    content = b"z" * size
    store = MemoryStore({f"k{n}": stored(content) for n in range(6)})
    task = asyncio.create_task(run_once(store, tmp_path))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()
    assert all(data == content for data in tree(tmp_path).values())
    assert store.open_bodies == 0
    assert open_files(tmp_path) == []
    if (tmp_path / ".s3haul" / "journal.sqlite3").exists():
        assert leftovers(tmp_path) == []
        assert set(manifest(tmp_path)) <= set(tree(tmp_path))
    await run_once(store, tmp_path)
    assert len(tree(tmp_path)) == 6


async def test_a_hanging_body_is_aborted_on_cancellation(tmp_path):
    reached = asyncio.Event()

    async def hang():
        reached.set()
        await asyncio.get_running_loop().create_future()

    def stall(call):
        if call.operation == "get":
            call.chunks = [b"z" * 10, hang]

    store = MemoryStore({"k": stored(b"z" * 2 * MIB)}, fault=stall)
    task = asyncio.create_task(run_once(store, tmp_path))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tree(tmp_path), leftovers(tmp_path), store.open_bodies) == ({}, [], 0)


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "SHA256"])
@pytest.mark.parametrize("steps", [*range(10, 100, 9), 150, 250, 400])
async def test_a_run_cancelled_inside_large_objects_loses_no_recorded_block(tmp_path, steps, algorithm):
    content = noise(20_000)
    ranges = RangeOptions(above=2_000, smallest=250, largest=250, block=200)
    store = MemoryStore({f"k{n}": stored(content, algorithm=algorithm) for n in range(3)})
    for _ in range(2):
        task = asyncio.create_task(run_once(store, tmp_path, ranges=ranges))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # the second run may have had little to do
            await task
        gc.collect()
        assert (store.open_bodies, open_files(tmp_path)) == (0, [])
        assert all(data == content for data in tree(tmp_path).values())
        kept = known_parts(tmp_path)
        assert {path.name for path in leftovers(tmp_path)} == set(kept)
    done = await run_once(store, tmp_path, ranges=ranges)
    assert len(tree(tmp_path)) == 3
    assert all(data == content for data in tree(tmp_path).values())
    assert (leftovers(tmp_path), done.stats.resumed) == ([], sum(kept.values()))


def known_parts(root):
    """The temporary files in the journal, and the bytes recorded for each."""
    if not (root / ".s3haul" / "journal.sqlite3").exists():
        return {}
    with Reader(root / ".s3haul" / "journal.sqlite3") as reader:
        names = [partial.temporary for partial in reader.partials()]
        return {name: sum(block.size for block in reader.blocks(name)) for name in names}
