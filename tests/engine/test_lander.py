"""The writer threads: every file lands or its own task is told why not."""

import asyncio

import pytest

from s3haul.core.keypath import safe_path
from s3haul.disk import Destination, ObjectPathError
from s3haul.engine.lander import Lander


@pytest.fixture
def destination(tmp_path):
    with Destination.open(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("threads", [1, 4])
async def test_many_files_at_once_all_land(destination, tmp_path, threads):
    lander = Lander(destination, threads)
    await asyncio.gather(*(lander.land(safe_path(f"d/{n}"), [b"%d" % n], 0.0) for n in range(500)))
    lander.close()
    assert {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()} == {
        str(n): b"%d" % n for n in range(500)
    }


async def test_only_the_task_of_a_bad_file_is_told(destination, tmp_path):
    (tmp_path / "bad").mkdir()
    lander = Lander(destination, 2)
    names = [f"good{n}" for n in range(20)] + ["bad"]
    results = await asyncio.gather(
        *(lander.land(safe_path(name), [b"x"], 0.0) for name in names), return_exceptions=True
    )
    lander.close()
    assert [type(result) for result in results] == [type(None)] * 20 + [ObjectPathError]


async def test_a_file_whose_task_was_cancelled_is_whole_or_absent(destination, tmp_path):
    lander = Lander(destination, 1)
    tasks = [asyncio.create_task(lander.land(safe_path(str(n)), [b"whole"], 0.0)) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    lander.close()
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert {path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} <= {b"whole"}


async def test_closing_lands_what_was_handed_over(destination, tmp_path):
    lander = Lander(destination, 1)
    task = asyncio.create_task(lander.land(safe_path("k"), [b"a", b"b"], 0.0))
    await asyncio.sleep(0)
    lander.close()
    await task
    assert (tmp_path / "k").read_bytes() == b"ab"
