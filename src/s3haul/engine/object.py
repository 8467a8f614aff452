"""The life of one object, from its target to its Outcome. Read this module from top to bottom.

    GET (If-Match) -> validate the headers -> receive, hash and write -> compare -> publish -> Outcome

Small objects take a shorter way if nothing unusual happens (`small_objects`), large ones are fetched in
ranges (`ranged`). To verify a composite checksum one must know the sizes of the parts: if the headers show
such a checksum, the sizes are requested and the GET is sent again. An error that concerns this object only
becomes its Outcome; an error that ends the run is raised.
"""

from collections.abc import Callable

from s3haul.concurrency import in_thread
from s3haul.core.ranges import is_ranged
from s3haul.core.retry import Action, Move
from s3haul.core.verification import (
    Parts,
    PartsNeededError,
    Proof,
    RefusedError,
    Verifier,
    accept_whole,
    check_complete,
    check_not_longer,
    prove,
)
from s3haul.disk import ObjectPathError
from s3haul.engine.context import Context
from s3haul.engine.existing import verify_existing
from s3haul.engine.large_file import ByteCounter, LargeFile, drop_partial
from s3haul.engine.part_layout import stored_parts
from s3haul.engine.ranged import fetch_in_ranges
from s3haul.engine.target import Decision, Target, done, not_done
from s3haul.errors import Fault, FaultKind
from s3haul.events import Received
from s3haul.models import ObjectMeta, ObjectRef, Outcome, SafePath, State
from s3haul.store.protocol import LARGEST_IN_MEMORY, Chunk, FailedAttempt, GetRequest, HeadRequest, OnData
from s3haul.store.retrying import GaveUpError

MAX_CHANGES = 3


async def transfer(
    ctx: Context, target: Target, may_fetch: Callable[[Target], bool] = lambda _target: True
) -> Outcome | None:
    """Bring `target` to its one Outcome; None if its file differs from the object, and `may_fetch` refuses.
    Raises only what ends the run."""
    ref, path = target.ref, target.path
    try:
        if path.directory:
            await in_thread(ctx.threads, ctx.destination.make_directory, path)
            return Outcome(ref, State.DONE, str(path))
        if target.decision is Decision.VERIFY:
            if existing := await verify_existing(ctx, ref, path):
                if target.partial:
                    await in_thread(ctx.threads, drop_partial, ctx, target.partial)
                return existing
            if not may_fetch(target):
                return None
        return await _fetch(ctx, target)
    except (GaveUpError, RefusedError, ObjectPathError) as error:
        return not_done(ref, str(path), error)


async def _fetch(ctx: Context, target: Target) -> Outcome:
    """Fetch the listed version. If the object has changed since, fetch the new version;
    give up after a few changes."""
    ref, partial, failed_attempt = target.ref, target.partial, target.failed_attempt
    for _ in range(MAX_CHANGES):
        try:
            if is_ranged(ref.size, ctx.options.ranges):
                outcome = await fetch_in_ranges(ctx, ref, target.path, partial)
                if outcome is not None:
                    return outcome
            if partial is not None:  # a plain GET cannot resume it
                await in_thread(ctx.threads, drop_partial, ctx, partial)
                partial = None
            return await _fetch_whole(ctx, ref, target.path, failed_attempt)
        except GaveUpError as gave_up:
            if gave_up.action.move is not Move.HEAD_AGAIN:
                raise
        failed_attempt = None
        if partial is not None:
            await in_thread(ctx.threads, drop_partial, ctx, partial)
            partial = None
        current = await ctx.store.head(HeadRequest(ref.key, version_id=ref.version_id))
        ref = current.ref(ref.key)._replace(version_id=ref.version_id)
    fault = Fault(FaultKind.HTTP, f"it changed {MAX_CHANGES} times while it was fetched", status=412)
    raise GaveUpError(Action(Move.FAIL, "changed"), fault, MAX_CHANGES)


async def _fetch_whole(
    ctx: Context, ref: ObjectRef, path: SafePath, failed_attempt: FailedAttempt | None
) -> Outcome:
    """With one GET, which counts as a large transfer if the body is not kept in memory."""
    download = WholeDownload(ctx, ref, path)
    if ref.size <= LARGEST_IN_MEMORY:
        return await download.run(failed_attempt)
    await ctx.large_limiter.acquire(download)
    try:
        return await download.run(failed_attempt)
    finally:
        ctx.large_limiter.release(download)


class WholeDownload:
    """Fetches one version of one object with a plain GET. `fetched` counts body bytes of all attempts.

    Until they are verified, the bytes of a small object are in memory, those of others in a temporary file.
    """

    def __init__(self, ctx: Context, ref: ObjectRef, path: SafePath) -> None:
        self._ctx, self._ref, self._path = ctx, ref, path
        self._in_memory = ref.size <= LARGEST_IN_MEMORY
        self._body: list[bytes] = []
        self._file = LargeFile(ctx)
        self._counter = ByteCounter(self._count, self._ctx.clock)
        self._parts: Parts | None = None  # of a composite checksum, once they are known
        self._meta: ObjectMeta | None = None
        self._verifier: Verifier | None = None
        self._proof: Proof | None = None
        self._received = 0  # bytes of this attempt
        self.fetched = 0

    async def run(self, failed_attempt: FailedAttempt | None = None) -> Outcome:
        """The file has its name when this returns. `failed_attempt` is the first attempt, if the
        thread for small objects made it. Raises `GaveUpError`, `RefusedError`, `ObjectPathError` or
        what ends the run."""
        try:
            try:
                attempts = await self._load(failed_attempt)
            except PartsNeededError as needed:
                self._parts = await stored_parts(self._ctx, self._ref, needed.stored) or Parts()
                attempts = await self._load(failed=needed.failed)
            await self._publish()
        except BaseException:
            self._ctx.emit(Received(-self._received))
            raise
        finally:
            await self._file.discard()
        assert self._meta is not None, "a response without an error has headers"
        assert self._proof is not None, "a body without an error was compared"
        return done(self._ref, self._path, self._meta, self._proof, attempts=attempts, fetched=self.fetched)

    async def _load(self, failed_attempt: FailedAttempt | None = None, *, failed: int = 0) -> int:
        ref = self._ref
        request = GetRequest(ref.key, if_match=ref.etag or None, version_id=ref.version_id)
        try:
            return await self._ctx.store.load(
                request,
                self._begin,
                complete=self._compare,
                failed_attempt=failed_attempt,
                failed=failed,
            )
        finally:
            self._counter.end()

    def _begin(self, meta: ObjectMeta) -> OnData:
        """The headers have arrived. Every attempt starts again at the first byte."""
        self._verifier = accept_whole(self._ref, meta, self._parts, self._ctx.options)
        self._meta, self._proof = meta, None
        self._body.clear()
        self._counter.add(-self._received)
        self._received = 0
        return self._on_data

    def _on_data(self, chunk: Chunk) -> None:
        """Hash and write a chunk. Refuses bytes beyond the listed size."""
        assert self._verifier is not None, "the headers come first"
        check_not_longer(self._ref.size - self._received, chunk)
        self._verifier.update(chunk)
        if self._in_memory:
            self._body.append(bytes(chunk))
        else:
            if not self._file.is_open:
                self._file.create(self._ref.size)
            self._file.write(chunk, self._received)
        self._received += len(chunk)
        self.fetched += len(chunk)
        self._counter.add(len(chunk))

    def _compare(self) -> None:
        """The body has ended: compare its length and its checksum."""
        assert self._verifier is not None, "the headers come first"
        check_complete(self._ref.size - self._received)
        self._proof = prove(self._verifier)

    async def _publish(self) -> None:
        """Give the file its name."""
        mtime = self._ref.last_modified
        if self._in_memory:
            write_file = self._ctx.destination.write_file
            await in_thread(self._ctx.threads, write_file, self._path, self._body, mtime)
        else:
            await self._file.publish(self._path, mtime)

    def _count(self, size: int) -> None:
        self._ctx.emit(Received(size))
