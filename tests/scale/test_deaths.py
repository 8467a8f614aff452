"""Engine processes that die, stop or are killed: what they had is fetched again, and booked once."""

import contextlib
import os
import random
import signal

import pytest

from e2e.harness import expected, leftovers, tree
from engine.harness import manifest
from s3haul.demo import seed
from s3haul.demo.content import Generated
from s3haul.errors import EngineProcessError
from s3haul.events import Finished, Received, Resumed
from s3haul.options import RangeOptions
from scale.harness import Alarm, engines, kill_all, run_once

LOOPS = ("uvloop",)
IN_RANGES = RangeOptions(above=1_000_000, smallest=500_000, largest=500_000, block=250_000)


def at_calls(numbers, act):
    """A log that acts when engines ask for the objects with these numbers."""
    asked = 0

    def ring(call):
        nonlocal asked
        if call.operation == "GetObject" and engines():
            asked += 1
            if asked in numbers:
                act()

    return Alarm(ring)


def assert_all_is_there_once(done, server, root):
    assert tree(root) == expected(server)
    assert leftovers(root) == []
    finished = [event.outcome.ref.key for event in done.events if isinstance(event, Finished)]
    assert len(finished) == len(set(finished))
    assert done.tally.balanced
    assert engines() == []


async def test_processes_killed_at_random_moments_lose_nothing(server, tmp_path):
    server.faults.add("delay", operation="GetObject", seconds=0.02)
    dice = random.Random(20)

    def kill_one():
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(engines()), signal.SIGKILL)

    server.log = at_calls(set(dice.sample(range(30, 120), 3)), kill_one)
    done = await run_once(server, tmp_path)
    assert_all_is_there_once(done, server, tmp_path / "dest")
    assert done.tally.exit_code == 0
    deaths = [warning for warning in done.warnings if "SIGKILL ended it" in warning]
    assert 2 <= len(deaths) <= 3


@pytest.mark.parametrize(
    ("ranges", "rate"), [(IN_RANGES, 1_500_000), (RangeOptions(), 6_000_000)], ids=["in-ranges", "in-one"]
)
async def test_a_large_object_of_a_killed_process_is_gone_on_with_or_begun_again(
    server, tmp_path, ranges, rate
):
    key, size = "data/9/large", 12_000_000
    server.cloud.put(seed.BUCKET, key, Generated(5, size))
    server.faults.add("trickle", operation="GetObject", key=key, rate=rate)
    everything = sum(map(len, expected(server).values()))
    missing, killed = everything, 0

    def kill_in_the_middle(event):
        nonlocal missing, killed
        if isinstance(event, Received):
            missing -= event.bytes
            if missing <= size // 2 and not killed:
                killed = kill_all()

    done = await run_once(server, tmp_path, processes=1, ranges=ranges, on_event=kill_in_the_middle)
    assert_all_is_there_once(done, server, tmp_path / "dest")
    assert len([warning for warning in done.warnings if "SIGKILL ended it" in warning]) == 1
    fetched = sum(call.sent for call in server.calls if call.key == key)
    resumed = sum(event.bytes for event in done.events if isinstance(event, Resumed))
    assert size < fetched < 1.6 * size
    assert (resumed > 0) == (ranges is IN_RANGES)
    # What was received in vain is taken back, so that progress ends where it should.
    assert done.received + resumed == everything


async def test_when_processes_die_again_and_again_the_run_ends_and_the_next_one_resumes(server, tmp_path):
    server.faults.add("delay", operation="GetObject", seconds=0.05)
    server.log = at_calls(range(30, 1000), kill_all)
    with pytest.raises(EngineProcessError, match="died, the last one so: SIGKILL") as caught:
        await run_once(server, tmp_path)
    assert (caught.value.exit_code, caught.value.id) == (70, "S3H-RUN-02")
    assert engines() == []
    root = tmp_path / "dest"
    assert leftovers(root) == []
    assert tree(root).items() <= expected(server).items()
    server.log = Alarm(lambda _call: None)
    server.faults.clear()
    done = await run_once(server, tmp_path, processes=0)
    assert done.tally.exit_code == 0
    assert tree(root) == expected(server)


async def test_an_object_that_kills_its_process_fails_alone(server, tmp_path):
    poison = "data/zz"
    server.cloud.put(seed.BUCKET, poison, Generated(1, 1000))
    server.faults.add("delay", operation="GetObject", since=16, seconds=0.01)
    server.log = Alarm(lambda call: kill_all() if call.key == poison else None)
    done = await run_once(server, tmp_path, processes=1)
    assert done.tally.exit_code == 1
    lines = manifest(tmp_path / "dest")
    assert {key for key, line in lines.items() if line["state"] != "done"} == {poison}
    assert lines[poison]["reason"] == "process-died"
    assert server.count("GetObject", poison) == 4
    assert tree(tmp_path / "dest") == {k: v for k, v in expected(server).items() if k != poison}


async def test_a_stopped_process_is_ended_and_its_objects_are_fetched_by_another(server, tmp_path):
    def stop_one():
        os.kill(min(engines()), signal.SIGSTOP)

    server.log = at_calls({30}, stop_one)
    done = await run_once(server, tmp_path, plan={"longest_silence": 4})
    assert_all_is_there_once(done, server, tmp_path / "dest")
    assert any("does not answer" in warning for warning in done.warnings)
    assert done.tally.exit_code == 0
