"""What every `ObjectStore` must do, whatever stands behind it. Not collected by itself.

A test file derives from `ObjectStoreContract` and gives it the fixture `case`, a `StoreCase`; a store
that cannot hold some kind of object says so in `lacks` and the tests of that kind are skipped.
"""

import asyncio
import gzip
import hashlib
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from contract.loading import loaded
from contract.memory import digest, text
from s3haul.errors import FaultKind, StoreError
from s3haul.models import Checksum
from s3haul.store.protocol import GetRequest, HeadRequest, ObjectStore

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
COMPOSITE_ALGORITHMS = ("CRC32", "CRC32C", "SHA1", "SHA256")
ODD_KEYS = (
    "a//b",
    "/lead",
    "../up",
    "a/../b",
    "./a",
    "dir/",
    "plus+and space",
    "percent%2Fslash",
    "quest?ion",
    "hash#tag",
    "amp&lt<gt>quote\"'",
    "back\\slash",
    "new\nline",
    "tab\tand\x01control",
    "ünïcode",
    "e\u0301 decomposed",
    "\uffee before",
    "\U0001f600 after",
    "x" * 900,
)
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """One object to store. `algorithm` None stores no checksum."""

    body: bytes
    algorithm: str | None = "CRC64NVME"
    part_sizes: tuple[int, ...] = ()
    composite: bool = False
    content_encoding: str = ""


OpenBucket = Callable[[Mapping[str, Upload], int, int], AbstractAsyncContextManager[ObjectStore]]


@dataclass(frozen=True, slots=True)
class StoreCase:
    """One implementation: `open(contents, page size, concurrency)` gives a store of a fresh bucket.

    `lacks` may hold: odd-keys, versions, no-checksum, composite, parts, small-parts (below 5 MiB), layout,
    kms, encoding, and names of checksum algorithms.
    """

    open: OpenBucket
    lacks: frozenset[str] = frozenset()


def noise(size: int) -> bytes:
    """Bytes that do not repeat, the same every time."""
    blocks = (hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


async def read(store: ObjectStore, key: str, **request) -> bytes:
    async with loaded(store, GetRequest(key, **request)) as body:
        return body.body


async def refusal(store: ObjectStore, key: str, **request) -> tuple[int, str]:
    with pytest.raises(StoreError) as caught:
        await read(store, key, **request)
    assert caught.value.fault.kind is FaultKind.HTTP
    return caught.value.fault.status, caught.value.fault.code


class ObjectStoreContract:
    @pytest.fixture
    def bucket(self, case: StoreCase):
        """Opens a bucket with the given uploads; skips where the store lacks what the test needs."""

        def opened(contents: Mapping[str, Upload], *, needs=(), page_size=1000, concurrency=4):
            missing = case.lacks.intersection(needs)
            if missing:
                pytest.skip(f"this store lacks {', '.join(sorted(missing))}")
            return case.open(contents, page_size, concurrency)

        return opened

    async def test_a_listing_is_in_the_order_of_utf8_bytes_with_every_key_as_it_is(self, bucket):
        async with bucket({key: Upload(b"x") for key in ODD_KEYS}, needs={"odd-keys"}) as store:
            page = await store.list_page("")
        assert [entry.key for entry in page.entries] == sorted(ODD_KEYS, key=str.encode)
        assert (page.truncated, page.token, page.empty_answer) == (False, None, False)
        assert page.key_count == len(ODD_KEYS)

    async def test_every_odd_key_can_be_fetched_and_looked_at(self, bucket):
        contents = {key: Upload(key.encode()) for key in ODD_KEYS}
        async with bucket(contents, needs={"odd-keys"}) as store:
            for key in ODD_KEYS:
                assert await read(store, key) == key.encode()
                assert (await store.head(HeadRequest(key))).length == len(key.encode())

    async def test_pages_continue_by_token_until_the_end(self, bucket):
        keys = [f"k{number:02}" for number in range(7)]
        async with bucket({key: Upload(b"x") for key in keys}, page_size=3) as store:
            pages = [await store.list_page("")]
            while pages[-1].truncated:
                pages.append(await store.list_page("", token=pages[-1].token))
        assert [[entry.key for entry in page.entries] for page in pages] == [keys[:3], keys[3:6], keys[6:]]
        assert [page.key_count for page in pages] == [3, 3, 1]
        assert pages[-1].token is None

    async def test_a_listing_can_start_after_a_key_and_stay_below_a_prefix(self, bucket):
        contents = {key: Upload(b"x") for key in ("a", "p/1", "p/2", "p/3", "q")}
        async with bucket(contents) as store:
            later = await store.list_page("", start_after="p/2")
            below = await store.list_page("p/")
            both = await store.list_page("p/", start_after="p/2")
        assert [entry.key for entry in later.entries] == ["p/3", "q"]
        assert [entry.key for entry in below.entries] == ["p/1", "p/2", "p/3"]
        assert [entry.key for entry in both.entries] == ["p/3"]

    async def test_an_empty_listing_is_a_valid_response(self, bucket):
        async with bucket({"a": Upload(b"x")}) as store:
            page = await store.list_page("nothing/")
        assert (page.entries, page.truncated, page.key_count, page.empty_answer) == ((), False, 0, False)

    async def test_all_versions_are_listed_page_by_page_and_each_can_be_looked_at(self, bucket):
        keys = ["a", "p/1", "p/2", "p/3", "q"]
        contents = {key: Upload(key.encode()) for key in keys}
        async with bucket(contents, needs={"versions"}, page_size=2) as store:
            pages = [await store.list_versions("p/")]
            while pages[-1].truncated:
                pages.append(
                    await store.list_versions("p/", marker=(pages[-1].next_key, pages[-1].next_version))
                )
            nothing = await store.list_versions("nothing/")
            entries = [entry for page in pages for entry in page.entries]
            for entry in entries:
                assert entry.ref.version_id
                seen = await store.head(HeadRequest(entry.ref.key, version_id=entry.ref.version_id))
                assert (seen.etag, seen.size) == (entry.ref.etag, entry.ref.size)
        assert [entry.ref.key for entry in entries] == ["p/1", "p/2", "p/3"]
        assert all(entry.latest and not entry.deleted for entry in entries)
        assert (nothing.entries, nothing.truncated, nothing.empty_answer) == ((), False, False)

    async def test_listing_head_and_get_agree_about_an_object(self, bucket):
        async with bucket({"a": Upload(noise(1000))}) as store:
            entry = (await store.list_page("")).entries[0]
            seen = (await store.head(HeadRequest("a"))).ref("a")
            async with loaded(store, GetRequest("a")) as body:
                meta = body.meta
        assert (entry.key, entry.size, entry.storage_class) == ("a", 1000, "STANDARD")
        assert entry.etag.startswith('"')
        assert entry.etag.endswith('"')
        assert (seen.key, seen.size, seen.etag, seen.version_id) == ("a", 1000, entry.etag, None)
        assert (meta.size, meta.etag) == (1000, entry.etag)
        assert int(entry.last_modified) == int(seen.last_modified) == int(meta.last_modified)
        assert entry.last_modified > 1_600_000_000

    async def test_a_whole_object_comes_in_order_in_pieces_of_at_most_a_mebibyte(self, bucket):
        data = noise(3 * MEBIBYTE + 7)
        async with bucket({"big": Upload(data)}) as store, loaded(store, GetRequest("big")) as body:
            meta = body.meta
            chunks = body.chunks
        assert b"".join(chunks) == data
        assert 0 < min(map(len, chunks)) <= max(map(len, chunks)) <= MEBIBYTE
        assert (meta.status, meta.length, meta.size, meta.range_start) == (200, len(data), len(data), None)

    async def test_a_body_comes_in_order_and_not_on_the_event_loop(self, bucket):
        data = noise(3 * MEBIBYTE + 7)
        got, threads = bytearray(), set()

        def consume(_meta):
            threads.add(threading.get_ident())
            return take

        def take(chunk):
            got.extend(chunk)
            threads.add(threading.get_ident())

        async with bucket({"big": Upload(data), "empty": Upload(b"")}) as store:
            for key in ("big", "big", "empty"):  # the second on the connection of the first
                await store.load(GetRequest(key), consume)
        assert got == data + data
        assert threading.get_ident() not in threads

    @pytest.mark.parametrize("where", ["headers", "body"])
    async def test_what_a_consumer_raises_ends_the_request_and_frees_its_connection(self, bucket, where):
        async with bucket({"big": Upload(noise(2 * MEBIBYTE))}, concurrency=1) as store, asyncio.timeout(60):

            def refuse(_):
                raise ZeroDivisionError

            consume = refuse if where == "headers" else lambda _meta: refuse
            for _ in range(24):
                with pytest.raises(ZeroDivisionError):
                    await store.load(GetRequest("big"), consume)
            assert len(await read(store, "big")) == 2 * MEBIBYTE

    async def test_a_cancelled_request_has_ended_when_it_is_left(self, bucket):
        async with bucket({"big": Upload(noise(8 * MEBIBYTE))}, concurrency=1) as store, asyncio.timeout(60):
            for _ in range(12):
                begun, release, taking = threading.Event(), threading.Event(), []

                def take(_piece, begun=begun, release=release, taking=taking):
                    taking.append(True)
                    begun.set()
                    release.wait(30)
                    taking.pop()

                task = asyncio.create_task(store.load(GetRequest("big"), lambda _meta, take=take: take))
                await asyncio.to_thread(begun.wait, 30)
                task.cancel()
                await asyncio.sleep(0)
                task.cancel()  # impatience changes nothing
                await asyncio.sleep(0)
                assert not task.done()
                release.set()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert taking == []
            assert len(await read(store, "big")) == 8 * MEBIBYTE

    async def test_an_empty_object_has_no_pieces(self, bucket):
        async with bucket({"empty": Upload(b"")}) as store, loaded(store, GetRequest("empty")) as body:
            assert body.chunks == []
            assert (body.meta.status, body.meta.length, body.meta.size) == (200, 0, 0)

    async def test_a_range_gives_just_these_bytes_and_says_where_they_are(self, bucket):
        data = noise(1000)
        async with (
            bucket({"a": Upload(data)}) as store,
            loaded(store, GetRequest("a", byte_range=(10, 19))) as body,
        ):
            assert body.body == data[10:20]
            meta = body.meta
        assert (meta.status, meta.length, meta.size, meta.range_start) == (206, 10, 1000, 10)
        assert meta.checksums == ()

    async def test_a_range_ends_with_the_object_and_cannot_begin_behind_it(self, bucket):
        data = noise(100)
        async with bucket({"a": Upload(data), "empty": Upload(b"")}) as store:
            assert await read(store, "a", byte_range=(90, 500)) == data[90:]
            assert await refusal(store, "a", byte_range=(100, 200)) == (416, "InvalidRange")
            assert (await refusal(store, "empty", byte_range=(0, 0)))[0] == 416

    async def test_a_precondition_holds_for_the_listed_etag_only(self, bucket):
        async with bucket({"a": Upload(b"data")}) as store:
            etag = (await store.list_page("")).entries[0].etag
            assert await read(store, "a", if_match=etag) == b"data"
            assert await read(store, "a", if_match=etag, byte_range=(1, 2)) == b"at"
            assert await refusal(store, "a", if_match='"other"') == (412, "PreconditionFailed")

    async def test_a_missing_key_is_404_for_get_and_head(self, bucket):
        async with bucket({"a": Upload(b"data")}) as store:
            assert await refusal(store, "b") == (404, "NoSuchKey")
            with pytest.raises(StoreError) as caught:
                await store.head(HeadRequest("b"))
        assert caught.value.fault.status == 404

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    async def test_the_stored_checksum_is_reported(self, bucket, algorithm):
        data = noise(5000)
        async with (
            bucket({"a": Upload(data, algorithm)}, needs={algorithm}) as store,
            loaded(store, GetRequest("a")) as body,
        ):
            expected = (Checksum(algorithm, "FULL_OBJECT", text(digest(algorithm, data))),)
            assert body.meta.checksums == expected
            assert (await store.head(HeadRequest("a", checksums=True))).checksums == expected
            assert (await store.head(HeadRequest("a"))).checksums == ()

    async def test_an_object_without_a_checksum_reports_none(self, bucket):
        async with (
            bucket({"a": Upload(b"x", algorithm=None)}, needs={"no-checksum"}) as store,
            loaded(store, GetRequest("a")) as body,
        ):
            assert body.meta.checksums == ()

    @pytest.mark.parametrize("algorithm", COMPOSITE_ALGORITHMS)
    async def test_a_composite_checksum_can_be_followed_part_by_part(self, bucket, algorithm):
        data = noise(30)
        contents = {"a": Upload(data, algorithm, part_sizes=(10, 12, 8), composite=True)}
        needs = {algorithm, "composite", "layout", "small-parts"}
        async with bucket(contents, needs=needs) as store:
            async with loaded(store, GetRequest("a")) as body:
                (whole,) = body.meta.checksums
            layout = await store.part_layout("a")
        raw = [digest(algorithm, chunk) for chunk in (data[:10], data[10:22], data[22:])]
        assert whole == Checksum(algorithm, "COMPOSITE", text(digest(algorithm, b"".join(raw))) + "-3")
        assert layout.algorithm == algorithm
        assert [(part.number, part.start, part.size) for part in layout.parts] == [
            (1, 0, 10),
            (2, 10, 12),
            (3, 22, 8),
        ]
        assert [part.digest for part in layout.parts] == [text(one) for one in raw]

    async def test_a_head_of_a_part_returns_its_place_and_its_checksum(self, bucket):
        data = noise(30)
        contents = {"a": Upload(data, "SHA256", part_sizes=(10, 12, 8), composite=True)}
        async with bucket(contents, needs={"SHA256", "composite", "parts", "small-parts"}) as store:
            seen = await store.head(HeadRequest("a", checksums=True, part_number=2))
            with pytest.raises(StoreError) as caught:
                await store.head(HeadRequest("a", part_number=4))
        assert seen.checksums == (Checksum("SHA256", "COMPOSITE", text(digest("SHA256", data[10:22]))),)
        assert (seen.status, seen.length, seen.size, seen.range_start) == (206, 12, 30, 10)
        assert seen.parts_count == 3
        assert caught.value.fault.status == 416

    async def test_a_part_of_a_full_object_upload_carries_no_checksum(self, bucket):
        contents = {"a": Upload(noise(30), part_sizes=(10, 20))}
        async with bucket(contents, needs={"CRC64NVME", "parts", "small-parts"}) as store:
            seen = await store.head(HeadRequest("a", checksums=True, part_number=1))
            assert seen.checksums == ()
            assert (seen.length, seen.parts_count) == (10, 2)
            assert await store.part_layout("a") is None

    async def test_an_object_of_one_piece_has_no_layout(self, bucket):
        async with bucket({"a": Upload(b"x")}) as store:
            assert await store.part_layout("a") is None

    async def test_the_encryption_is_reported_with_its_key(self, bucket):
        async with (
            bucket({"a": Upload(b"x")}, needs={"kms"}) as store,
            loaded(store, GetRequest("a")) as body,
        ):
            assert body.meta.sse == "aws:kms"
            assert body.meta.kms_key_id.startswith("arn:aws:kms:")

    async def test_a_compressed_object_arrives_as_it_is_stored(self, bucket):
        data = gzip.compress(b"text " * 1000)
        contents = {"a": Upload(data, content_encoding="gzip")}
        async with bucket(contents, needs={"encoding"}) as store:
            assert await read(store, "a") == data

    async def test_many_gets_at_once_do_not_mix(self, bucket):
        contents = {f"k{number}": Upload(noise(50_000 + number)[number:]) for number in range(32)}
        async with bucket(contents, concurrency=8) as store:
            bodies = await asyncio.gather(*(read(store, key) for key in contents))
        assert bodies == [upload.body for upload in contents.values()]
