"""`verify DEST`, offline: every file that the journal calls done is read again and hashed.

The result depends on the disk and the journal alone, even months later. Several files are read at once; hashing
releases the interpreter. `file_check` checks one file. A damaged file is recorded as no longer done, so that the next
run fetches it; its digests stay in its row, so that `verify` finds the damage again until the file is replaced.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from s3haul.audit.file_check import Finding, Grade, recheck
from s3haul.diagnose.reasons import DAMAGED
from s3haul.disk import Destination, Tree
from s3haul.errors import S3HaulError
from s3haul.journal import Journal, Reader, SourceIdentity
from s3haul.models import Outcome, State, Verdict

FILES_PER_TASK = 32
BYTES_PER_TASK = 64 << 20
Result = tuple[Outcome, Grade | Finding]
TICK = 0.5  # seconds between two calls of `progress` while large files are read


@dataclass(slots=True)
class AuditCounts:
    """Every done object in exactly one of verified, unchanged, size_only and damaged."""

    verified: int = 0  # the bytes match the checksum that S3 stores; a directory is there
    unchanged: int = 0  # S3 stores none; the bytes are those that were received
    size_only: int = 0  # neither is known; the size matches
    damaged: int = 0
    not_done: int = 0  # skipped or failed: there is no file
    bytes: int = 0  # read so far


class _Meter:
    """Bytes read by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.bytes = 0

    def add(self, n: int) -> None:
        with self._lock:
            self.bytes += n


def audit(
    reader: Reader,
    tree: Tree,
    *,
    found: Callable[[Finding], None],
    repaired: Callable[[Outcome, Grade], None] = lambda _outcome, _grade: None,
    progress: Callable[[AuditCounts], None] = lambda _: None,
    threads: int | None = None,
) -> AuditCounts:
    """Check every done object; call `found` in key order for each that is damaged or checked by size only, and
    `repaired` for each that was marked as damaged and is no longer.

    `progress` gets the counts so far, every few files or half second. All are called in this thread.
    Raises `JournalError` for a damaged journal, `DestinationError` if the disk itself fails.
    """
    counts, meter, base = AuditCounts(), _Meter(), reader.source.base
    threads = threads or os.cpu_count() or 1

    def report() -> None:
        counts.bytes = meter.bytes
        progress(counts)

    def task(outcomes: list[Outcome]) -> list[Result]:
        return [(outcome, recheck(tree, outcome, base, meter.add)) for outcome in outcomes]

    with ThreadPoolExecutor(threads, thread_name_prefix="s3haul-audit") as pool:
        batches = _batches(_done_only(reader.outcomes(), counts))
        for results in _in_order(pool, task, batches, ahead=2 * threads, tick=report):
            for outcome, result in results:
                grade = _count(counts, result)
                if isinstance(result, Finding):
                    found(result)
                if outcome.reason == DAMAGED and grade is not Grade.DAMAGED:
                    repaired(outcome, grade)
            report()
    return counts


def _done_only(outcomes: Iterable[Outcome], counts: AuditCounts) -> Iterator[Outcome]:
    for outcome in outcomes:
        if outcome.state is State.DONE or outcome.reason == DAMAGED:
            yield outcome
        else:
            counts.not_done += 1


def _batches(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Batches of few files or few bytes, so that large files are spread over the threads."""
    batch: list[Outcome] = []
    size = 0
    for outcome in outcomes:
        batch.append(outcome)
        size += outcome.ref.size
        if len(batch) == FILES_PER_TASK or size >= BYTES_PER_TASK:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _in_order(
    pool: ThreadPoolExecutor,
    task: Callable[[list[Outcome]], list[Result]],
    batches: Iterable[list[Outcome]],
    *,
    ahead: int,
    tick: Callable[[], None],
) -> Iterator[list[Result]]:
    """The results in the order of the batches, with at most `ahead` batches submitted."""
    pending: deque[Future[list[Result]]] = deque()

    def first() -> list[Result]:
        future = pending.popleft()
        while not wait([future], timeout=TICK).done:
            tick()
        return future.result()

    try:
        for batch in batches:
            pending.append(pool.submit(task, batch))
            if len(pending) == ahead:
                yield first()
        while pending:
            yield first()
    finally:
        for future in pending:
            future.cancel()


def _count(counts: AuditCounts, result: Grade | Finding) -> Grade:
    grade = result.grade if isinstance(result, Finding) else result
    match grade:
        case Grade.VERIFIED:
            counts.verified += 1
        case Grade.UNCHANGED:
            counts.unchanged += 1
        case Grade.SIZE_ONLY:
            counts.size_only += 1
        case Grade.DAMAGED:
            counts.damaged += 1
    return grade


class DamageRecorder:
    """Records damage in the journal, which is opened, with the lock of a run, at the first write. If that fails (a run
    has the lock, the disk is read-only), `failed` is called once, and nothing is written."""

    def __init__(self, root: Path, source: SourceIdentity, failed: Callable[[S3HaulError], None]) -> None:
        self._root, self._source, self._failed = root, source, failed
        self._stack = ExitStack()
        self._journal: Journal | None = None
        self._usable = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._failing_once():
            self._stack.close()

    def damaged(self, outcome: Outcome, detail: str) -> None:
        """The file is damaged."""
        self._record(outcome._replace(state=State.FAILED, reason=DAMAGED, detail=detail, verdict=None))

    def sound(self, outcome: Outcome, verdict: Verdict) -> None:
        """The file was damaged, but is no longer."""
        self._record(outcome._replace(state=State.DONE, reason=None, detail=None, verdict=verdict))

    def _record(self, outcome: Outcome) -> None:
        with self._failing_once():
            if self._usable:
                self._open().record(outcome)

    @contextmanager
    def _failing_once(self) -> Iterator[None]:
        try:
            yield
        except S3HaulError as error:
            if self._usable:
                self._usable = False
                self._failed(error)

    def _open(self) -> Journal:
        if self._journal is None:
            destination = self._stack.enter_context(closing(Destination.open(self._root, force=True)))
            destination.lock()
            path = destination.state_path / "journal.sqlite3"
            journal = Journal.open(path, self._source, sync=destination.check_alive)
            self._journal = self._stack.enter_context(closing(journal))
        return self._journal
