"""One large object in ranges, from start to Outcome: several requests at a time into one file.

    HEAD -> plan the ranges -> hash again what an earlier run left -> GET ranges
    (If-Match) -> compare -> publish

The unit of progress is the block: written to the file, hashed and recorded in the journal. So a lost
connection or a killed process costs only the incomplete blocks. Segments whose checksum is wrong are fetched
once more; if they are wrong again, the object fails. If the object changes during the download, everything
fetched of it is dropped.
"""

import asyncio
from collections.abc import Iterator

from s3haul.concurrency import in_thread, main_error, spawn, together
from s3haul.core.checksums import CRCS, Composite, Data
from s3haul.core.ranges import BlockMap, BlockStream, RangePlan, costs_kms_call, plan_ranges
from s3haul.core.retry import Action, Move
from s3haul.core.verification import (
    UNKNOWN_PARTS,
    ExpectedDigests,
    Parts,
    Proof,
    StoredChecksum,
    check_complete,
    check_not_longer,
    check_range,
    demand_checksum,
    demand_encryption,
    expected_digests,
    mismatched,
    proof_of,
    stored_checksum,
)
from s3haul.disk import ObjectPathError
from s3haul.engine.context import Context
from s3haul.engine.large_file import ByteCounter, LargeFile, SegmentHashing, drop_partial
from s3haul.engine.part_layout import stored_parts
from s3haul.engine.target import done
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.events import Received, Resumed, Retrying
from s3haul.models import Block, ObjectMeta, ObjectRef, Outcome, Partial, SafePath, same_etag
from s3haul.store.protocol import Chunk, GetRequest, HeadRequest, OnData
from s3haul.store.retrying import GaveUpError

# Reasons for which the next run cannot use the partial file.
_OF_NO_USE = frozenset({"changed", "checksum-mismatch"})
READERS = 4  # threads that hash the blocks of an earlier run


async def fetch_in_ranges(
    ctx: Context, ref: ObjectRef, path: SafePath, partial: Partial | None
) -> Outcome | None:
    """The Outcome, or None if the object must be fetched with one plain GET; `partial` is untouched then.
    Raises `GaveUpError`, `RefusedError`, `ObjectPathError` or what ends the run."""
    prepared = await _prepare(ctx, ref, path)
    if prepared is None:
        return None
    meta, fetch = prepared
    proof = await fetch.run(partial)
    return done(ref, path, meta, proof, attempts=fetch.attempts, fetched=fetch.fetched)


async def _prepare(ctx: Context, ref: ObjectRef, path: SafePath) -> "tuple[ObjectMeta, RangedFetch] | None":
    """Request what the plan depends on: the headers, and the parts of a composite checksum."""
    found = await _head_listed(ctx, ref)
    if found is None:
        return None
    meta, stored = found
    parts = Parts()
    if isinstance(stored, Composite):
        parts = await stored_parts(ctx, ref, stored) or parts
        if not parts.sizes:
            demand_checksum(UNKNOWN_PARTS, ctx.options)
            stored = UNKNOWN_PARTS
    plan = plan_ranges(ref.size, parts.sizes, ctx.options.ranges, costs_kms=costs_kms_call(meta))
    if plan is None:
        return None
    ref = ref._replace(etag=meta.etag)
    return meta, RangedFetch(ctx, ref, path, plan=plan, stored=stored, parts=parts)


async def _head_listed(ctx: Context, ref: ObjectRef) -> tuple[ObjectMeta, StoredChecksum] | None:
    """The headers of the listed version and its checksum. None if HEAD is refused:
    a GET will report the reason."""

    def validate(meta: ObjectMeta) -> None:
        if not same_etag(meta.etag, ref.etag or meta.etag) or meta.size not in {ref.size, None}:
            raise StoreError(Fault(FaultKind.HTTP, "it is not the listed version any more", status=412))
        demand_encryption(meta, ctx.options)
        stored_checksum(meta, ref.size, ctx.options)

    try:
        meta = await ctx.store.head(
            HeadRequest(ref.key, checksums=True, version_id=ref.version_id), validate=validate
        )
    except GaveUpError as gave_up:
        fault = gave_up.fault
        is_refusal = fault.kind is FaultKind.PROTOCOL or 400 <= fault.status < 500
        if gave_up.action.move is Move.FAIL and is_refusal:
            return None
        raise
    if not meta.etag or meta.size is None:
        return None
    return meta, stored_checksum(meta, ref.size, ctx.options)


class RangedFetch:
    """Fetches one version of one object. `fetched` counts body bytes,
    `attempts` is the most that the same bytes took."""

    def __init__(
        self,
        ctx: Context,
        ref: ObjectRef,
        path: SafePath,
        *,
        plan: RangePlan,
        stored: StoredChecksum,
        parts: Parts,
    ) -> None:
        self._ctx, self._ref, self._path, self._plan, self._stored = ctx, ref, path, plan, stored
        self._parts = parts
        self._expected: ExpectedDigests = expected_digests(stored, parts.digests, len(parts.sizes))
        self._algorithm = self._expected.block_algorithm
        self._crc = CRCS[self._algorithm]
        self._block_map = BlockMap(plan, self._crc)
        self._file = LargeFile(ctx)
        self._hashing = (
            None
            if self._expected.combines
            else SegmentHashing(plan, self._block_map, self._expected.algorithm, self._file)
        )
        self._name = ""  # of the temporary file
        self._begun = False
        self._resumed = 0  # bytes of an earlier run
        self.fetched = 0
        self.attempts = 1
        self._earlier = 0  # the same, before a segment turned out to be wrong

    async def run(self, partial: Partial | None) -> Proof:
        """The file has its name when this returns."""
        keep = False
        try:
            await self._open(partial)
            proof = await self._fetch_all()
            await self._file.publish(self._path, self._ref.last_modified)
        except (GaveUpError, ObjectPathError) as error:
            keep = isinstance(error, GaveUpError) and error.action.reason not in _OF_NO_USE
            self._ctx.emit(Received(self._resumed - self._block_map.written_bytes))
            self._ctx.emit(Resumed(-self._resumed))
            raise
        except BaseException:
            keep = True
            raise
        finally:
            await self._end(keep=keep and self._begun)
        return proof

    async def _end(self, *, keep: bool) -> None:
        """Keep or delete the temporary file. After the rename there is none:
        a run may be cancelled just behind it."""
        if keep and not self._file.is_closed:
            await self._file.set_aside()
        else:
            if self._begun:  # first: a cancellation may skip what follows
                self._ctx.journal.forget_partial(self._name)
            await self._file.discard()

    async def _open(self, partial: Partial | None) -> None:
        """Open the partial file of an earlier run if it belongs to this version and has the same
        blocks; else a new file."""
        ref = self._ref
        if partial is not None:
            version = (ref.etag, ref.size, self._algorithm)
            same = (partial.etag, partial.size, partial.algorithm) == version
            self._name, self._begun = partial.temporary, same
            if same and await self._file.reopen(partial.temporary, ref.size):
                await self._hash_again(partial.blocks)
                return
            self._begun = False
            await in_thread(self._ctx.threads, drop_partial, self._ctx, partial)
        await in_thread(self._ctx.threads, self._file.create, ref.size)
        self._name = self._file.temporary.name

    async def _hash_again(self, blocks: tuple[Block, ...]) -> None:
        """Hash the blocks of an earlier run again. Only those that are still as they were written count."""
        waiting = iter(blocks)

        async def work() -> None:
            for block in waiting:
                number = self._plan.block_at(block.start, block.size)
                if number is None:
                    continue
                crc = await self._crc_of(block.start, block.start + block.size)
                if crc == block.crc:
                    self._block_map.add(number, crc)
                    self._resumed += block.size
                    self._ctx.emit(Resumed(block.size))

        await together(work() for _ in range(READERS))

    async def _fetch_all(self) -> Proof:
        """Fetch what is missing, then once more the segments that turn out to be wrong.
        Raises `GaveUpError`."""
        for last in (False, True):
            await self._fetch_missing()
            digests = self._digests()
            again, mismatch = self._expected.validate(digests)
            if mismatch is None:
                return proof_of(self._stored, self._parts.sizes, digests[0])
            fault = mismatched(mismatch).fault
            if last:
                raise GaveUpError(Action(Move.FAIL, "checksum-mismatch"), fault, self.attempts)
            self._ctx.emit(Retrying(self._ref.key, "checksum-mismatch", fault.message, self.attempts, 0.0))
            self._earlier = self.attempts
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
        """Send all requests for missing blocks, as the large-transfer limiter allows,
        and hash what has arrived."""
        large_limiter = self._ctx.large_limiter
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if hashing := self._hashing:
                    for number in hashing.ready():
                        group.create_task(hashing.advance(number))
                for span in self._missing():
                    await large_limiter.acquire(self)
                    # A callback, since a task that is cancelled before it starts would not release its place.
                    group.create_task(self._fetch_span(*span)).add_done_callback(self._leave)
        except BaseExceptionGroup as errors:
            raise main_error(errors) from None

    def _leave(self, _: object) -> None:
        self._ctx.large_limiter.release(self)

    def _missing(self) -> Iterator[tuple[int, int]]:
        for number in range(len(self._plan.requests)):
            yield from self._block_map.missing(*self._plan.request(number))

    async def _fetch_span(self, first: int, end: int) -> None:
        """Fetch consecutive missing blocks: with one request, or with more if a response breaks off."""
        while (begin := self._block_map.written_end(first, end)) < end:
            attempts = await self._fetch_range(begin, end)
            self.attempts = max(self.attempts, self._earlier + attempts)

    async def _fetch_range(self, first: int, end: int) -> int:
        """Send one request until at least one block has arrived; returns the number of attempts.

        Bytes of an incomplete block do not count as received.
        """
        ref, file, loop = self._ref, self._file, asyncio.get_running_loop()
        counter = ByteCounter(self._count, self._ctx.clock)
        start, stop = self._plan.start(first), self._plan.start(end)
        stream, lost = BlockStream(self._plan, self._crc, first), 0

        def begin(meta: ObjectMeta) -> OnData:
            nonlocal stream, lost
            check_range(ref, meta, start, stop)
            lost += stream.pending
            stream = BlockStream(self._plan, self._crc, first)
            return on_data

        def on_data(chunk: Chunk) -> None:
            check_not_longer(stop - stream.position, chunk)
            file.write(chunk, stream.position)
            counter.add(len(chunk))
            # In order: these callbacks run before the task that awaits `load` goes on,
            # so that it finds every block.
            for number, crc in stream.add(chunk):
                loop.call_soon_threadsafe(self._store_block, number, crc)

        request = GetRequest(
            ref.key, if_match=ref.etag, version_id=ref.version_id, byte_range=(start, stop - 1)
        )
        try:
            return await self._ctx.store.load(
                request,
                begin,
                complete=lambda: check_complete(stop - stream.position),
                progressed=lambda: self._block_map.written_end(first, end) > first,
            )
        finally:
            counter.end()
            if lost := lost + stream.pending:
                self._ctx.emit(Received(-lost))

    def _count(self, size: int) -> None:
        self.fetched += size
        self._ctx.emit(Received(size))

    def _store_block(self, number: int, crc: int) -> None:
        block = self._block_map.add(number, crc)
        journal = self._ctx.journal
        if not self._begun:
            ref = self._ref
            journal.begin_partial(Partial(ref.key, ref.etag, ref.size, self._name, self._algorithm))
            self._begun = True
        journal.record_block(self._name, block)
        if self._hashing and (segment := self._hashing.claim(number)) is not None:
            spawn(self._group, self._hashing.advance(segment))

    async def _crc_of(self, start: int, stop: int) -> int:
        value = 0

        def update(data: Data) -> None:
            nonlocal value
            value = self._crc.update(data, value)

        await self._file.read_into(update, start, stop)
        return value
