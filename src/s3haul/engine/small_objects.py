"""The fast path for small objects: one thread of the transport requests,
verifies and writes them, many at a time.

It handles the plain case only: status 200, a checksum that the headers alone allow to verify, bytes that
match. In every other case (another status, a composite checksum, a disk error) it hands the target back to
the general path, `object.transfer`, which owns retries and error reasons: what failed here counts there as
the first attempt. Both paths use the same functions for validation.

Why a second path: a coroutine, a future and two thread switches for each object cost more than the object
itself. Results go back to the event loop in batches. If the disk is slow, the file threads write too, and
requests wait for them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from s3haul.concurrency import finish_future
from s3haul.core.retry import is_throttling
from s3haul.core.verification import RefusedError, accept_whole, check_complete, prove
from s3haul.engine.context import Context
from s3haul.engine.target import Target, done, not_done
from s3haul.errors import Fault, StoreError
from s3haul.events import Received
from s3haul.models import ObjectMeta, ObjectRef, Outcome
from s3haul.store.limiter import SATURATED
from s3haul.store.protocol import FailedAttempt

QUEUE = 4096  # targets that wait or are under way
MOST_HANDED_BACK = 256  # not yet finished by the general path
MOST_HANDED_BACK_FAILING = 8  # the same while no request succeeds: let the general path find out why
REPORT_AT = 128  # results that wait
REPORT_EVERY = 0.05  # seconds
# The share of its time that the thread waits for the network. With less,
# more requests at a time gain nothing.
IDLE = 0.05
SLOW_FILE = 2e-3  # seconds a file; beyond, the file threads help
MOST_WAITING_FILES = 64  # bodies that wait for a file thread


class SmallObjectFetcher:
    """`SmallObjectWork` for one run. `record` takes outcomes,
    `hand_back` queues a target for the general path.

    The methods of `SmallObjectWork` are called by the thread of the transport,
    the other public ones on the event loop.
    """

    def __init__(
        self,
        ctx: Context,
        record: Callable[[Sequence[Outcome]], None],
        hand_back: Callable[[Target], None],
    ) -> None:
        self._ctx = ctx
        self._record = record
        self._hand_back = hand_back
        self._loop = asyncio.get_running_loop()
        self._targets: deque[Target] = deque()
        self._running: dict[str, tuple[Target, float]] = {}  # and when the request was sent
        self._waiting_files: set[str] = set()  # keys, for a file thread
        # File threads add to these while the transport's thread empties them.
        self._outcomes: deque[Outcome] = deque()
        self._handing_back: deque[Target] = deque()
        self._succeeding = True
        # When results were reported last, and how long the thread had waited for the network until then.
        self._reported = self._waited = 0.0
        self._seconds_a_file = 0.0
        # Changed on the event loop only. `_handed_back` lags behind: between `before_wait` and `_receive`, a
        # target is neither there nor in `_handing_back`.
        self._unfinished = 0
        self._handed_back: set[str] = set()
        self._progress: asyncio.Future[None] | None = None
        self._failure: asyncio.Future[BaseException] = self._loop.create_future()
        self._thread = ctx.store.small_objects(self)
        ctx.limiter.count_others(self._running)

    @property
    def available(self) -> bool:
        """Whether the transport has a thread for small objects."""
        return self._thread is not None

    async def submit(self, targets: Sequence[Target]) -> None:
        """Queue plain targets; wait while too many are unfinished. Raises the error that ended the thread."""
        while self._unfinished >= QUEUE:
            await self._wait()
        self._unfinished += len(targets)
        self._targets.extend(targets)
        self.wake()

    async def join(self, producer: "asyncio.Task[None]") -> None:
        """Wait for the end of `producer`, which submits, and until every target was recorded or handed back.
        Raises the error that ended the thread, at once."""
        either: set[asyncio.Future[Any]] = {producer, self._failure}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        while self._unfinished:
            await self._wait()
        self._raise_failure()

    def finished(self, key: str) -> None:
        """The general path has finished an object, which may be one that was handed back."""
        if key in self._handed_back:
            self._handed_back.discard(key)
            self.wake()  # another may be handed back now

    def wake(self) -> None:
        """Make the thread look for work. Also called every second,
        because the end of a pause causes no event."""
        if self._thread is not None:
            self._thread.wake()

    def drain(self) -> None:
        """Start nothing more."""
        dropped = 0
        with suppress(IndexError):  # the thread may take the last one
            while True:
                self._targets.pop()
                dropped += 1
        self._subtract(dropped)

    def close(self) -> None:
        """Abandon what is under way; the next run fetches it again."""
        if self._thread is not None:
            self._thread.close()
        self._subtract(self._unfinished)

    async def _wait(self) -> None:
        self._raise_failure()
        self._progress = self._loop.create_future()
        await self._progress
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure.done():
            raise self._failure.result()

    def _subtract(self, count: int) -> None:
        self._unfinished = max(0, self._unfinished - count)
        if self._progress is not None:
            finish_future(self._progress, None, None)

    def _fail(self, error: BaseException) -> None:
        finish_future(self._failure, error, None)
        self._subtract(0)

    def _receive(self, outcomes: list[Outcome], handed_back: list[Target], saturated: bool) -> None:  # noqa: FBT001 - a callback
        """A batch of results, on the event loop."""
        try:
            if outcomes:
                self._ctx.emit(Received(sum([outcome.fetched for outcome in outcomes])))
                self._record(outcomes)
                self._ctx.limiter.served(len(outcomes), saturated=saturated)
            for target in handed_back:
                self._handed_back.add(target.ref.key)
                self._hand_back(target)
            self._ctx.limiter.wake()
        except Exception as error:  # noqa: BLE001 - raised to whoever waits: this is a callback of the loop
            self._fail(error)
        self._subtract(len(outcomes) + len(handed_back))

    # For the transport's thread

    def next(self) -> ObjectRef | None:
        now = self._ctx.clock()
        if not self._targets or not self._may_begin(now):
            return None
        try:
            target = self._targets.popleft()
        except IndexError:  # `drain` was faster
            return None
        self._running[target.ref.key] = (target, now)
        return target.ref

    def received(self, ref: ObjectRef, meta: ObjectMeta, body: Sequence[bytes]) -> None:
        self._succeeding = True
        target, sent = self._running.pop(ref.key)
        if self._seconds_a_file < SLOW_FILE:
            self._accept(target, sent, meta, body)
        else:
            self._waiting_files.add(ref.key)
            self._ctx.threads.submit(self._accept_in_file_thread, target, sent, meta, list(body))

    def not_received(self, ref: ObjectRef, fault: Fault | None, access_key: str = "") -> None:
        target, sent = self._running.pop(ref.key)
        failed_attempt = None if fault is None else FailedAttempt(fault, sent, access_key)
        self._handing_back.append(target._replace(failed_attempt=failed_attempt))
        if failed_attempt is not None and is_throttling(failed_attempt.fault):
            # At once: the limiter must hear of it before more requests are made.
            self._loop.call_soon_threadsafe(self._ctx.store.throttled, failed_attempt)
        else:
            self._succeeding = False

    def before_wait(self) -> None:
        count = len(self._outcomes) + len(self._handing_back)
        if not count:
            return
        now = self._ctx.clock()
        if count >= REPORT_AT or not self._running or now - self._reported >= REPORT_EVERY:
            saturated = self._measure_saturation(now)
            outcomes = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
            handed_back = [self._handing_back.popleft() for _ in range(len(self._handing_back))]
            self._loop.call_soon_threadsafe(self._receive, outcomes, handed_back, saturated)

    def failed(self, error: BaseException) -> None:
        self._loop.call_soon_threadsafe(self._fail, error)

    def _measure_saturation(self, now: float) -> bool:
        """Since the last call: did targets wait because of the limit,
        and not because this thread had no time?"""
        assert self._thread is not None, "only its thread calls this"
        limiter, waited = self._ctx.limiter, self._thread.waited
        idle = waited - self._waited >= IDLE * (now - self._reported)
        self._reported, self._waited = now, waited
        return (
            idle and bool(self._targets) and len(self._running) >= SATURATED * (limiter.limit - limiter.busy)
        )

    def _may_begin(self, now: float) -> bool:
        return (
            len(self._running) < self._ctx.limiter.room(now)
            and len(self._handed_back) + len(self._handing_back)
            < (MOST_HANDED_BACK if self._succeeding else MOST_HANDED_BACK_FAILING)
            and len(self._waiting_files) < MOST_WAITING_FILES
        )

    def _accept_in_file_thread(
        self, target: Target, sent: float, meta: ObjectMeta, body: Sequence[bytes]
    ) -> None:
        try:
            self._accept(target, sent, meta, body)
        except BaseException as error:  # noqa: BLE001 - nobody looks at the result of this thread
            self.failed(error)
        self._waiting_files.discard(target.ref.key)
        self.wake()

    def _accept(self, target: Target, sent: float, meta: ObjectMeta, body: Sequence[bytes]) -> None:
        try:
            self._outcomes.append(self._verify_and_write(target, meta, body))
        except RefusedError as error:  # another request would change nothing
            self._outcomes.append(not_done(target.ref, str(target.path), error))
        except StoreError as error:  # the response or its bytes are wrong
            self._handing_back.append(target._replace(failed_attempt=FailedAttempt(error.fault, sent)))
        except Exception:  # noqa: BLE001 - the general path requests it again, and says what is wrong
            self._handing_back.append(target)

    def _verify_and_write(self, target: Target, meta: ObjectMeta, body: Sequence[bytes]) -> Outcome:
        """Any exception means that this is not a plain case."""
        ref = target.ref
        verifier = accept_whole(ref, meta, None, self._ctx.options)
        check_complete(ref.size - sum(map(len, body)))
        for chunk in body:
            verifier.update(chunk)
        proof = prove(verifier)
        began = self._ctx.clock()
        self._ctx.destination.write_file(target.path, body, ref.last_modified)
        self._seconds_a_file += (self._ctx.clock() - began - self._seconds_a_file) / 16
        return done(ref, target.path, meta, proof, attempts=1, fetched=ref.size)
