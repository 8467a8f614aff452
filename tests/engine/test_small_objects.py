"""The batch path has the same outcomes as the general path;
it hands back everything that is not a normal case."""

import asyncio
import random
from collections import deque
from types import SimpleNamespace

import pytest

from engine.harness import leftovers, manifest, tree
from engine.on_demo import empty_server, opened, run_on
from s3haul.demo import seed
from s3haul.engine.listing import produce
from s3haul.engine.small_objects import SmallObjectFetcher
from s3haul.errors import JournalError
from s3haul.events import Finished, Retrying

KINDS = (
    {"checksum": "CRC64NVME"},
    {"checksum": "SHA256"},
    {"checksum": None},
    {"checksum": "CRC32", "checksum_type": "COMPOSITE", "part_sizes": (700, 300)},
    {"checksum": "CRC32C", "checksum_type": "COMPOSITE", "part_sizes": (1000,)},
)
FAULTS = (
    ("error", {"status": 500, "code": "InternalError"}),
    ("error", {"status": 403, "code": "AccessDenied"}),
    ("error", {"status": 404, "code": "NoSuchKey"}),
    ("reset", {"after": 100}),
    ("close", {}),
    ("flip", {}),
)


def put_objects(server, dice: random.Random, *, faults: bool = True) -> None:
    """Objects of all kinds; every third one has a fault, permanent or once."""
    for number in range(36):
        key = f"k/{number:02}"
        server.cloud.put(
            seed.BUCKET,
            key,
            dice.randbytes(1000),
            sse=dice.choice(("aws:kms", "AES256")),
            **dice.choice(KINDS),
        )
        if faults and number % 3 == 0:
            kind, fields = dice.choice(FAULTS)
            final = fields.get("status") in {403, 404}  # a retry would succeed
            often = {} if final or dice.random() < 0.5 else {"first": 1}
            server.faults.add(kind, operation="GetObject", key=key, **fields, **often)


def ended(root) -> dict[str, tuple]:
    fields = ("state", "reason", "verdict", "checksum", "size", "path", "sse")
    return {key: tuple(line[name] for name in fields) for key, line in manifest(root).items()}


def attempts(done) -> set[int]:
    return {event.outcome.attempts for event in done.events if isinstance(event, Finished)}


@pytest.mark.parametrize("seed_number", range(6))
async def test_both_paths_have_the_same_outcome(tmp_path, monkeypatch, seed_number):
    seen = []
    for batches in (True, False):
        root = tmp_path / str(batches)
        with empty_server() as server:
            put_objects(server, random.Random(seed_number))
            async with opened(server, "curl", tmp_path / f"home-{batches}") as store:
                if not batches:
                    monkeypatch.setattr(type(store), "small_objects", lambda *_: None)
                await run_on(store, root)
        assert leftovers(root) == []
        seen.append((ended(root), tree(root)))
    monkeypatch.undo()
    assert {key: (line, seen[1][0][key]) for key, line in seen[0][0].items() if line != seen[1][0][key]} == {}
    assert seen[0][1] == seen[1][1]
    assert {line[0] for line in seen[0][0].values()} >= {"done"}


async def test_normal_objects_need_one_request_and_received_bytes_add_up(tmp_path):
    with empty_server() as server:
        for number in range(300):
            server.cloud.put(
                seed.BUCKET, f"k/{number:03}", b"x" * number, checksum="CRC64NVME", sse="aws:kms"
            )
        async with opened(server, "curl", tmp_path / "home") as store:
            done = await run_on(store, tmp_path / "dest")
        assert server.count("GetObject") == 300
    assert (done.stats.done, done.stats.received) == (300, sum(range(300)))
    assert done.stats.balanced


async def test_a_refusal_in_a_batch_is_the_first_attempt_and_costs_no_second_request(tmp_path):
    with empty_server() as server:
        for number in range(40):
            server.cloud.put(seed.BUCKET, f"k/{number:02}", b"x", sse="aws:kms")
        for number in range(0, 40, 4):
            server.faults.add(
                "error", operation="GetObject", key=f"k/{number:02}", status=404, code="NoSuchKey"
            )
        async with opened(server, "curl", tmp_path / "home") as store:
            done = await run_on(store, tmp_path / "dest")
        assert server.count("GetObject") == 40
    assert (done.stats.done, done.stats.failed_count) == (30, 10)
    assert attempts(done) == {1}


async def test_a_batch_that_is_throttled_is_reported_and_waits_as_the_server_asks(tmp_path):
    with empty_server() as server:
        for number in range(6):
            key = f"k/{number:02}"
            server.cloud.put(seed.BUCKET, key, b"x", sse="aws:kms")
            server.faults.add(
                "error",
                operation="GetObject",
                key=key,
                status=503,
                code="SlowDown",
                headers={"Retry-After": "1"},
                first=1,
            )
        async with opened(server, "curl", tmp_path / "home") as store:
            done = await run_on(store, tmp_path / "dest")
        assert server.count("GetObject") == 12
    assert done.stats.done == 6
    assert attempts(done) == {2}
    waits = [event.delay for event in done.events if isinstance(event, Retrying)]
    assert len(waits) == 6
    assert max(waits) >= 1.0


@pytest.mark.parametrize(
    ("effect", "reason"), [("flip", "checksum-mismatch"), ("wrong-etag", "wrong-answer")]
)
async def test_damage_that_a_batch_meets_is_counted_as_an_attempt_and_a_retry(tmp_path, effect, reason):
    with empty_server() as server:
        for number in range(20):
            key = f"k/{number:02}"
            server.cloud.put(seed.BUCKET, key, b"x" * 100, checksum="CRC64NVME")
            server.faults.add(effect, operation="GetObject", key=key, first=1)
        async with opened(server, "curl", tmp_path / "home") as store:
            done = await run_on(store, tmp_path / "dest")
        assert server.count("GetObject") == 40
    assert (done.stats.done, attempts(done), done.stats.retries) == (20, {2}, {reason: 20})


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [("close", {}, "network"), ("reset", {"after": 50}, "network"), ("stall", {"after": 50}, "stalled")],
)
async def test_a_connection_that_fails_in_a_batch_is_counted_as_an_attempt_and_a_retry(
    tmp_path, kind, fields, reason
):
    with empty_server() as server:
        for number in range(6):
            key = f"k/{number:02}"
            server.cloud.put(seed.BUCKET, key, b"x" * 100, checksum="CRC64NVME")
            server.faults.add(kind, operation="GetObject", key=key, first=1, **fields)
        async with opened(server, "curl", tmp_path / "home", stall_timeout=1.0) as store:
            done = await run_on(store, tmp_path / "dest")
        assert server.count("GetObject") == 12
    assert (done.stats.done, attempts(done), done.stats.retries) == (6, {2}, {reason: 6})


async def test_an_object_with_another_encryption_than_demanded_is_requested_once(tmp_path):
    with empty_server() as server:
        for number in range(20):
            server.cloud.put(seed.BUCKET, f"k/{number:02}", b"x", sse="aws:kms" if number % 2 else "AES256")
        async with opened(server, "curl", tmp_path / "home") as store:
            done = await run_on(store, tmp_path / "dest", sse="AES256")
        assert server.count("GetObject") == 20
    assert (done.stats.done, set(done.stats.failed)) == (10, {"wrong-encryption"})


async def test_a_low_bandwidth_does_not_stop_the_connections_of_small_objects(tmp_path):
    """libcurl's own limit did: of connections that are reused, it then looked at none for ten seconds."""
    with empty_server() as server:
        for number in range(300):
            server.cloud.put(seed.BUCKET, f"k/{number:03}", b"x" * 1000)
        limit = {"bandwidth": 400_000}
        async with opened(server, "curl", tmp_path / "home", **limit) as store, asyncio.timeout(30):
            done = await run_on(store, tmp_path / "dest", **limit)
    assert done.stats.done == 300


async def test_with_a_slow_disk_the_file_threads_write(tmp_path, monkeypatch):
    monkeypatch.setattr("s3haul.engine.small_objects.SLOW_FILE", 0.0)
    with empty_server() as server:
        put_objects(server, random.Random(1), faults=False)
        async with opened(server, "curl", tmp_path / "home") as store:
            done = await run_on(store, tmp_path / "dest")
    assert done.stats.done == 36
    assert len(tree(tmp_path / "dest")) == 36


# In the transfer thread, before and after a request; in a file thread.
@pytest.mark.parametrize("function", ["next", "received", "before_wait", "_accept"])
async def test_a_bug_in_a_thread_ends_the_run_at_once_though_it_still_lists(tmp_path, monkeypatch, function):
    def broken(*_):
        raise ZeroDivisionError

    async def endless(*arguments):
        await produce(*arguments)
        await asyncio.Event().wait()

    monkeypatch.setattr("s3haul.engine.small_objects.SLOW_FILE", 0.0)
    monkeypatch.setattr(f"s3haul.engine.small_objects.SmallObjectFetcher.{function}", broken)
    monkeypatch.setattr("s3haul.engine.dispatch.produce", endless)
    with empty_server() as server:
        put_objects(server, random.Random(1), faults=False)
        async with opened(server, "curl", tmp_path / "home") as store, asyncio.timeout(30):
            with pytest.raises(ZeroDivisionError):
                await run_on(store, tmp_path / "dest")


async def test_an_error_of_the_journal_in_the_last_batch_ends_the_run(tmp_path, monkeypatch):
    def full(*_):
        raise JournalError("the journal is full")

    monkeypatch.setattr("s3haul.engine.dispatch.finish", full)
    with empty_server() as server:
        server.cloud.put(seed.BUCKET, "k", b"x", checksum="CRC64NVME", sse="aws:kms")
        async with opened(server, "curl", tmp_path / "home") as store:
            with pytest.raises(JournalError):
                await run_on(store, tmp_path / "dest")


async def test_a_run_is_drained_though_the_transfer_thread_takes_the_last_target_at_the_same_time():
    class Targets(deque):
        def pop(self):
            if len(self) == 1:
                self.popleft()
            return super().pop()

    store = SimpleNamespace(small_objects=lambda _work: None)
    ctx = SimpleNamespace(store=store, limiter=SimpleNamespace(count_others=lambda _others: None))
    fetcher = SmallObjectFetcher(ctx, lambda _outcomes: None, lambda _target: None)
    await fetcher.submit(["a", "b", "c"])
    fetcher._targets = Targets(fetcher._targets)
    fetcher.drain()
    assert (len(fetcher._targets), fetcher._unfinished) == (0, 1)
