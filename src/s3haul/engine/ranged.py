"""One large object in ranges, from start to Outcome: several requests at a time into one file.

    HEAD -> plan -> what an earlier run left, hashed again -> ranges (If-Match) -> compare -> publish

Bytes count once they are whole blocks: written, hashed and told to the part book. So a lost connection or a
killed process costs the blocks under way. What does not match is fetched once more, a part if the parts
have checksums of their own; then the object fails. An object that changed is given up as a whole.
"""

import asyncio
from collections.abc import Iterator
from functools import partial

from s3haul.core.block_map import BlockMap, BlockStream
from s3haul.core.checksums import CRCS, Composite, Data, FullObject, Unverifiable
from s3haul.core.etags import same_etag
from s3haul.core.ranges import RangePlan, costs_kms_call, plan
from s3haul.core.retry import Action, Move
from s3haul.core.segments import Expected, expected
from s3haul.disk import ObjectPathError
from s3haul.engine.byte_counter import ByteCounter
from s3haul.engine.context import Context
from s3haul.engine.part_layout import stored_parts
from s3haul.engine.segment_hashing import Hashing
from s3haul.engine.tasks import most_telling, spawn, together
from s3haul.engine.validation import check_complete, check_not_longer, check_range, demand_encryption
from s3haul.engine.verification import (
    UNKNOWN_PARTS,
    Parts,
    Proof,
    demand_checksum,
    done,
    mismatched,
    proof_of,
)
from s3haul.engine.verification import plan as plan_check
from s3haul.engine.writers import LargeFile
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.events import Received, Resumed, Retrying
from s3haul.models import Block, ObjectMeta, ObjectRef, Outcome, Partial, SafePath
from s3haul.store.protocol import Chunk, GetRequest, OnData
from s3haul.store.retrying import GaveUpError, persist, read_byte
from s3haul.threads import in_thread

_OF_NO_USE = frozenset({"changed", "checksum-mismatch"})  # what has landed, for the next run
_SILENT = frozenset({400, 403})  # refusals of a HEAD: an expired token, and much else
READERS = 4  # threads that hash what an earlier run left

Wanted = FullObject | Composite | Unverifiable


async def fetch_in_ranges(
    ctx: Context, ref: ObjectRef, path: SafePath, left: Partial | None
) -> Outcome | None:
    """The Outcome, or None where one plain GET must do. Raises as `transfer`, and `GaveUpError`."""
    found = await _look(ctx, ref) if ref.size > ctx.options.ranges.above else None
    fetch = None
    if found is not None:
        meta, wanted = found
        parts = Parts()
        if isinstance(wanted, Composite):
            parts = await stored_parts(ctx, ref, wanted) or parts
            if not parts.sizes:
                demand_checksum(UNKNOWN_PARTS, ctx.options)
                wanted = UNKNOWN_PARTS
        cut = plan(ref.size, parts.sizes, ctx.options.ranges, costs_kms=costs_kms_call(meta))
        if cut is not None:
            fetch = RangedFetch(ctx, ref._replace(etag=meta.etag), path, cut=cut, wanted=wanted, parts=parts)
    if fetch is None:
        if left is not None:
            await drop(ctx, left)
        return None
    proof = await fetch.run(left)
    return done(ref, path, meta, proof, attempts=fetch.attempts, fetched=fetch.fetched)


async def drop(ctx: Context, left: Partial) -> None:
    """What an earlier run left is of no use any more."""
    ctx.journal.forget(left.temporary)
    await in_thread(ctx.threads, ctx.destination.remove_temporary, left.temporary)


async def _look(ctx: Context, ref: ObjectRef) -> tuple[ObjectMeta, Wanted] | None:
    """What HEAD says of the listed version. None where it is refused: a GET names the reason."""

    async def once() -> tuple[ObjectMeta, Wanted]:
        try:
            meta = await ctx.store.head(ref.key, checksums=True)
        except StoreError as error:
            if error.fault.status not in _SILENT:
                raise
            await read_byte(ctx, ref.key, ref.etag or None)  # raises what the reason is, if there is one
            meta = await ctx.store.head(ref.key, checksums=True)
        if not same_etag(meta.etag, ref.etag or meta.etag) or meta.size not in {ref.size, None}:
            raise StoreError(Fault(FaultKind.HTTP, "it is not the listed version any more", status=412))
        demand_encryption(meta, ctx.options)
        return meta, plan_check(meta, ref.size, ctx.options)

    try:
        (meta, wanted), _ = await persist(ctx, ref.key, ctx.reading, once)
    except GaveUpError as gave_up:
        fault = gave_up.fault
        told = fault.kind is FaultKind.PROTOCOL or 400 <= fault.status < 500
        if gave_up.action.move is Move.FAIL and told:
            return None
        raise
    return (meta, wanted) if meta.etag and meta.size is not None else None


class RangedFetch:
    """One version of one object. `fetched` counts body bytes received, `attempts` is of the worst request."""

    def __init__(
        self, ctx: Context, ref: ObjectRef, path: SafePath, *, cut: RangePlan, wanted: Wanted, parts: Parts
    ) -> None:
        self._ctx, self._ref, self._path, self._plan, self._wanted = ctx, ref, path, cut, wanted
        self._parts = parts
        self._expected: Expected = expected(wanted, parts.digests, len(parts.sizes))
        self._block_map = BlockMap(cut, self._expected.block_algorithm)
        self._update = CRCS[self._block_map.algorithm].update
        self._file = LargeFile(ctx)
        self._hashing = (
            None
            if self._expected.combines
            else Hashing(cut, self._block_map, self._expected.algorithm, self._file.feed)
        )
        self._name = ""  # of the temporary file
        self._booked = False
        self._resumed = 0  # bytes of an earlier run
        self.fetched = 0
        self.attempts = 1

    async def run(self, left: Partial | None) -> Proof:
        """The file has its name when this returns."""
        keep = False
        try:
            await self._open(left)
            proof = await self._fetch_all()
            await self._file.publish(self._path, self._ref.last_modified)
        except (GaveUpError, ObjectPathError) as error:
            keep = isinstance(error, GaveUpError) and error.action.reason not in _OF_NO_USE
            self._ctx.emit(Received(self._resumed - self._block_map.landed))
            self._ctx.emit(Resumed(-self._resumed))
            raise
        except BaseException:
            keep = True
            raise
        finally:
            await self._end(keep=keep and self._booked)
        return proof

    async def _end(self, *, keep: bool) -> None:
        """A run may be cancelled behind the rename: then there is nothing left to keep."""
        if keep and not self._file.has_its_name:
            await self._file.set_aside()
        else:
            if self._booked:  # first, since a cancellation may end what follows
                self._ctx.journal.forget(self._name)
            await self._file.discard()

    async def _open(self, left: Partial | None) -> None:
        """The file that an earlier run left, if it is of this version and cut alike; else a new one."""
        ref = self._ref
        if left is not None:
            same = (left.etag, left.size, left.algorithm) == (ref.etag, ref.size, self._block_map.algorithm)
            self._name, self._booked = left.temporary, same
            if same and await self._file.reopen(left.temporary, ref.size):
                await self._hash_again(left.blocks)
                return
            self._booked = False
            await drop(self._ctx, left)
        await in_thread(self._ctx.threads, self._file.create, ref.size)
        self._name = self._file.temporary.name

    async def _hash_again(self, blocks: tuple[Block, ...]) -> None:
        """Count what lies in the file as it was written."""
        waiting = iter(blocks)

        async def work() -> None:
            for block in waiting:
                number = self._plan.block_at(block.start, block.size)
                if number is None:
                    continue
                crc = await self._crc(block.start, block.start + block.size)
                if crc == block.crc:
                    self._block_map.land(number, crc)
                    self._resumed += block.size
                    self._ctx.emit(Resumed(block.size))

        await together(work() for _ in range(READERS))

    async def _fetch_all(self) -> Proof:
        """Everything that is missing, and once more what turns out wrong. Raises `GaveUpError`."""
        for last in (False, True):
            await self._fetch_missing()
            digests = self._digests()
            again, mismatch = self._expected.judge(digests)
            if mismatch is None:
                return proof_of(self._wanted, self._parts.sizes, digests[0])
            fault = mismatched(mismatch).fault
            if last:
                raise GaveUpError(Action(Move.FAIL, "checksum-mismatch"), fault, 2)
            self._ctx.emit(Retrying(self._ref.key, "checksum-mismatch", fault.message, 1, 0.0))
            for number in again:
                self._forget_segment(number)
        raise AssertionError("unreachable")

    def _forget_segment(self, number: int) -> None:
        dropped = self._block_map.drop(*self._plan.segment(number))
        of_earlier_runs = min(dropped, self._resumed)
        self._resumed -= of_earlier_runs
        self._ctx.emit(Resumed(-of_earlier_runs))
        self._ctx.emit(Received(of_earlier_runs - dropped))
        if self._hashing:
            self._hashing.restart(number)

    def _digests(self) -> list[bytes]:
        if self._hashing:
            return self._hashing.digests()
        segments = range(len(self._plan.segments))
        return [self._block_map.digest(*self._plan.segment(number)) for number in segments]

    async def _fetch_missing(self) -> None:
        """All requests of which something is missing, as lanes become free, and the hashing behind them."""
        large_limiter = self._ctx.large_limiter
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for number in self._hashing.resting() if self._hashing else ():
                    group.create_task(self._hashing.advance(number))  # type: ignore[union-attr] # just asked
                for span in self._missing():
                    await large_limiter.acquire(self)
                    # Not left by the request itself: one that is cancelled before it begins would not.
                    group.create_task(self._fetch_span(*span)).add_done_callback(self._leave)
        except BaseExceptionGroup as errors:
            raise most_telling(errors) from None

    def _leave(self, _: object) -> None:
        self._ctx.large_limiter.release(self)

    def _missing(self) -> Iterator[tuple[int, int]]:
        for number in range(len(self._plan.requests)):
            yield from self._block_map.missing(*self._plan.request(number))

    async def _fetch_span(self, first: int, end: int) -> None:
        """Blocks that are missing, in one request, or in more where the answer breaks off."""
        while (begin := self._block_map.landed_end(first, end)) < end:
            attempt = partial(self._attempt, begin, end)
            _, attempts = await persist(self._ctx, self._ref.key, self._ctx.reading, attempt)
            self.attempts = max(self.attempts, attempts)

    async def _attempt(self, first: int, end: int) -> None:
        """One request. Where it breaks off behind a block, that is progress and no failure."""
        begin = self._block_map.landed_end(first, end)
        start, stop = self._plan.start(begin), self._plan.start(end)
        request = GetRequest(
            self._ref.key,
            if_match=self._ref.etag,
            version_id=self._ref.version_id,
            byte_range=(start, stop - 1),
        )
        try:
            await self._receive(request, begin, end)
        except StoreError as error:
            landed = self._block_map.landed_end(begin, end) > begin
            if error.fault.kind is not FaultKind.BROKEN or not landed:
                raise
            self._ctx.emit(Retrying(self._ref.key, "network", error.fault.message, 1, 0.0))

    async def _receive(self, request: GetRequest, block: int, end: int) -> None:
        """The body of blocks up to `end`. Bytes of a block that stays incomplete do not count."""
        file, loop, counter = self._file, asyncio.get_running_loop(), ByteCounter(self._heard)
        stream, stop = BlockStream(self._plan, self._block_map.algorithm, block), self._plan.start(end)
        start = stream.position

        def consume(meta: ObjectMeta) -> OnData:
            check_range(self._ref, meta, start, stop)
            return take

        def take(chunk: Chunk) -> None:
            check_not_longer(stop - stream.position, chunk)
            file.write(chunk, stream.position)
            counter.add(len(chunk))
            for number, crc in stream.take(chunk):
                loop.call_soon_threadsafe(self._land, number, crc)

        try:
            await self._ctx.store.load(request, consume)
            check_complete(stop - stream.position)
        finally:
            counter.end()
            if stream.pending:
                self._ctx.emit(Received(-stream.pending))

    def _heard(self, size: int) -> None:
        self.fetched += size
        self._ctx.emit(Received(size))

    def _land(self, number: int, crc: int) -> None:
        block = self._block_map.land(number, crc)
        journal = self._ctx.journal
        if not self._booked:
            ref, algorithm = self._ref, self._block_map.algorithm
            journal.begin(Partial(ref.key, ref.etag, ref.size, self._name, algorithm))
            self._booked = True
        journal.block_stored(self._name, block)
        if self._hashing and (segment := self._hashing.claim(number)) is not None:
            spawn(self._group, self._hashing.advance(segment))

    async def _crc(self, start: int, stop: int) -> int:
        value = 0

        def update(data: Data) -> None:
            nonlocal value
            value = self._update(data, value)

        await self._file.feed(update, start, stop)
        return value
