"""Large objects in ranges with the real engine: what an interrupted run leaves,
and how a later one uses it."""

import os
import sqlite3
from contextlib import closing, contextmanager

import pytest

from contract.memory import MemoryStore, stored
from contract.suite import noise
from engine.harness import leftovers, manifest, run_once, states, tree
from s3haul.disk import Destination
from s3haul.disk.errors import FreeSpace
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.events import Finished, Resumed, Retrying
from s3haul.options import RangeOptions
from s3haul.store.limiter import BYTES_PER_TRANSFER

# Requests are four times as large, since the objects are encrypted with SSE-KMS.
TINY = RangeOptions(above=2_000, smallest=250, largest=250, block=200)
BODY = noise(10_000)
CUT = StoreError(Fault(FaultKind.BROKEN, "the line is cut"))


def requested(store):
    """First and last byte of every range that was requested."""
    return [call.request.byte_range for call in store.calls if call.operation == "get"]


def bytes_requested(store):
    return sum(last - first + 1 for first, last in requested(store))


def cut_behind(limit):
    """A fault: every response that goes beyond byte `limit` breaks off there."""

    def fault(call):
        if call.operation == "get" and call.request.byte_range:
            first, last = call.request.byte_range
            if last >= limit:
                body = b"".join(call.chunks)
                call.chunks = [body[: max(0, limit - first)], CUT]

    return fault


async def broken_off(root, **options):
    """A run that gives up after 5,130 of 10,000 bytes: the complete blocks before that are in the file."""
    store = MemoryStore({"k": stored(BODY, **options)}, fault=cut_behind(5_130))
    done = await run_once(store, root, ranges=TINY)
    assert states(root) == {"k": ("failed", "network")}
    assert (tree(root), len(leftovers(root)), done.stats.received) == ({}, 1, 0)


async def again(root, store):
    done = await run_once(store, root, ranges=TINY)
    assert manifest(root)["k"]["state"] == "done"
    assert leftovers(root) == []
    assert rows(root) == (0, 0)
    return done


def rows(root):
    with closing(sqlite3.connect(root / ".s3haul" / "journal.sqlite3")) as connection:
        tables = ("partials", "blocks")
        return tuple(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables)


@contextmanager
def temporary(root):
    (path,) = leftovers(root)
    with path.open("r+b") as file:
        yield file


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "CRC32", "SHA256"])
async def test_the_next_run_fetches_only_what_is_missing(tmp_path, algorithm):
    await broken_off(tmp_path, algorithm=algorithm)
    store = MemoryStore({"k": stored(BODY, algorithm=algorithm)})
    done = await again(tmp_path, store)
    assert tree(tmp_path) == {"k": BODY}
    assert bytes_requested(store) == 10_000 - 5_000
    assert (done.stats.resumed, done.stats.received) == (5_000, 5_000)
    assert manifest(tmp_path)["k"]["verdict"] == "verified"


async def test_an_object_that_must_fail_fails_before_its_body_is_requested(tmp_path):
    store = MemoryStore({"k": stored(BODY)})
    await run_once(store, tmp_path, ranges=TINY, sse="AES256")
    assert requested(store) == []
    assert states(tmp_path) == {"k": ("failed", "wrong-encryption")}


async def test_a_run_that_receives_nothing_keeps_the_partial_file(tmp_path):
    await broken_off(tmp_path)
    store = MemoryStore({"k": stored(BODY)}, fault=cut_behind(0))
    done = await run_once(store, tmp_path, ranges=TINY)
    assert states(tmp_path) == {"k": ("failed", "network")}
    assert (done.stats.resumed, done.stats.received) == (0, 0)
    store.fault = None
    assert (await again(tmp_path, store)).stats.resumed == 5_000


async def test_bytes_that_changed_on_the_disk_are_fetched_again(tmp_path):
    await broken_off(tmp_path)
    with temporary(tmp_path) as file:
        file.seek(1_234)
        file.write(b"\0\1\2")
    store = MemoryStore({"k": stored(BODY)})
    done = await again(tmp_path, store)
    assert tree(tmp_path) == {"k": BODY}
    assert requested(store)[0] == (1_200, 1_399)
    assert done.stats.resumed == 4_800


@pytest.mark.parametrize("damage", ["cut", "gone", "longer", "a link"])
async def test_a_changed_temporary_file_is_not_trusted(tmp_path, damage):
    await broken_off(tmp_path)
    (path,) = leftovers(tmp_path)
    if damage == "cut":
        os.truncate(path, 1_000)
    elif damage == "gone":
        path.unlink()
    elif damage == "longer":
        os.truncate(path, 20_000)
    else:
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    store = MemoryStore({"k": stored(BODY)})
    done = await run_once(store, tmp_path, ranges=TINY)
    assert tree(tmp_path)["k"] == BODY
    assert done.stats.resumed == (1_000 if damage == "cut" else 0)
    assert rows(tmp_path) == (0, 0)


async def test_an_object_that_changed_meanwhile_starts_over(tmp_path):
    await broken_off(tmp_path)
    new = BODY[::-1]
    store = MemoryStore({"k": stored(new)})
    done = await again(tmp_path, store)
    assert tree(tmp_path) == {"k": new}
    assert (bytes_requested(store), done.stats.resumed) == (10_000, 0)


async def test_the_partial_file_of_an_object_that_has_become_small_is_removed(tmp_path):
    await broken_off(tmp_path)
    await again(tmp_path, MemoryStore({"k": stored(b"small now")}))


async def test_the_partial_file_of_an_object_that_is_gone_is_removed(tmp_path):
    await broken_off(tmp_path)
    await run_once(MemoryStore({"other": stored(b"x")}), tmp_path, ranges=TINY)
    assert (leftovers(tmp_path), rows(tmp_path)) == ([], (0, 0))


async def test_the_partial_file_of_a_filtered_object_is_kept(tmp_path):
    await broken_off(tmp_path)
    store = MemoryStore({"k": stored(BODY)})
    for filters in (((False, "*"),), ((False, "*"), (True, "x*"))):
        await run_once(store, tmp_path, ranges=TINY, filters=filters)
        assert len(leftovers(tmp_path)) == 1
    assert (await again(tmp_path, store)).stats.resumed == 5_000


async def test_the_next_run_may_have_other_thresholds(tmp_path):
    await broken_off(tmp_path)
    store = MemoryStore({"k": stored(BODY)})
    await run_once(store, tmp_path, ranges=RangeOptions(above=2_000, smallest=250, largest=250, block=333))
    assert tree(tmp_path) == {"k": BODY}
    assert leftovers(tmp_path) == []


async def test_if_the_path_is_not_free_the_object_fails_and_its_progress_is_subtracted(tmp_path):
    def take_name(call):
        if call.operation == "get":
            (tmp_path / "k").mkdir(exist_ok=True)

    done = await run_once(MemoryStore({"k": stored(BODY)}, fault=take_name), tmp_path, ranges=TINY)
    assert states(tmp_path) == {"k": ("failed", "path-in-the-way")}
    assert (leftovers(tmp_path), rows(tmp_path), done.stats.received) == ([], (0, 0), 0)


async def test_versions_of_a_changing_object_are_never_mixed(tmp_path):
    new = noise(12_000)[2_000:]

    def change(call):
        if call.operation == "get" and call.n == 5:
            store.objects["k"] = stored(new)

    store = MemoryStore({"k": stored(BODY)}, fault=change)
    done = await run_once(store, tmp_path, ranges=TINY)
    assert tree(tmp_path) == {"k": new}
    assert (leftovers(tmp_path), rows(tmp_path)) == ([], (0, 0))
    assert done.stats.received == len(new)


async def test_broken_connections_do_not_count_as_attempts_while_blocks_arrive(tmp_path):
    def fault(call):
        if call.operation == "get":
            call.chunks = [b"".join(call.chunks)[:450], CUT]

    store = MemoryStore({"k": stored(BODY)}, fault=fault)
    done = await run_once(store, tmp_path, ranges=TINY, max_attempts=1)
    assert tree(tmp_path) == {"k": BODY}
    assert done.stats.retries["network"] == len(requested(store)) == 30
    assert done.stats.received == len(BODY)


async def test_only_the_part_that_does_not_match_is_fetched_again(tmp_path):
    def flip_once(call):
        if call.operation == "get" and call.request.byte_range[0] == 3_000 and call.n <= 10:
            call.chunks = [b"".join(call.chunks)[::-1]]

    store = MemoryStore(
        {"k": stored(BODY, algorithm="SHA256", part_sizes=(3_000, 3_000, 4_000), composite=True)},
        fault=flip_once,
    )
    done = await run_once(store, tmp_path, ranges=TINY)
    assert tree(tmp_path) == {"k": BODY}
    again = [span for span in requested(store) if requested(store).count(span) > 1]
    assert {3_000 <= first <= last < 6_000 for first, last in again} == {True}
    assert bytes_requested(store) == 13_000
    assert done.stats.retries["checksum-mismatch"] == 1
    assert any(isinstance(event, Retrying) and "part 2" in event.message for event in done.events)


@pytest.mark.parametrize(("times", "state"), [(1, "done"), (2, "failed")])
async def test_attempts_before_and_after_a_mismatch_are_added_up(tmp_path, times, state):
    faults = [lambda _body: [CUT]] + times * [lambda body: [body[::-1]]]

    def fault(call):
        if call.operation == "get" and call.request.byte_range[0] == 0 and faults:
            call.chunks = faults.pop(0)(b"".join(call.chunks))

    done = await run_once(MemoryStore({"k": stored(BODY)}, fault=fault), tmp_path, ranges=TINY)
    outcomes = [event.outcome for event in done.events if isinstance(event, Finished)]
    assert [(outcome.state, outcome.attempts) for outcome in outcomes] == [(state, 3)]


async def test_a_second_mismatch_fails_the_object_and_leaves_nothing(tmp_path):
    def flip(call):
        if call.operation == "get":
            call.chunks = [b"X" + b"".join(call.chunks)[1:]]

    store = MemoryStore({"k": stored(BODY)}, fault=flip)
    done = await run_once(store, tmp_path, ranges=TINY)
    assert states(tmp_path) == {"k": ("failed", "checksum-mismatch")}
    assert bytes_requested(store) == 20_000
    assert (tree(tmp_path), leftovers(tmp_path), rows(tmp_path)) == ({}, [], (0, 0))
    assert done.stats.received == 0


async def test_a_resumed_object_with_a_wrong_checksum_subtracts_its_progress(tmp_path):
    await broken_off(tmp_path)
    other = b"!" + BODY[1:]  # with the same ETag
    store = MemoryStore({"k": stored(other, etag=stored(BODY).etag)})
    done = await run_once(store, tmp_path, ranges=TINY)
    assert manifest(tmp_path)["k"]["state"] == "done"
    assert tree(tmp_path) == {"k": other}
    resumed = [event.bytes for event in done.events if isinstance(event, Resumed)]
    assert (sum(resumed), min(resumed) < 0, done.stats.received) == (0, True, 10_000)


async def test_after_a_refused_head_a_get_finds_the_reason(tmp_path):
    def fault(call):
        if call.operation == "head":
            raise StoreError(Fault(FaultKind.HTTP, "Forbidden", code="403", status=403))

    store = MemoryStore({"k": stored(BODY)}, fault=fault)
    await run_once(store, tmp_path, ranges=TINY)
    assert tree(tmp_path) == {"k": BODY}
    assert requested(store) == [(0, 0), None]


async def test_after_one_refused_head_ranges_are_still_used(tmp_path):
    def fault(call):
        if call.operation == "head" and call.n == 1:
            raise StoreError(Fault(FaultKind.HTTP, "Bad Request", code="400", status=400))

    store = MemoryStore({"k": stored(BODY)}, fault=fault)
    await run_once(store, tmp_path, ranges=TINY)
    assert tree(tmp_path) == {"k": BODY}
    assert None not in requested(store)


async def test_many_large_objects_at_once_stay_within_the_memory(tmp_path):
    store = MemoryStore({f"k{number}": stored(BODY) for number in range(40)})
    ranges = RangeOptions(above=2_000, smallest=250, largest=250, block=200, memory=3 * BYTES_PER_TRANSFER)
    await run_once(store, tmp_path, ranges=ranges, concurrency=32)
    assert len(tree(tmp_path)) == 40
    assert 1 < store.most_open <= 3


async def test_a_destination_that_is_too_small_is_reported_before_the_first_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(Destination, "free_space", lambda _self: FreeSpace(10_000, 1))
    store = MemoryStore({"a": stored(BODY), "b": stored(b"x")})
    done = await run_once(store, tmp_path)
    (warning,) = done.stats.warnings
    assert "9.8 KiB in 2 files" in warning
    kinds = [type(event).__name__ for event in done.events]
    assert kinds.index("Warned") < kinds.index("Received")
