"""One object, from start to Outcome: this module reads top to bottom as the life of an object.

    GET (If-Match) -> judge the headers -> receive and hash -> compare -> publish -> Outcome

A composite checksum needs the sizes of the parts: where the headers call for them, they are asked for and the object
is asked for again. Trouble with the object is an Outcome; only what ends the run is raised.
"""

from functools import partial

from s3haul.core.retry import Action, Move
from s3haul.disk import ObjectPathError
from s3haul.engine.byte_counter import ByteCounter
from s3haul.engine.context import Context
from s3haul.engine.decision import Decision, Target
from s3haul.engine.existing import verify_existing
from s3haul.engine.part_layout import stored_parts
from s3haul.engine.ranged import drop, fetch_in_ranges
from s3haul.engine.validation import (
    RefusedError,
    check_complete,
    check_not_longer,
    check_whole,
    demand_encryption,
)
from s3haul.engine.verification import Parts, PartsNeededError, Proof, Proving, check_for, done, plan
from s3haul.engine.writers import SMALL, Writer, writer_for
from s3haul.errors import Fault, FaultKind
from s3haul.events import Received
from s3haul.models import ObjectMeta, ObjectRef, Outcome, Partial, SafePath, State
from s3haul.store.protocol import Chunk, GetRequest, OnData
from s3haul.store.retrying import GaveUpError, persist
from s3haul.threads import in_thread

MAX_CHANGES = 3
_UNSTORABLE = frozenset({"name-too-long", "name-refused", "file-too-large"})
_IN_THE_WAY = frozenset(
    {"symlink-in-the-way", "file-in-the-way", "directory-in-the-way", "not-a-regular-file", "busy"}
)


async def transfer(ctx: Context, target: Target) -> Outcome:
    """The one Outcome of `target`. Raises only what ends the run."""
    path = str(target.path)
    try:
        return await _versions(ctx, target)
    except GaveUpError as gave_up:
        return _given_up(target.ref, path, gave_up)
    except RefusedError as refused:
        return Outcome(target.ref, State.FAILED, path, refused.reason, refused.detail)
    except ObjectPathError as trouble:
        if trouble.reason in _UNSTORABLE:
            return Outcome(target.ref, State.SKIPPED, path, "unstorable-name", trouble.message)
        reason = "path-in-the-way" if trouble.reason in _IN_THE_WAY else "file-refused"
        return Outcome(target.ref, State.FAILED, path, reason, trouble.message)


async def _versions(ctx: Context, target: Target) -> Outcome:
    """Fetch the listed version; where the object changed meanwhile, the new one, a few times over."""
    ref = target.ref
    if target.path.directory:
        await in_thread(ctx.threads, ctx.destination.make_directory, target.path)
        return Outcome(ref, State.DONE, str(target.path))
    if target.decision is Decision.VERIFY and (adopted := await verify_existing(ctx, ref, target.path)):
        if target.left:
            await drop(ctx, target.left)
        return adopted
    left = target.left
    for _ in range(MAX_CHANGES):
        try:
            if ref.size > SMALL or ref.size > ctx.options.ranges.above:
                return await _large(ctx, ref, target.path, left)
            return await _fetch(ctx, ref, target.path)
        except GaveUpError as gave_up:
            if gave_up.action.move is not Move.REFRESH:
                raise
        if left is not None:
            await drop(ctx, left)
            left = None
        look = partial(ctx.store.head, ref.key, version_id=ref.version_id)
        current, _ = await persist(ctx, ref.key, ctx.reading, look)
        ref = current.ref(ref.key)._replace(version_id=ref.version_id)
    fault = Fault(FaultKind.HTTP, f"it changed {MAX_CHANGES} times while it was fetched", status=412)
    raise GaveUpError(Action(Move.FAIL, "changed"), fault, MAX_CHANGES)


async def _large(ctx: Context, ref: ObjectRef, path: SafePath, left: Partial | None) -> Outcome:
    """In ranges where there is something to gain, else in one GET, for which a lane is needed too."""
    outcome = await fetch_in_ranges(ctx, ref, path, left)
    if outcome is not None:
        return outcome
    owner = object()
    await ctx.large_limiter.acquire(owner)
    try:
        return await _fetch(ctx, ref, path)
    finally:
        ctx.large_limiter.release(owner)


async def _fetch(ctx: Context, ref: ObjectRef, path: SafePath) -> Outcome:
    fetch = Fetch(ctx, ref, path)
    try:
        (meta, proof), attempts = await persist(ctx, ref.key, ctx.reading, fetch.attempt)
    except PartsNeededError as needed:
        fetch.parts = await stored_parts(ctx, ref, needed.wanted) or Parts()
        (meta, proof), attempts = await persist(ctx, ref.key, ctx.reading, fetch.attempt)
    return done(ref, path, meta, proof, attempts=attempts, fetched=fetch.fetched)


def _given_up(ref: ObjectRef, path: str, gave_up: GaveUpError) -> Outcome:
    state = State.SKIPPED if gave_up.action.move is Move.SKIP else State.FAILED
    fault = gave_up.fault
    detail = f"{fault.code}: {fault.message}" if fault.code else fault.message
    return Outcome(ref, state, path, gave_up.action.reason, detail, attempts=gave_up.attempts)


class Fetch:
    """The attempts at one version of one object. `fetched` counts body bytes over all of them."""

    def __init__(self, ctx: Context, ref: ObjectRef, path: SafePath) -> None:
        self._ctx, self._ref, self._path = ctx, ref, path
        self._request = GetRequest(ref.key, if_match=ref.etag or None, version_id=ref.version_id)
        self.parts: Parts | None = None  # of a composite checksum, once they were asked for
        self.fetched = 0
        self._this_time = 0

    async def attempt(self) -> tuple[ObjectMeta, Proof]:
        """One try. Raises `StoreError`, `RefusedError`, `PartsNeededError`, `ObjectPathError` or what ends the run."""
        self._this_time = 0
        try:
            async with writer_for(self._ctx, self._path, self._ref.size, self._ref.last_modified) as writer:
                meta, proof = await self._receive_object(writer)
                await writer.publish()
        except BaseException:
            self._ctx.emit(Received(-self._this_time))
            raise
        return meta, proof

    async def _receive_object(self, writer: Writer) -> tuple[ObjectMeta, Proof]:
        """Exactly as many bytes as were listed, into the hash and the writer."""
        ref, options = self._ref, self._ctx.options
        left, counter = ref.size, ByteCounter(self._heard)
        check: Proving | None = None

        def consume(meta: ObjectMeta) -> OnData:
            nonlocal check
            check_whole(ref, meta)
            demand_encryption(meta, options)
            check = check_for(plan(meta, ref.size, options), ref.size, self.parts, options)
            return take

        def take(chunk: Chunk) -> None:
            nonlocal left
            assert check is not None, "the headers come first"
            check_not_longer(left, chunk)
            check.update(chunk)
            writer.write(chunk)
            left -= len(chunk)
            counter.add(len(chunk))

        try:
            meta = await self._ctx.store.load(self._request, consume)
        finally:
            counter.end()
        check_complete(left)
        assert check is not None, "a response without an error has headers"
        return meta, check.prove()

    def _heard(self, size: int) -> None:
        self._this_time += size
        self.fetched += size
        self._ctx.emit(Received(size))
