"""kill -9 at random moments, then the same command again: what is there is right after every kill.

`S3HAUL_KILL_ROUNDS` makes the campaign longer, `S3HAUL_KILL_SEED` repeats one; both are in every failure.
"""

import contextlib
import os
import random
import secrets
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from e2e.harness import (
    SOURCE,
    Machine,
    expected,
    leftovers,
    paths,
    tree,
    wait_until,
)
from s3haul.demo import seed
from s3haul.demo.content import Generated, seed_of
from s3haul.demo.server import DemoServer
from s3haul.journal import Reader
from s3haul.models import State

ROUNDS = int(os.environ.get("S3HAUL_KILL_ROUNDS", "12"))
SEED = int(os.environ.get("S3HAUL_KILL_SEED") or secrets.randbelow(1 << 32))
CONCURRENCY = 8
OBJECTS_PER_ROUND = 40
LARGE = 1_500_000  # bytes: beyond what is written in one go
DONE_ROWS = "SELECT count(*) FROM objects JOIN kinds ON kind = number WHERE state = 'done'"
# Small pages: the listing is read by several at a time, too.
COMMAND = ("cp", SOURCE, ".", "--profile", "export", "--concurrency", str(CONCURRENCY), "--page-size", "20")


@pytest.fixture
def server():
    cloud = seed.standard_cloud()
    for number in range(OBJECTS_PER_ROUND * ROUNDS):
        key = f"{number % 5}/{number:05}"
        size = LARGE + number if number % 25 == 7 else 100 + 13 * number
        checksum = None if number % 10 == 3 else "CRC64NVME"
        cloud.put(seed.BUCKET, key, Generated(seed_of(key), size), checksum=checksum)
    with DemoServer(cloud) as running:
        running.faults.add("delay", operation="GetObject", seconds=0.2)
        running.faults.add("trickle", operation="GetObject", every=25, rate=20_000)
        yield running


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_after_every_kill_the_files_are_correct_and_the_same_command_finishes(server, machine, tmp_path):
    dest = tmp_path / "dest"
    dest.mkdir()
    oracle, dice, committed = expected(server), random.Random(SEED), 0
    kills = 0
    for number in range(ROUNDS):
        wait_for_commit = number % 3 == 2
        kills += killed(server, machine, dest, dice, wait_for_commit=wait_for_commit)
        context = f"seed {SEED}, round {number}"
        assert_right_so_far(dest, oracle, context)
        rows = assert_journal_is_right(server, dest, oracle, context)
        assert rows >= committed, context
        committed = rows
    assert kills > ROUNDS / 2, f"seed {SEED}: the runs were too short to be killed"
    assert committed, f"seed {SEED}: no run lived long enough to commit"

    server.faults.clear()
    ran = machine.run(*COMMAND, "--json", cwd=dest)
    assert ran.code == 0, (SEED, ran.text)
    assert ran.summary["balanced"]
    assert tree(dest) == oracle
    assert leftovers(dest) == []
    assert assert_journal_is_right(server, dest, oracle, "the end") == len(oracle)
    # A file that landed and was not committed is verified where it lies: only what was in flight is lost.
    # Requests of the batches and of the general path may both be under way.
    assert server.count("GetObject") <= len(oracle) + 2 * CONCURRENCY * kills
    assert machine.run("verify", str(dest)).code == 0


def killed(
    server: DemoServer, machine: Machine, dest: Path, dice: random.Random, *, wait_for_commit: bool
) -> bool:
    """Start the command and kill its process group at a random moment; whether it was still running."""
    before, rows = len(server.calls), done_rows(dest)
    calls, pause = dice.randrange(50), dice.uniform(0.0, 0.2)
    with machine.start(*COMMAND, cwd=dest) as process:

        def moment() -> bool:
            if process.poll() is not None:
                return True
            return done_rows(dest) > rows if wait_for_commit else len(server.calls) - before >= calls

        wait_until(moment, "the moment to kill")
        time.sleep(pause)
        running = process.poll() is None
        if running:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return running


def done_rows(dest: Path) -> int:
    """Committed rows that say done; 0 while there is no journal yet, or one without its tables."""
    path = dest / ".s3haul" / "journal.sqlite3"
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'objects'").fetchone()[0]:
            return 0
        return connection.execute(DONE_ROWS).fetchone()[0]


def assert_right_so_far(dest: Path, oracle: dict[str, bytes], context: str) -> None:
    """Nothing stands under a final name but the object that belongs there, whole."""
    for path, body in tree(dest).items():
        assert body == oracle.get(path), (context, path)


def assert_journal_is_right(server: DemoServer, dest: Path, oracle: dict[str, bytes], context: str) -> int:
    """The journal opens, and every row that says done is right on disk; how many there are."""
    if not done_rows(dest):
        return 0
    places, rows = paths(server), 0
    with Reader(dest / ".s3haul" / "journal.sqlite3") as reader:
        for outcome in reader.outcomes():
            assert outcome.state is State.DONE, (context, outcome)
            assert outcome.path == places[outcome.ref.key], context
            assert (dest / outcome.path).read_bytes() == oracle[outcome.path], (context, outcome.path)
            rows += 1
    return rows
