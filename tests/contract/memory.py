"""An `ObjectStore` that keeps its objects in a dict, with a hook for faults.

It answers as S3 answers (see `stored`) and counts what was asked and what is still open.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import islice

from contract.stored import StoredObject, answer, digest, meta_of, one_part, refused, stored, text
from s3haul.concurrency import in_thread
from s3haul.errors import StoreError
from s3haul.models import KeyPage, ListPage, ObjectMeta, Part, PartLayout, VersionEntry, VersionPage
from s3haul.store.protocol import Consume, GetRequest, HeadRequest, OnData, SmallObjectWork

__all__ = ["Call", "MemoryStore", "StoredObject", "digest", "refused", "stored", "text"]

PIECE = 64 * 1024

Pause = Callable[[], Awaitable[object]]
Chunk = bytes | Exception | Pause  # sent, raised, or awaited, in order


@dataclass(slots=True)
class Call:
    """One call, as the fault hook sees it before it is answered: raise, or change `answer` and `chunks`.

    `n` counts from 1 the calls of this operation for this key (for "list": this prefix). `answer` is the
    ListPage, ObjectMeta or PartLayout that would be given; `chunks` the body of a "get".
    """

    operation: str  # list, get, head, parts
    key: str
    n: int
    answer: object
    request: GetRequest | None = None
    chunks: list[Chunk] = field(default_factory=list)


FaultHook = Callable[[Call], Awaitable[None] | None]


class MemoryStore:
    """The store. `objects` may be changed at any time; `fault` may be set at any time.

    `connections` bounds the open bodies, as a connection pool does: one more waits until one is closed.
    """

    def __init__(
        self,
        objects: dict[str, StoredObject] | None = None,
        *,
        fault: FaultHook | None = None,
        page_size: int = 1000,
        connections: int = 1000,
    ) -> None:
        self.objects = {} if objects is None else objects
        self.fault = fault
        self.page_size = page_size
        self.calls: list[Call] = []
        self.open_bodies = 0
        self.most_open = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._connections = asyncio.Semaphore(connections)

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        after = bytes.fromhex(token) if token is not None else start_after.encode()
        wanted = sorted(key.encode() for key in self.objects if key.startswith(prefix))
        later = [key for key in wanted if key > after]
        names = list(islice(later, self.page_size))
        more = len(later) > len(names)
        page = ListPage(
            entries=tuple(meta_of(self.objects[name.decode()]).ref(name.decode()) for name in names),
            truncated=more,
            token=names[-1].hex() if more else None,
            key_count=len(names),
        )
        call = await self._called("list", prefix, page)
        assert isinstance(call.answer, KeyPage)
        return call.answer

    async def list_versions(
        self, prefix: str, *, marker: tuple[str, str | None] | None = None
    ) -> VersionPage:
        after = marker[0].encode() if marker else b""
        wanted = sorted(key.encode() for key in self.objects if key.startswith(prefix))
        later = [key.decode() for key in wanted if key > after]
        names, more = later[: self.page_size], len(later) > self.page_size
        entries = [
            VersionEntry(meta_of(self.objects[name]).ref(name)._replace(version_id="null"), True, False)
            for name in names
        ]
        page = VersionPage(tuple(entries), more, names[-1] if more else None, "null" if more else None)
        call = await self._called("versions", prefix, page)
        assert isinstance(call.answer, VersionPage)
        return call.answer

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        async with self._connections:
            self.open_bodies += 1
            self.most_open = max(self.most_open, self.open_bodies)
            try:
                meta, data = answer(self._find(request.key, request.version_id), request)
                chunks: list[Chunk] = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
                call = await self._called("get", request.key, meta, request=request, chunks=chunks)
                assert isinstance(call.answer, ObjectMeta)
                take = await in_thread(None, consume, call.answer)
                for chunk in call.chunks:
                    await self._deliver(chunk, take)
            finally:
                self.open_bodies -= 1
        return call.answer

    async def _deliver(self, chunk: Chunk, take: OnData) -> None:
        if isinstance(chunk, bytes):
            await in_thread(None, take, chunk)
        elif isinstance(chunk, Exception):
            raise chunk
        else:
            await chunk()

    def small_objects(self, work: SmallObjectWork) -> None:
        return None

    async def head(self, request: HeadRequest) -> ObjectMeta:
        try:
            found = self._find(request.key, request.version_id)
            meta = meta_of(found)
            if request.part_number is not None:
                meta, _ = one_part(found, request.part_number, meta)
        except StoreError as error:
            raise refused(error.fault.status, str(error.fault.status), "") from None
        call = await self._called(
            "head", request.key, meta if request.checksums else meta._replace(checksums=())
        )
        assert isinstance(call.answer, ObjectMeta)
        return call.answer

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        found = self._find(key, version_id)
        layout = None
        if found.composite:
            starts = [sum(found.part_sizes[:at]) for at in range(len(found.part_sizes))]
            rows = zip(starts, found.part_sizes, found.digests, strict=True)
            parts = (Part(number, *row) for number, row in enumerate(rows, 1))
            layout = PartLayout(found.composite.algorithm, tuple(parts))
        call = await self._called("parts", key, layout)
        assert call.answer is None or isinstance(call.answer, PartLayout)
        return call.answer

    def count(self, operation: str, key: str = "") -> int:
        """How often `operation` was called, for one key if one is given."""
        return sum(n for (what, name), n in self._counts.items() if what == operation and key in ("", name))

    async def _called(self, operation: str, key: str, answer: object, **more: object) -> Call:
        self._counts[operation, key] += 1
        call = Call(operation, key, self._counts[operation, key], answer, **more)  # type: ignore[arg-type]
        self.calls.append(call)
        await asyncio.sleep(0)
        if self.fault:
            waiting = self.fault(call)
            if inspect.isawaitable(waiting):
                await waiting
        return call

    def _find(self, key: str, version_id: str | None) -> StoredObject:
        found = self.objects.get(key)
        if found is None:
            raise refused(404, "NoSuchKey", "The specified key does not exist.")
        if version_id not in {None, found.version_id or "null"}:
            raise refused(404, "NoSuchVersion", "The specified version does not exist.")
        return found
