"""Whole objects through a store's `load`, for tests that look at the headers and the bytes afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from s3haul.models import ObjectMeta
from s3haul.store.protocol import GetRequest, ObjectStore


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of one request."""

    meta: ObjectMeta
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


async def load(store: ObjectStore, request: GetRequest) -> Loaded:
    """Raises what `store.load` raises."""
    chunks: list[bytes] = []
    meta = await store.load(request, lambda _meta: lambda chunk: chunks.append(bytes(chunk)))
    return Loaded(meta, chunks)


@asynccontextmanager
async def loaded(store: ObjectStore, request: GetRequest) -> AsyncIterator[Loaded]:
    """As `load`, for a place among other contexts."""
    yield await load(store, request)
