"""Limits that are changed while a run goes on hold within a second or two,
and nothing in the file can end the run."""

import asyncio
import os
import subprocess
import sys

import pytest

from contract.memory import MemoryStore, stored
from engine.harness import DONE, run_once, states
from s3haul.disk.limits_file import NAME, LimitsFile
from s3haul.engine import periodic
from s3haul.errors import UsageError
from s3haul.events import Noted, Warned
from s3haul.options import LimitOptions


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(periodic, "EVERY", 0.01)


class Held(MemoryStore):
    """Serves ten objects, and the others once `event` has been heard."""

    def __init__(self):
        super().__init__({f"k{n:02}": stored(b"x") for n in range(30)}, fault=self.hold)
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def hold(self, call):
        if call.operation == "get" and self.count("get") > 10:
            self.reached.set()
            await self.go_on.wait()


async def told(root, text: bytes, kind, store=None):
    """A run in the midst of which the file holds `text`,
    until an event of `kind` was heard; its sentences."""
    store = store or Held()
    heard = []

    async def tell():
        await store.reached.wait()
        (root / ".s3haul" / NAME).write_bytes(text)
        while not heard:
            heard.extend(event.message for event in running_events if isinstance(event, kind))
            await asyncio.sleep(0.005)
        store.go_on.set()

    running_events = []
    telling = asyncio.create_task(tell())
    await run_once(store, root, events=running_events)
    await telling
    assert set(states(root).values()) == {DONE}
    return heard


async def test_limits_that_are_changed_during_a_run_apply(tmp_path):
    text = b'{"max_rps": 500, "max_kms_rps": 400, "bandwidth": 1048576, "concurrency": 8}'
    heard = await told(tmp_path, text, Noted)
    assert heard == [
        "limits of this run from now on: 8 parallel requests, 500 requests/s, 400 KMS calls/s, 1.0 MiB/s"
    ]


async def test_fewer_requests_are_made_at_a_time_once_the_file_says_so(tmp_path):
    open_bodies = []

    class Counting(Held):
        async def hold(self, call):
            open_bodies.append(self.open_bodies)
            await super().hold(call)

    await told(tmp_path, b'{"concurrency": 2}', Noted, Counting())
    assert max(open_bodies) > 2
    assert open_bodies[-1] <= 2


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"max_rps": -1}',
        b'{"max_rps": true}',
        b'{"evil": 1}',
        b'{"bandwidth": "x"}',
        b"[" * 3000,
    ],
)
async def test_an_invalid_limits_file_causes_a_warning_and_changes_nothing(tmp_path, text):
    heard = await told(tmp_path, text, Warned)
    assert len(heard) == 1
    assert "contains no limits" in heard[0]


async def test_changed_limits_do_not_apply_to_the_next_run(tmp_path):
    await run_once(MemoryStore({"k": stored(b"x")}), tmp_path)
    LimitsFile(tmp_path).add({"max_rps": 0.01})
    done = await run_once(MemoryStore({f"k{n}": stored(b"x") for n in range(9)}), tmp_path)
    assert not [event for event in done.events if isinstance(event, Noted)]
    assert not (tmp_path / ".s3haul" / NAME).exists()


def test_limits_are_combined_and_none_removes_one(tmp_path):
    (tmp_path / ".s3haul").mkdir()
    file, reader = LimitsFile(tmp_path), LimitsFile(tmp_path)
    file.add({"max_rps": 5.0})
    file.add({"bandwidth": 1000})
    assert reader.changed(LimitOptions()) == LimitOptions(max_rps=5.0, bandwidth=1000)
    assert reader.changed(LimitOptions()) is None
    file.add({"max_rps": None})
    assert reader.changed(LimitOptions(max_rps=5.0)) == LimitOptions(bandwidth=1000)
    assert (tmp_path / ".s3haul" / NAME).stat().st_mode & 0o077 == 0


def command(*arguments):
    return subprocess.run(  # noqa: PLW1510 - its exit code is looked at
        [sys.executable, "-m", "s3haul", "limit", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


async def test_limit_changes_the_limits_of_the_run(tmp_path):
    store = Held()
    running = asyncio.create_task(run_once(store, tmp_path))
    await store.reached.wait()
    said = await asyncio.to_thread(
        command, tmp_path, "--max-rps", "200", "--max-kms-rps", "off", "--bwlimit", "20MB/s"
    )
    assert (said.returncode, said.stdout) == (
        0,
        f"new limits sent to process {os.getpid()} on {os.uname().nodename}\n",
    )
    store.go_on.set()
    await running


@pytest.mark.parametrize("arguments", [(), ("--max-rps", "x"), ("--max-rps", "5")])
def test_the_command_says_what_is_missing(tmp_path, arguments):
    said = command(tmp_path, *arguments)
    assert (said.returncode, said.stdout) == (UsageError.exit_code, "")
