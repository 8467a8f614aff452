"""kill -9 in the middle of one large object, again and again: what was kept is not fetched again, and at the
end every byte is right.

`S3HAUL_KILL_LARGE_ROUNDS` and `S3HAUL_KILL_LARGE_MIB` make the campaign longer,
`S3HAUL_KILL_SEED` repeats one.
"""

import contextlib
import os
import random
import re
import secrets
import shutil
import signal
import sqlite3
import time

import pytest

from e2e.harness import SOURCE, leftovers, wait_until
from s3haul.demo import seed
from s3haul.demo.content import Generated, seed_of
from s3haul.demo.server import DemoServer

MIB = 1 << 20
ROUNDS = int(os.environ.get("S3HAUL_KILL_LARGE_ROUNDS", "4"))
SIZE = int(os.environ.get("S3HAUL_KILL_LARGE_MIB", "96")) * MIB + 12_345
SEED = int(os.environ.get("S3HAUL_KILL_SEED") or secrets.randbelow(1 << 32))
CAMPAIGN = ROUNDS > 20
KEY = "large.bin"
COMMAND = ("cp", SOURCE, ".", "--profile", "export", "--concurrency", "8")


@pytest.fixture
def server():
    cloud = seed.standard_cloud()
    cloud.put(seed.BUCKET, KEY, Generated(seed_of(KEY), SIZE), checksum="SHA256", bucket_key=True)
    with DemoServer(cloud) as running:
        if not CAMPAIGN:
            running.faults.add("trickle", operation="GetObject", rate=2 * MIB)
        yield running


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_what_a_killed_run_kept_of_an_object_is_not_fetched_again(server, machine, tmp_path, capsys):
    dest, dice = tmp_path / "dest", random.Random(SEED)
    kept, kills, landed, sent, resumed = {}, 0, 0, 0, 0
    for number in range(ROUNDS):
        context = f"seed {SEED}, round {number}"
        dest.mkdir(exist_ok=True)
        server.log.clear()
        finished = not killed(server, machine, dest, dice, wait_for_blocks=number % 2 == 0)
        sent += sum(call.sent for call in server.calls if call.operation == "GetObject")
        assert_nothing_kept_was_asked_for(server, kept, context)
        resumed += bool(kept)
        kills += not finished
        if (dest / KEY).exists():  # also where the kill came between its rename and the end
            assert_whole(dest, context)
            shutil.rmtree(dest)
            kept, landed = {}, landed + 1
            continue
        assert not finished, context
        found = blocks(dest)
        assert kept.items() <= found.items(), context
        kept = found
    dest.mkdir(exist_ok=True)
    server.faults.clear()
    server.log.clear()
    ran = machine.run(*COMMAND, "--json", cwd=dest)
    assert ran.code == 0, (SEED, ran.text)
    assert_nothing_kept_was_asked_for(server, kept, f"seed {SEED}, the end")
    sent += sum(call.sent for call in server.calls if call.operation == "GetObject")
    assert ran.summary["resumed_bytes"] == sum(kept.values())
    assert_whole(dest, f"seed {SEED}, the end")
    assert leftovers(dest) == []
    assert blocks(dest) == {}
    assert kills
    assert resumed, f"seed {SEED}: no run kept a block"
    objects = (landed + 1) * SIZE
    with capsys.disabled():
        again = (sent - objects) / max(kills, 1) / MIB
        print(
            f"\n{kills} kills of {SIZE / MIB:.0f} MiB: {again:.1f} MiB fetched again a kill, {objects} bytes right"
        )


def killed(server, machine, dest, dice, *, wait_for_blocks):
    """Start the command and kill its process group at a random moment; whether it was still running."""
    before, pause = len(blocks(dest)), dice.uniform(0.0, 3.0 if CAMPAIGN else 0.5)
    with machine.start(*COMMAND, cwd=dest) as process:

        def moment():
            if process.poll() is not None:
                return True
            if wait_for_blocks:
                return len(blocks(dest)) > before
            return any(call.operation == "GetObject" for call in server.calls)

        wait_until(moment, "the moment to kill")
        time.sleep(pause)
        running = process.poll() is None
        if running:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return running


def blocks(dest):
    """Start and size of every block that the journal vouches for."""
    path = dest / ".s3haul" / "journal.sqlite3"
    if not path.exists():
        return {}
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return dict(connection.execute("SELECT start, size FROM blocks"))
        except sqlite3.OperationalError:  # its tables are still to come
            return {}


def assert_nothing_kept_was_asked_for(server, kept, context):
    for call in server.calls:
        if call.operation == "GetObject":
            first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", call.range).groups())
            assert call.if_match, context
            again = [start for start, size in kept.items() if first < start + size and start <= last]
            assert not again, (context, call.range, again[:3])


def assert_whole(dest, context):
    content = Generated(seed_of(KEY), SIZE)
    with (dest / KEY).open("rb") as file:
        for start in range(0, SIZE, MIB):
            assert file.read(MIB) == content.read(start, MIB), (context, start)
        assert file.read() == b""
