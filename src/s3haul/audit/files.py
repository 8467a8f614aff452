"""`verify DEST`, offline: every file that the journal calls done is read again and hashed.

The answer comes from the disk and the journal alone, months later if need be. Several files are read at
once; hashing releases the interpreter. What is looked at in one file is in `recheck`.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from s3haul.audit.file_check import Finding, Grade, recheck
from s3haul.diagnose.reasons import DAMAGED
from s3haul.disk import Tree
from s3haul.journal import Reader
from s3haul.models import Outcome, State

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
    not_done: int = 0  # skipped or failed: there is no file to look at
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
    mended: Callable[[Outcome, Grade], None] = lambda _outcome, _grade: None,
    progress: Callable[[AuditCounts], None] = lambda _: None,
    threads: int | None = None,
) -> AuditCounts:
    """Check every done object; call `found` in key order for each that is damaged or checked by size only, and
    `mended` for each that was marked as damaged and is not any more.

    `progress` gets the counts so far, every few files or half second. All are called in this thread.
    Raises `JournalError` for a damaged journal, `DestinationError` where the disk itself fails.
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
                    mended(outcome, grade)
            report()
    return counts


def _done_only(outcomes: Iterable[Outcome], counts: AuditCounts) -> Iterator[Outcome]:
    for outcome in outcomes:
        if outcome.state is State.DONE or outcome.reason == DAMAGED:
            yield outcome
        else:
            counts.not_done += 1


def _batches(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Few files or few bytes, so that large files spread over the threads."""
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
    """The results in the order of the batches, with at most `ahead` of them under way."""
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
