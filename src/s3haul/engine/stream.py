"""One object to standard output: its bytes in order, each once, hashed on the way and compared at the end.

    HEAD -> GET (If-Match) -> write and hash -> if it breaks off, GET the rest -> compare -> Outcome

Nothing is buffered, so wrong bytes have been written by the time the checksum shows it; the Outcome says so.
"""

from collections.abc import Callable

from s3haul.core.keypath import safe_path
from s3haul.core.verification import (
    Parts,
    PartsNeededError,
    RefusedError,
    Verifier,
    accept_whole,
    check_complete,
    check_not_longer,
    check_range,
    prove,
)
from s3haul.engine.context import ReadContext
from s3haul.engine.listing import look_up
from s3haul.engine.part_layout import stored_parts
from s3haul.engine.target import done, not_done
from s3haul.errors import FaultKind, StoreError
from s3haul.events import Finished, Listed, ListingEnded, Received, Warned
from s3haul.models import ObjectMeta, ObjectRef, Outcome, State
from s3haul.store.protocol import Chunk, GetRequest, OnData
from s3haul.store.retrying import GaveUpError

NAME = "-"
_CUT = frozenset({FaultKind.BROKEN, FaultKind.STALL})


async def stream_object(ctx: ReadContext, write: Callable[[Chunk], None]) -> None:
    """Write the object that the source names with `write`, which is called in a thread. The Outcome goes to
    `ctx.emit`. Raises what ends the run, and what `write` raises."""
    ref = await look_up(ctx)
    ctx.emit(Listed(1, ref.size, 0))
    ctx.emit(ListingEnded())
    stream = Stream(ctx, ref, write)
    outcome = await stream.run()
    if outcome.state is not State.DONE and stream.written:
        ctx.emit(Warned(f"{stream.written:,} bytes are written that are not the object, or not all of it."))
    ctx.emit(Finished(outcome))


async def read_object(ctx: ReadContext, write: Callable[[Chunk], None]) -> Outcome:
    """As `stream_object`, for an object that is none of the run's: what became of it is only returned."""
    return await Stream(ctx, await look_up(ctx), write).run()


class Stream:
    """Streams one version of one object. `written` counts its bytes that were written."""

    def __init__(self, ctx: ReadContext, ref: ObjectRef, write: Callable[[Chunk], None]) -> None:
        self._ctx, self._ref, self._write = ctx, ref, write
        self._parts: Parts | None = None
        self._verifier: Verifier | None = None
        self._meta: ObjectMeta | None = None
        self.written = 0

    async def run(self) -> Outcome:
        """The one Outcome. Raises only what ends the run."""
        ref = self._ref
        try:
            try:
                attempts = await self._fetch()
            except PartsNeededError as needed:
                self._parts = await stored_parts(self._ctx, ref, needed.stored) or Parts()
                attempts = await self._fetch(needed.failed)
            assert self._verifier is not None, "a response without an error has headers"
            proof = prove(self._verifier)
        except (GaveUpError, RefusedError) as error:
            return not_done(ref, NAME, error)
        except StoreError as mismatch:
            return Outcome(ref, State.FAILED, NAME, "checksum-mismatch", mismatch.fault.message)
        assert self._meta is not None, "a response without an error has headers"
        return done(ref, safe_path(NAME), self._meta, proof, attempts=attempts, fetched=self.written)

    async def _fetch(self, failed: int = 0) -> int:
        """The whole body, after so many attempts that `failed`;
        returns the most attempts that one request took."""
        attempts = await self._fetch_rest(failed)
        while self.written < self._ref.size:
            attempts = max(attempts, await self._fetch_rest())
        return attempts

    async def _fetch_rest(self, failed: int = 0) -> int:
        """One request for what is missing, until a body ended or broke off behind some bytes."""
        ref, start = self._ref, self.written
        request = GetRequest(
            ref.key,
            if_match=ref.etag or None,
            version_id=ref.version_id,
            byte_range=(start, ref.size - 1) if start else None,
        )
        try:
            return await self._ctx.store.load(
                request,
                self._begin,
                complete=lambda: check_complete(ref.size - self.written),
                progressed=lambda: self.written > start,
                failed=failed,
            )
        finally:
            self._ctx.emit(Received(self.written - start))

    def _begin(self, meta: ObjectMeta) -> OnData:
        """The headers have arrived, of the whole object or of its rest."""
        ref = self._ref
        if self.written:
            check_range(ref, meta, self.written, ref.size)
        else:
            self._verifier = accept_whole(ref, meta, self._parts, self._ctx.options)
        self._meta = meta
        return self._on_data

    def _on_data(self, chunk: Chunk) -> None:
        check_not_longer(self._ref.size - self.written, chunk)
        assert self._verifier is not None, "the headers come first"
        self._verifier.update(chunk)
        self._write(chunk)
        self.written += len(chunk)
