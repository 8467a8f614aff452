"""Complete runs with the real engine: the files, the reports, and what a second run does."""

import asyncio
import threading

import pytest

from contract.memory import MemoryStore, refused, stored
from engine.harness import DONE, leftovers, manifest, run_once, states, tree
from s3haul.disk.tree import Directories
from s3haul.errors import (
    AccessError,
    Fault,
    FaultKind,
    ListingIncompleteError,
    S3HaulError,
    SourceError,
    StoreError,
)
from s3haul.events import Finished
from s3haul.options import Existing

MIB = 1024 * 1024


def body(seed: int, size: int) -> bytes:
    return bytes((seed + index * 7) % 251 for index in range(min(size, 251))) * (size // 251 + 1)


def blob(seed: int, size: int) -> bytes:
    return body(seed, size)[:size]


async def test_every_object_is_stored_verified_with_its_time_and_recorded(tmp_path):
    objects = {f"dir{n % 5}/file-{n:04}": stored(blob(n, n * 37)) for n in range(2500)}
    done = await run_once(MemoryStore(objects), tmp_path)
    assert tree(tmp_path) == {key: one.body for key, one in objects.items()}
    assert set(states(tmp_path).values()) == {DONE}
    assert (done.stats.done, done.stats.verdicts["verified"], done.stats.exit_code) == (2500, 2500, 0)
    assert done.stats.received == sum(len(one.body) for one in objects.values())
    assert (tmp_path / "dir1/file-0001").stat().st_mtime == 1_700_000_000.0
    assert leftovers(tmp_path) == []


async def test_a_second_run_fetches_nothing(tmp_path):
    store = MemoryStore({f"k{n}": stored(blob(n, 100)) for n in range(50)})
    await run_once(store, tmp_path)
    again = await run_once(store, tmp_path)
    assert store.count("get") == 50
    assert (again.stats.already, again.stats.done, again.stats.exit_code) == (50, 0, 0)


async def test_changed_missing_and_truncated_files_are_fetched_again(tmp_path):
    store = MemoryStore({name: stored(blob(1, 100)) for name in ("same", "changed", "missing", "short")})
    await run_once(store, tmp_path)
    store.objects["changed"] = stored(blob(2, 100))
    (tmp_path / "missing").unlink()
    (tmp_path / "short").write_bytes(b"x")
    again = await run_once(store, tmp_path)
    assert (again.stats.already, again.stats.done) == (1, 3)
    assert tree(tmp_path) == {key: one.body for key, one in store.objects.items()}


async def test_a_key_that_is_gone_from_the_bucket_leaves_the_manifest_but_not_the_disk(tmp_path):
    store = MemoryStore({"a": stored(b"1"), "b": stored(b"2"), "c": stored(b"3")})
    await run_once(store, tmp_path)
    del store.objects["b"], store.objects["c"]
    await run_once(store, tmp_path)
    assert set(manifest(tmp_path)) == {"a"}
    assert set(tree(tmp_path)) == {"a", "b", "c"}


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [0, 1, 5 * MIB + 3])
async def test_full_object_checksums_of_every_kind_are_verified(tmp_path, algorithm, size):
    store = MemoryStore({"k": stored(blob(3, size), algorithm=algorithm)})
    await run_once(store, tmp_path)
    line = manifest(tmp_path)["k"]
    assert (line["verdict"], line["checksum"]["algorithm"]) == ("verified", algorithm)
    assert tree(tmp_path)["k"] == blob(3, size)


@pytest.mark.parametrize("layout_known", [True, False])
@pytest.mark.parametrize("sizes", [(10,), (MIB, MIB, 5), (1, 2 * MIB, 1)])
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
async def test_composite_checksums_are_verified_with_and_without_the_part_layout(
    tmp_path, algorithm, sizes, layout_known
):
    def hide_layout(call):
        if call.operation == "parts" and not layout_known:
            call.answer = None

    content = blob(4, sum(sizes))
    store = MemoryStore(
        {"k": stored(content, algorithm=algorithm, part_sizes=sizes, composite=True)}, fault=hide_layout
    )
    await run_once(store, tmp_path)
    line = manifest(tmp_path)["k"]
    assert (line["verdict"], line["checksum"]["type"]) == ("verified", "COMPOSITE")
    assert sum(size * times for size, times in line["part_sizes"]) == len(content)
    assert tree(tmp_path)["k"] == content


@pytest.mark.parametrize(("failures", "attempts"), [(0, 1), (2, 3)])
async def test_attempts_before_the_parts_were_known_are_counted(tmp_path, failures, attempts):
    """The request that showed that the parts are needed is none that failed."""

    def fail(call):
        if call.operation == "get" and call.n <= failures:
            raise StoreError(Fault(FaultKind.BROKEN, "reset"))

    content = stored(blob(6, 30), algorithm="CRC32C", part_sizes=(10, 20), composite=True)
    done = await run_once(MemoryStore({"k": content}, fault=fail), tmp_path)
    assert [event.outcome.attempts for event in done.events if isinstance(event, Finished)] == [attempts]


async def test_an_object_without_a_checksum_is_size_only_or_fails_on_request(tmp_path):
    store = MemoryStore({"k": stored(b"old", algorithm=None)})
    await run_once(store, tmp_path / "a")
    line = manifest(tmp_path / "a")["k"]
    assert (line["state"], line["verdict"], bool(line["computed"])) == ("done", "size-only", True)
    strict = await run_once(store, tmp_path / "b", require_checksum=True)
    assert states(tmp_path / "b") == {"k": ("failed", "no-checksum")}
    assert (strict.stats.exit_code, tree(tmp_path / "b")) == (1, {})


async def test_a_file_with_a_flipped_byte_never_gets_the_final_name(tmp_path):
    def flip(call):
        if call.operation == "get":
            call.chunks = [b"X" + call.chunks[0][1:], *call.chunks[1:]]

    for size in (10, 3 * MIB):
        root = tmp_path / str(size)
        done = await run_once(MemoryStore({"k": stored(blob(5, size))}, fault=flip), root)
        assert states(root) == {"k": ("failed", "checksum-mismatch")}
        assert (tree(root), leftovers(root), done.stats.exit_code) == ({}, [], 1)
        assert done.stats.received == 0


async def test_a_flipped_byte_in_one_part_of_a_composite_object_is_found(tmp_path):
    def flip(call):
        if call.operation == "parts":
            call.answer = None
        if call.operation == "get":
            call.chunks = [call.chunks[0][:-1] + b"X"]

    store = MemoryStore(
        {"k": stored(blob(6, 30), algorithm="CRC32C", part_sizes=(10, 20), composite=True)}, fault=flip
    )
    await run_once(store, tmp_path)
    assert states(tmp_path) == {"k": ("failed", "checksum-mismatch")}


async def test_data_damaged_in_transit_is_fetched_again(tmp_path):
    def flip_once(call):
        if call.operation == "get" and call.n == 1:
            call.chunks = [b"X" + call.chunks[0][1:]]

    store = MemoryStore({"k": stored(b"hello world")}, fault=flip_once)
    done = await run_once(store, tmp_path)
    assert (tree(tmp_path), done.stats.retries) == ({"k": b"hello world"}, {"checksum-mismatch": 1})


@pytest.mark.parametrize("chunks", [[b"hel"], [b"hello world and more"], [b"hello ", ConnectionError()]])
async def test_bodies_with_a_wrong_length_or_broken_off_are_never_stored(tmp_path, chunks):
    def cut(call):
        if call.operation == "get":
            call.chunks = [
                StoreError(Fault(FaultKind.BROKEN, "reset")) if isinstance(chunk, Exception) else chunk
                for chunk in chunks
            ]

    await run_once(MemoryStore({"k": stored(b"hello world", algorithm=None)}, fault=cut), tmp_path)
    assert states(tmp_path)["k"][0] == "failed"
    assert tree(tmp_path) == {}


async def test_an_object_that_changes_during_the_download_is_fetched_again(tmp_path):
    def change(call):
        if call.operation == "get" and call.n == 1:
            store.objects["k"] = stored(b"new content")
            raise refused(412, "PreconditionFailed")

    store = MemoryStore({"k": stored(b"old")}, fault=change)
    await run_once(store, tmp_path)
    assert (tree(tmp_path), manifest(tmp_path)["k"]["size"]) == ({"k": b"new content"}, 11)


async def test_an_object_that_changes_again_and_again_fails(tmp_path):
    def always(call):
        if call.operation == "get":
            raise refused(412, "PreconditionFailed")

    await run_once(MemoryStore({"k": stored(b"x")}, fault=always), tmp_path)
    assert states(tmp_path) == {"k": ("failed", "changed")}


async def test_archived_objects_are_skipped_without_a_get_and_restored_ones_are_fetched(tmp_path):
    store = MemoryStore(
        {
            "cold": stored(b"c", storage_class="GLACIER"),
            "thawed": stored(b"t", storage_class="DEEP_ARCHIVE", restored=True),
        }
    )
    done = await run_once(store, tmp_path)
    assert states(tmp_path) == {"cold": ("skipped", "archived"), "thawed": DONE}
    assert (store.count("get", "cold"), done.stats.exit_code) == (0, 3)


async def test_folder_markers_become_directories_and_shadowed_keys_are_next_to_them(tmp_path):
    store = MemoryStore(
        {"a": stored(b"file"), "a/b": stored(b"below"), "empty/": stored(b""), "m/": stored(b"x")}
    )
    await run_once(store, tmp_path)
    assert (tmp_path / "empty").is_dir()
    assert tree(tmp_path) == {"a/b": b"below", "~s3haul~@a": b"file", "m/~s3haul~=": b"x"}
    again = await run_once(store, tmp_path)
    assert (again.stats.already, again.stats.exit_code) == (4, 0)


async def test_a_file_is_renamed_when_its_key_becomes_a_directory_later(tmp_path):
    store = MemoryStore({"a": stored(b"file")})
    await run_once(store, tmp_path)
    store.objects["a/b"] = stored(b"below")
    again = await run_once(store, tmp_path)
    assert tree(tmp_path) == {"a/b": b"below", "~s3haul~@a": b"file"}
    assert (store.count("get", "a"), again.stats.exit_code) == (1, 0)
    del store.objects["a/b"]
    last = await run_once(store, tmp_path)
    assert (last.stats.already, last.stats.exit_code) == (1, 0)


async def test_a_file_that_was_renamed_into_a_new_directory_is_found_there(tmp_path):
    key = "n" * 250
    store = MemoryStore({key: stored(b"file")})
    await run_once(store, tmp_path)
    # The next path is in the same directory, which does not exist yet.
    store.objects |= {f"{key}/b": stored(b"below"), "n" * 246 + "a" * 20: stored(b"neighbour")}
    again = await run_once(store, tmp_path)
    assert (store.count("get", key), again.stats.exit_code) == (1, 0)


async def test_a_missing_directory_is_tried_once_a_page(tmp_path, monkeypatch):
    asked, acquire = [], Directories.acquire

    def counted(self, parts, *, create):
        if not create:
            asked.append(parts)
        return acquire(self, parts, create=create)

    monkeypatch.setattr(Directories, "acquire", counted)
    objects = {f"{directory}/{n:04}": stored(b"1") for directory in "ab" for n in range(30)}
    await run_once(MemoryStore(objects), tmp_path)
    assert asked == [("a",), ("b",)]


async def test_filters_exclude_objects_and_do_not_change_the_exit_code(tmp_path):
    store = MemoryStore({"a.txt": stored(b"1"), "b.bin": stored(b"2")})
    done = await run_once(store, tmp_path, filters=((False, "*"), (True, "*.txt")))
    assert (set(tree(tmp_path)), done.stats.filtered, done.stats.exit_code) == ({"a.txt"}, 1, 0)


async def test_files_that_are_not_in_the_journal_are_verified_and_not_fetched(tmp_path):
    store = MemoryStore({"same": stored(b"same bytes"), "other": stored(b"good bytes")})
    (tmp_path / "same").write_bytes(b"same bytes")
    (tmp_path / "other").write_bytes(b"evil bytes")
    await run_once(store, tmp_path)
    assert (store.count("get", "same"), store.count("get", "other")) == (0, 1)
    assert tree(tmp_path) == {"same": b"same bytes", "other": b"good bytes"}
    assert manifest(tmp_path)["same"]["verdict"] == "verified"


@pytest.mark.parametrize(
    ("policy", "content", "state"),
    [(Existing.SKIP, b"mine", ("skipped", "kept-existing")), (Existing.OVERWRITE, b"object", DONE)],
)
async def test_existing_files_can_be_kept_or_overwritten(tmp_path, policy, content, state):
    (tmp_path / "k").write_bytes(b"mine")
    await run_once(MemoryStore({"k": stored(b"object")}), tmp_path, existing=policy)
    assert (tree(tmp_path), states(tmp_path)) == ({"k": content}, {"k": state})


async def test_a_link_planted_in_the_destination_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "dir").symlink_to(outside)
    done = await run_once(MemoryStore({"dir/x": stored(b"1"), "y": stored(b"2")}), root)
    assert list(outside.iterdir()) == []
    assert states(root) == {"dir/x": ("failed", "path-in-the-way"), "y": DONE}
    assert done.stats.exit_code == 1


async def test_one_object_can_be_stored_with_another_name(tmp_path):
    store = MemoryStore({"dir/k": stored(b"one"), "dir/k2": stored(b"two")})
    await run_once(store, tmp_path, prefix="dir/k", recursive=False, file_name="mine")
    await run_once(store, tmp_path, prefix="dir/k2", recursive=False)
    assert tree(tmp_path) == {"mine": b"one", "k2": b"two"}
    assert set(manifest(tmp_path)) == {"dir/k", "dir/k2"}


async def test_one_object_that_is_done_is_not_fetched_again(tmp_path):
    store = MemoryStore({"dir/x": stored(b"x"), "dir/w": stored(b"w")})
    for _ in range(2):
        done = await run_once(store, tmp_path, prefix="dir/x", recursive=False)
    assert (done.stats.already, done.stats.done, store.count("get")) == (1, 0, 1)


async def test_a_missing_object_with_keys_below_suggests_recursive(tmp_path):
    store = MemoryStore({"dir/k": stored(b"one")})
    with pytest.raises(SourceError, match="no object") as caught:
        await run_once(store, tmp_path, prefix="dir", recursive=False)
    assert "--recursive" in caught.value.hint


async def test_an_incomplete_listing_ends_the_run_and_keeps_what_was_done(tmp_path):
    def lose_token(call):
        if call.operation == "list" and call.n == 2:
            call.answer = replace_page(call.answer, token=None)

    def replace_page(page, **changes):
        return page._replace(**changes)

    store = MemoryStore({f"k{n}": stored(b"x") for n in range(30)}, page_size=10, fault=lose_token)
    with pytest.raises(ListingIncompleteError):
        await run_once(store, tmp_path)
    store.fault = None
    again = await run_once(store, tmp_path)
    assert (again.stats.already + again.stats.done, again.stats.exit_code) == (30, 0)


async def test_if_every_object_is_refused_the_run_ends_with_an_access_error(tmp_path):
    def deny(call):
        if call.operation == "get":
            raise refused(403, "AccessDenied", "not authorized to perform: kms:Decrypt on resource: key")

    done = await run_once(MemoryStore({"k": stored(b"x")}, fault=deny), tmp_path)
    assert states(tmp_path) == {"k": ("failed", "kms-access-denied")}
    assert done.stats.exit_code == 4


async def test_a_role_that_lost_its_permissions_ends_the_run_early(tmp_path):
    def deny(call):
        if (call.operation == "get" and store.count("get") > 50) or (
            call.operation == "head" and store.count("get") > 50
        ):
            raise refused(403, "AccessDenied", "Access Denied")

    store = MemoryStore({f"k{n:05}": stored(b"x") for n in range(5000)}, fault=deny)
    with pytest.raises(AccessError):
        await run_once(store, tmp_path)
    assert store.count("get") < 1000


@pytest.mark.parametrize(
    ("status", "code", "row"),
    [(400, "KMS.DisabledException", "S3H-KMS-07"), (403, "SignatureDoesNotMatch", "S3H-NET-01")],
)
@pytest.mark.parametrize("readable", [0, 50])
async def test_a_fault_of_every_object_ends_the_run_early(tmp_path, status, code, row, readable):
    def refuse(call):
        if call.operation == "get" and store.count("get") > readable:
            raise refused(status, code, "no")

    store = MemoryStore({f"k{n:05}": stored(b"x") for n in range(5000)}, fault=refuse)
    with pytest.raises(S3HaulError) as caught:
        await run_once(store, tmp_path)
    assert (caught.value.id, caught.value.exit_code) == (row, 4)
    assert store.count("get") < 1000


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "KMS.DisabledException", "kms-key-unusable"),
        (403, "SignatureDoesNotMatch", "signature-refused"),
    ],
)
@pytest.mark.parametrize("few", [1, 300])
async def test_a_fault_of_some_objects_fails_only_them(tmp_path, status, code, reason, few):
    def refuse(call):
        if call.operation == "get" and call.key.startswith("b"):
            raise refused(status, code, "no")

    keys = [f"{name}{n:03}" for name, count in (("a", 50), ("b", few), ("c", 50)) for n in range(count)]
    done = await run_once(MemoryStore({key: stored(b"x") for key in keys}, fault=refuse), tmp_path)
    assert (done.stats.done, done.stats.failed[reason].count, done.stats.exit_code) == (100, few, 1)


async def test_a_bucket_that_is_deleted_during_the_run_ends_it(tmp_path):
    def lose(call):
        if call.operation == "get" and store.count("get") > 50:
            raise refused(404, "NoSuchBucket", "The specified bucket does not exist")

    store = MemoryStore({f"k{n:05}": stored(b"x") for n in range(500)}, fault=lose)
    with pytest.raises(SourceError) as caught:
        await run_once(store, tmp_path)
    assert (caught.value.id, store.count("get") < 100) == ("S3H-S3-01", True)


async def test_a_few_hundred_refused_objects_among_readable_ones_do_not_end_the_run(tmp_path):
    def deny(call):
        if call.operation == "get" and "secret" in call.key:
            raise refused(403, "AccessDenied", "Access Denied")

    keys = [f"a{n}" for n in range(50)] + [f"secret/{n}" for n in range(300)] + [f"z{n}" for n in range(50)]
    done = await run_once(MemoryStore({key: stored(b"x") for key in keys}, fault=deny), tmp_path)
    assert (done.stats.done, done.stats.failed_count, done.stats.exit_code) == (100, 300, 1)


async def test_the_demanded_encryption_must_be_that_of_the_object(tmp_path):
    store = MemoryStore({"kms": stored(b"1"), "plain": stored(b"2", sse="AES256", kms_key_id="")})
    await run_once(store, tmp_path, sse="aws:kms")
    assert states(tmp_path) == {"kms": DONE, "plain": ("failed", "wrong-encryption")}


async def test_an_empty_bucket_is_done_at_once(tmp_path):
    done = await run_once(MemoryStore({}), tmp_path)
    assert (done.stats.exit_code, manifest(tmp_path)) == (0, {})


async def test_the_row_of_a_version_is_removed_before_its_file_is_replaced(tmp_path):
    store = MemoryStore({"k": stored(b"old")})
    await run_once(store, tmp_path)
    store.objects["k"] = stored(b"new")
    seen = []

    def look(call):
        if call.operation == "get":
            seen.append(manifest(tmp_path))

    store.fault = look
    await run_once(store, tmp_path)
    assert seen == [{}]
    assert manifest(tmp_path)["k"]["size"] == 3


async def test_without_another_thread_the_journal_is_closed_before_the_destination(tmp_path, monkeypatch):
    in_thread = asyncio.to_thread

    async def none_left(function, *arguments):
        if function.__name__ in {"begin_run", "close"}:
            raise RuntimeError("can't start new thread")
        return await in_thread(function, *arguments)

    monkeypatch.setattr(asyncio, "to_thread", none_left)
    with pytest.raises(RuntimeError):
        await run_once(MemoryStore({"k": stored(b"1")}), tmp_path)
    assert "s3haul-journal" not in {thread.name for thread in threading.enumerate()}
