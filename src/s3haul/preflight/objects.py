"""The steps of the objects: one object in detail, then the first byte of a sample of all.

If a byte is refused, the headers are requested too, because the encryption helps to find the cause. The
sample covers the whole range of keys, with few pages of the listing.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from s3haul.aws.probes import Probes
from s3haul.core.text import human_bytes
from s3haul.diagnose.evidence import Sample, Step, grouped
from s3haul.diagnose.symptoms import RequestKind
from s3haul.errors import Fault, SourceError, StoreError
from s3haul.models import ListPage, ObjectMeta, ObjectRef
from s3haul.preflight.state import CheckState
from s3haul.store.protocol import GetRequest, HeadRequest, ObjectStore, OnData

PAGES = 16
AT_A_TIME = 16
OWNERS = 8  # refused objects whose owner is requested, and the same number of readable ones
T = TypeVar("T")
_LAST = "\U0010ffff"
DEEPEST = 4  # directories below the prefix


async def read_objects(state: CheckState, store: ObjectStore, page: ListPage) -> None:
    """Test one object in detail, then a sample of all."""
    seen, complete = await _spread_keys(state, store, page)
    state.listed = listed = tuple(ref for ref in seen if state.selected(ref))
    if not listed:
        state.say(Step.READ, None, "the filters exclude all objects in the part of the listing that was read")
        return
    await _read_one(state, store, listed)
    chosen = _sample(listed, state.suspects, state.sample_size)
    samples = await _read_samples(state, store, chosen)
    state.evidence = replace(
        state.evidence, samples=samples, complete=complete and len(samples) == len(listed)
    )
    readable = [one for one in samples if one.read is None and not one.archived]
    kind = "objects" if state.evidence.complete else "sampled objects"
    text = f"{len(readable)} of {len(samples)} {kind} can be read"
    state.say(Step.SAMPLE, len(readable) == len(samples), text, tuple(map(str, grouped(samples))))


async def _read_one(state: CheckState, store: ObjectStore, listed: Sequence[ObjectRef]) -> None:
    ref = next((one for one in listed if one.size and not one.archived), listed[0])
    if await _head(state, store, ref.key):
        state.say(Step.HEAD, True, f"s3:GetObject is allowed ({ref.key}, {human_bytes(ref.size)})")
    else:
        state.say(Step.HEAD, False, f"HEAD of {ref.key} is refused")
    if meta := await _head(state, store, ref.key, checksums=True):
        proof = ", so kms:Decrypt is allowed" if meta.kms_key_id else "; it is not encrypted with KMS"
        state.say(Step.CHECKSUM, True, f"S3 returns its checksum{proof}")
    else:
        state.say(Step.CHECKSUM, False, f"HEAD of {ref.key} for its checksum is refused")
    fault, _ = await _first_byte(state, store, ref)
    what = "its first byte" if ref.size else "the empty object"
    if fault is None:
        state.say(Step.READ, True, f"{what} was received, so S3 and KMS both allow access ({ref.key})")
    else:
        state.say(Step.READ, False, f"GET of {ref.key} is refused")


async def _head(
    state: CheckState, store: ObjectStore, key: str, *, checksums: bool = False
) -> ObjectMeta | None:
    """The headers, or None if the request is refused."""
    try:
        return await state.retried(
            RequestKind.OBJECT, lambda: store.head(HeadRequest(key, checksums=checksums))
        )
    except StoreError:
        return None


async def first_object(state: CheckState, store: ObjectStore, key: str) -> ListPage:
    """The single object that the source names, as a page of a listing.
    A refusal is reported later, when it is read."""
    meta = await _head(state, store, key)
    entry = meta.ref(key) if meta else ObjectRef(key, 1, "", 0.0)
    return ListPage((entry,), truncated=False, token=None, key_count=1)


async def _spread_keys(
    state: CheckState, store: ObjectStore, page: ListPage
) -> tuple[tuple[ObjectRef, ...], bool]:
    """Objects from the whole range of the listing, with at most `PAGES` pages, and whether these are all."""
    prefix = state.prefix
    if not page.truncated:
        return page.entries, True
    found = {ref.key: ref for ref in page.entries}
    ahead = list(jumps(prefix, page.entries[-1].key))
    for _ in range(PAGES - 1):
        if not ahead:
            break
        after = ahead.pop(0)
        following = await state.retried(
            RequestKind.LISTING,
            lambda after=after: store.list_page(prefix, start_after=after),  # type: ignore[misc]
        )
        found |= {ref.key: ref for ref in following.entries}
        if following.entries and following.truncated:
            ahead = [*jumps(prefix, following.entries[-1].key), *ahead]
    return tuple(found[key] for key in sorted(found)), False


def _sample(listed: Sequence[ObjectRef], suspects: Sequence[str], count: int) -> list[ObjectRef]:
    """`count` of the listed objects, and the suspects, even if only their key is known."""
    chosen = {ref.key: ref for ref in representative(listed, count, _kind)}
    known = {ref.key: ref for ref in listed}
    chosen |= {key: known.get(key) or ObjectRef(key, 1, "", 0.0) for key in suspects}
    return [chosen[key] for key in sorted(chosen)]


def _kind(ref: ObjectRef) -> tuple[str, str]:
    return ref.key.rpartition("/")[0], ref.storage_class


async def _read_samples(
    state: CheckState, store: ObjectStore, chosen: Sequence[ObjectRef]
) -> tuple[Sample, ...]:
    """Read the first byte of each of these objects. Results in the same order."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(ref: ObjectRef) -> Sample:
        async with turn:
            return await _read_sample(state, store, ref)

    samples = await asyncio.gather(*[one(ref) for ref in chosen])
    return await _with_owners(state.probes, samples)


async def _read_sample(state: CheckState, store: ObjectStore, ref: ObjectRef) -> Sample:
    if ref.archived:
        return Sample(key=ref.key, size=ref.size, storage_class=ref.storage_class, archived=True)
    read, meta = await _first_byte(state, store, ref)
    head: Fault | None = None
    if meta is None:
        try:
            meta = await state.retried(RequestKind.OBJECT, lambda: store.head(HeadRequest(ref.key)))
        except StoreError as error:
            head = error.fault
    return Sample(
        key=ref.key,
        size=ref.size,
        storage_class=ref.storage_class,
        read=read,
        head=head,
        kms_key=meta.kms_key_id if meta else "",
        bucket_key=meta.bucket_key if meta else False,
    )


class _HeadersSeenError(Exception):
    """Aborts a request after its headers: the body is not needed."""

    def __init__(self, meta: ObjectMeta) -> None:
        super().__init__()
        self.meta = meta


def _only_headers(meta: ObjectMeta) -> OnData:
    raise _HeadersSeenError(meta)


async def _first_byte(
    state: CheckState, store: ObjectStore, ref: ObjectRef
) -> tuple[Fault | None, ObjectMeta | None]:
    """GET of one byte. An empty object has none, so it is fetched without a range."""
    request = GetRequest(ref.key, if_match=ref.etag or None, byte_range=(0, 0) if ref.size else None)

    async def once() -> ObjectMeta:
        try:
            return await store.load(request, _only_headers)
        except _HeadersSeenError as seen:
            return seen.meta

    try:
        return None, await state.retried(RequestKind.OBJECT, once)
    except StoreError as error:
        return error.fault, None


async def _with_owners(probes: Probes, samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Add the owners of a few refused and a few readable objects, if a refusal has no known cause."""
    found = list(samples)
    refused = [n for n, one in enumerate(found) if one.head is not None]
    readable = [n for n, one in enumerate(found) if one.read is None and not one.archived]
    if refused and readable:
        for number in (*refused[:OWNERS], *readable[:OWNERS]):
            with suppress(StoreError, SourceError):
                owner = await probes.owner_of(found[number].key)
                found[number] = replace(found[number], owner=owner)
    return tuple(found)


def spread(found: Sequence[T], count: int) -> list[T]:
    """At most `count` of `found`, in order and evenly spaced, the first and the last among them."""
    if len(found) <= count:
        return list(found)
    step = (len(found) - 1) / (count - 1)
    return [found[round(index * step)] for index in range(count)]


def representative(found: Sequence[T], count: int, alike: Callable[[T], Hashable]) -> list[T]:
    """At most `count` of `found`: one of each kind as far as half of the places go,
    the others spread evenly."""
    if len(found) <= count:
        return list(found)
    kinds: dict[Hashable, int] = {}
    for index, one in enumerate(found):
        kinds.setdefault(alike(one), index)
    chosen = set(spread(list(kinds.values()), count // 2))
    others = [index for index in range(len(found)) if index not in chosen]
    return [found[index] for index in sorted(chosen.union(spread(others, count - len(chosen))))]


def jumps(base: str, last: str) -> Iterator[str]:
    """Where to list on after a page that ends with `last`: beyond that key's directories, the outermost
    first, so that few pages see every corner. `base` is the prefix of the listing."""
    parts = last[len(base) :].split("/")[:-1][:DEEPEST]
    for depth in range(1, len(parts) + 1):
        yield base + "/".join(parts[:depth]) + "/" + _LAST
    yield last
