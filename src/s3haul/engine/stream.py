"""One object into a pipe: its bytes in order, each once, hashed on the way and compared at the end.

    HEAD -> GET (If-Match) -> write and hash -> where it breaks off, a range from there -> compare -> Outcome

Nothing is kept back, so bytes that turn out wrong have been written: the Outcome says so.
"""

from collections.abc import Callable

from s3haul.core.keypath import safe_path
from s3haul.core.retry import Move
from s3haul.engine.context import Calls
from s3haul.engine.listing import look_up
from s3haul.engine.part_layout import stored_parts
from s3haul.engine.validation import (
    RefusedError,
    check_complete,
    check_not_longer,
    check_range,
    check_whole,
    demand_encryption,
)
from s3haul.engine.verification import Parts, PartsNeededError, Proving, check_for, done, plan
from s3haul.errors import FaultKind, StoreError
from s3haul.events import Finished, Listed, ListingEnded, Received, Retrying, Warned
from s3haul.models import ObjectMeta, ObjectRef, Outcome, State
from s3haul.store.protocol import Chunk, GetRequest, OnData
from s3haul.store.retrying import GaveUpError, persist

NAME = "-"
_CUT = frozenset({FaultKind.BROKEN, FaultKind.STALL})


async def stream_object(ctx: Calls, write: Callable[[Chunk], None]) -> None:
    """The object that the source names, through `write`, which is called in a thread. What became of it is told
    to `ctx.emit`; raises what ends the run, and what `write` raises."""
    ref = await look_up(ctx)
    ctx.emit(Listed(1, ref.size, 0))
    ctx.emit(ListingEnded())
    stream = Stream(ctx, ref, write)
    outcome = await stream.run()
    if outcome.state is not State.DONE and stream.written:
        ctx.emit(Warned(f"{stream.written:,} bytes are written that are not the object, or not all of it."))
    ctx.emit(Finished(outcome))


async def read_object(ctx: Calls, write: Callable[[Chunk], None]) -> Outcome:
    """As `stream_object`, for an object that is none of the run's: what became of it is only returned."""
    return await Stream(ctx, await look_up(ctx), write).run()


class Stream:
    """One version of one object. `written` bytes of it have gone out."""

    def __init__(self, ctx: Calls, ref: ObjectRef, write: Callable[[Chunk], None]) -> None:
        self._ctx, self._ref, self._write = ctx, ref, write
        self._parts: Parts | None = None
        self._check: Proving | None = None
        self.written = 0

    async def run(self) -> Outcome:
        """The one Outcome. Raises only what ends the run."""
        ref = self._ref
        try:
            try:
                meta, attempts = await self._fetch()
            except PartsNeededError as needed:
                self._parts = await stored_parts(self._ctx, ref, needed.wanted) or Parts()
                meta, attempts = await self._fetch()
            assert self._check is not None, "a response without an error has headers"
            proof = self._check.prove()
        except GaveUpError as gave_up:
            state = State.SKIPPED if gave_up.action.move is Move.SKIP else State.FAILED
            fault = gave_up.fault
            detail = f"{fault.code}: {fault.message}" if fault.code else fault.message
            return Outcome(ref, state, NAME, gave_up.action.reason, detail, attempts=gave_up.attempts)
        except RefusedError as refused:
            return Outcome(ref, State.FAILED, NAME, refused.reason, refused.detail)
        except StoreError as mismatch:
            return Outcome(ref, State.FAILED, NAME, "checksum-mismatch", mismatch.fault.message)
        return done(ref, safe_path(NAME), meta, proof, attempts=attempts, fetched=self.written)

    async def _fetch(self) -> tuple[ObjectMeta, int]:
        """The whole body; the headers of the last request, and the attempts at it."""
        while True:
            meta, attempts = await persist(self._ctx, self._ref.key, self._ctx.reading, self._attempt)
            if meta is not None:
                return meta, attempts

    async def _attempt(self) -> ObjectMeta | None:
        """One request for what is missing. Where it breaks off behind some bytes, that is progress: None."""
        begin = self.written
        try:
            return await self._receive(begin)
        except StoreError as error:
            if error.fault.kind not in _CUT or self.written == begin:
                raise
            self._ctx.emit(Retrying(self._ref.key, "network", error.fault.message, 1, 0.0))
            return None

    async def _receive(self, begin: int) -> ObjectMeta:
        ref, options = self._ref, self._ctx.options

        def consume(meta: ObjectMeta) -> OnData:
            if begin:
                check_range(ref, meta, begin, ref.size)
            else:
                check_whole(ref, meta)
                demand_encryption(meta, options)
                self._check = check_for(plan(meta, ref.size, options), ref.size, self._parts, options)
            return self._take

        request = GetRequest(
            ref.key,
            if_match=ref.etag or None,
            version_id=ref.version_id,
            byte_range=(begin, ref.size - 1) if begin else None,
        )
        try:
            meta = await self._ctx.store.load(request, consume)
            check_complete(ref.size - self.written)
        finally:
            self._ctx.emit(Received(self.written - begin))
        return meta

    def _take(self, chunk: Chunk) -> None:
        check_not_longer(self._ref.size - self.written, chunk)
        assert self._check is not None, "the headers come first"
        self._check.update(chunk)
        self._write(chunk)
        self.written += len(chunk)
