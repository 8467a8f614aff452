"""`verify DEST`, offline: every file that the journal calls done is read again and compared
with what the journal knows.

A file is compared with the checksum that S3 stores (a composite one with the part sizes in the journal), else
with the CRC64NVME of the bytes that were received, else with the size. The result depends on the disk and the
journal alone, even months later. Several files are read at once; hashing releases the interpreter.

A damaged file is recorded as no longer done, so that the next run fetches it; its digests stay in its row, so
that `verify` finds the damage again until the file is replaced.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from s3haul.core.checksums import Composite, FullObject, Unverifiable, choose_checksum
from s3haul.core.keypath import key_of, stored_path
from s3haul.core.verification import Verifier, WholeVerifier, composite_verifier
from s3haul.diagnose.reasons import DAMAGED
from s3haul.disk import Destination, ObjectPathError, Tree
from s3haul.errors import S3HaulError
from s3haul.events import ignore
from s3haul.journal import Journal, Reader, SourceIdentity
from s3haul.journal.database import existing_journal, journal_path
from s3haul.models import Checksum, Outcome, SafePath, State, Verdict

BLOCK = 1 << 20
FILES_PER_TASK = 32
BYTES_PER_TASK = 64 << 20
TICK = 0.5  # seconds between two calls of `progress` while large files are read


class Grade(Enum):
    """The result of checking a file."""

    VERIFIED = auto()  # its bytes match the checksum that S3 stores
    AS_RECEIVED = auto()  # its bytes match the CRC64NVME of those that were received
    SIZE_ONLY = auto()  # no digest is known; its size matches
    DIRECTORY = auto()  # an empty object whose key ends in a slash; it is there
    DAMAGED = auto()


_VERDICTS = {Grade.VERIFIED: Verdict.VERIFIED, Grade.DIRECTORY: None}


class Finding(NamedTuple):
    """The result of one file. For a damaged file, and if only the size could be checked, `problem` is a slug:
    wrong-path, missing, not-a-regular-file, wrong-size, wrong-checksum, unreadable, or size-only; `detail` is
    a sentence for a person.
    """

    outcome: Outcome
    grade: Grade
    problem: str = ""
    detail: str = ""

    @property
    def key(self) -> str:
        return self.outcome.ref.key


@dataclass(slots=True)
class AuditCounts:
    """Every done object in exactly one of verified, as_received, size_only, directories and damaged."""

    verified: int = 0  # the bytes match the checksum that S3 stores
    as_received: int = 0  # S3 stores none; the bytes are those that were received
    size_only: int = 0  # neither is known; the size matches
    directories: int = 0  # are there
    damaged: int = 0
    not_done: int = 0  # skipped or failed: there is no file
    bytes: int = 0  # read so far

    def count(self, grade: Grade) -> None:
        """Count a file."""
        match grade:
            case Grade.VERIFIED:
                self.verified += 1
            case Grade.AS_RECEIVED:
                self.as_received += 1
            case Grade.SIZE_ONLY:
                self.size_only += 1
            case Grade.DIRECTORY:
                self.directories += 1
            case Grade.DAMAGED:
                self.damaged += 1


def verify(
    root: Path,
    *,
    found: Callable[[Finding], None] = ignore,
    progress: Callable[[AuditCounts], None] = ignore,
    unmarked: Callable[[S3HaulError], None] = ignore,
) -> AuditCounts:
    """Read every file below `root` that is done according to the journal, and compare it with its checksum.

    `found` is called in key order for each file that is damaged or checked by size only; `progress` gets the
    counts so far, every few files or half second. Damaged files are marked, so that the next download fetches
    them again. `unmarked` is called if that fails, for example on a read-only medium. Blocks until the end:
    in an event loop, use `asyncio.to_thread`. Raises `JournalError` for a damaged journal, `DestinationError`
    if the disk itself fails.
    """
    with (
        Reader(existing_journal(root)) as reader,
        Tree.open(root) as tree,
        closing(DamageRecorder(root, reader.source, unmarked)) as recorder,
    ):

        def checked(finding: Finding) -> None:
            recorder.record(finding)
            if finding.problem:
                found(finding)

        return audit(reader, tree, checked=checked, progress=progress)


def audit(
    reader: Reader,
    tree: Tree,
    *,
    checked: Callable[[Finding], None],
    progress: Callable[[AuditCounts], None] = ignore,
) -> AuditCounts:
    """Check every done object; `checked` is called in key order for each. Otherwise as `verify`."""
    counts, lock = AuditCounts(), threading.Lock()
    threads = os.cpu_count() or 1

    def add_bytes(n: int) -> None:
        with lock:
            counts.bytes += n

    def check_files(outcomes: list[Outcome]) -> list[Finding]:
        return [check_file(tree, outcome, add_bytes) for outcome in outcomes]

    def report() -> None:
        progress(counts)

    with ThreadPoolExecutor(threads, thread_name_prefix="s3haul-audit") as pool:
        batches = _batches(_done_only(reader.outcomes(), counts))
        for findings in _in_order(pool, check_files, batches, ahead=2 * threads, tick=report):
            for finding in findings:
                counts.count(finding.grade)
                checked(finding)
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
    task: Callable[[list[Outcome]], list[Finding]],
    batches: Iterable[list[Outcome]],
    *,
    ahead: int,
    tick: Callable[[], None],
) -> Iterator[list[Finding]]:
    """The results in the order of the batches, with at most `ahead` batches submitted."""
    pending: deque[Future[list[Finding]]] = deque()

    def first() -> list[Finding]:
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


def check_file(tree: Tree, outcome: Outcome, add_bytes: Callable[[int], None]) -> Finding:
    """Check the file of one done object. `add_bytes` is called for every block that was read. Raises
    `DestinationError` if the disk itself fails."""
    path = _own_path(outcome)
    if path is None:
        return _damaged(outcome, "wrong-path", "the journal names a path that this key cannot have")
    try:
        return _check_status(tree, path, outcome) or _check_bytes(tree, path, outcome, add_bytes)
    except (ObjectPathError, OSError) as error:
        return _damaged(outcome, "unreadable", str(error))


def _own_path(outcome: Outcome) -> SafePath | None:
    """The path in the journal; None unless it is that of the key without one of its prefixes.

    If the user gave a single object a name, its path is that name, directly in the destination.
    """
    key = outcome.ref.key
    try:
        path = stored_path(outcome.path or "", directory=outcome.ref.size == 0 and key.endswith("/"))
        is_own = len(path.parts) == 1 or f"/{key}".endswith(f"/{key_of(path)}")
    except ValueError:
        return None
    return path if is_own else None


def _check_status(tree: Tree, path: SafePath, outcome: Outcome) -> Finding | None:
    """The result without reading the file; None if it must be read."""
    stat = tree.stat(path)
    if stat is None:
        return _damaged(outcome, "missing", "the file does not exist any more")
    if path.directory:
        if stat.is_directory:
            return Finding(outcome, Grade.DIRECTORY)
        return _damaged(outcome, "not-a-regular-file", "it is not a directory any more")
    if not stat.is_regular:
        return _damaged(outcome, "not-a-regular-file", "it is not a regular file any more")
    if stat.size != outcome.ref.size:
        return _damaged(outcome, "wrong-size", f"it has {stat.size} bytes, the object {outcome.ref.size}")
    return None


def _check_bytes(tree: Tree, path: SafePath, outcome: Outcome, add_bytes: Callable[[int], None]) -> Finding:
    grade = Grade.VERIFIED
    verifier: Verifier | None = _stored_verifier(outcome)
    if verifier is None:
        grade, verifier = Grade.AS_RECEIVED, _received_verifier(outcome)
    if verifier is None:
        return Finding(outcome, Grade.SIZE_ONLY, "size-only", "no checksum is known; the size is right")
    fd = tree.open_read(path)
    try:
        while block := os.read(fd, BLOCK):
            verifier.update(block)
            add_bytes(len(block))
    finally:
        os.close(fd)
    mismatch = verifier.finish()
    if mismatch is None:
        return Finding(outcome, grade)
    where = "the file" if mismatch.part is None else f"part {mismatch.part}"
    detail = f"the {mismatch.algorithm} of {where} is {mismatch.got}, the object's is {mismatch.expected}"
    return _damaged(outcome, "wrong-checksum", detail)


def _stored_verifier(outcome: Outcome) -> Verifier | None:
    """A verifier of the checksum that S3 stores; None if that cannot be computed from the file."""
    if outcome.checksum is None:
        return None
    size = outcome.ref.size
    match choose_checksum((outcome.checksum,), size):
        case FullObject() as stored:
            return WholeVerifier(stored)
        case Composite() as stored:
            verifier = composite_verifier(stored, size, outcome.part_sizes)
            return None if isinstance(verifier, Unverifiable) else verifier
        case Unverifiable():
            return None


def _received_verifier(outcome: Outcome) -> WholeVerifier | None:
    """A verifier of the CRC64NVME of the bytes that were received; None if the journal has none."""
    if not outcome.computed:
        return None
    stored = choose_checksum((Checksum("CRC64NVME", "FULL_OBJECT", outcome.computed),), outcome.ref.size)
    return WholeVerifier(stored) if isinstance(stored, FullObject) else None


def _damaged(outcome: Outcome, problem: str, detail: str) -> Finding:
    return Finding(outcome, Grade.DAMAGED, problem, detail)


class DamageRecorder:
    """Records in the journal which files are damaged, and which are no longer. The journal is opened, with
    the lock of a run, at the first write. If that fails (a run has the lock, the disk is read-only), `failed`
    is called once, and nothing is written."""

    def __init__(self, root: Path, source: SourceIdentity, failed: Callable[[S3HaulError], None]) -> None:
        self._root, self._source, self._failed = root, source, failed
        self._stack = ExitStack()
        self._journal: Journal | None = None
        self._usable = True

    def record(self, finding: Finding) -> None:
        """Record the result of a file, if it changes what the journal says."""
        outcome, grade = finding.outcome, finding.grade
        if grade is Grade.DAMAGED:
            detail = f"{finding.detail} ({finding.problem})"
            self._write(outcome._replace(state=State.FAILED, reason=DAMAGED, detail=detail, verdict=None))
        elif outcome.reason == DAMAGED:
            verdict = _VERDICTS.get(grade, Verdict.SIZE_ONLY)
            self._write(outcome._replace(state=State.DONE, reason=None, detail=None, verdict=verdict))

    def close(self) -> None:
        with self._failing_once():
            self._stack.close()

    def _write(self, outcome: Outcome) -> None:
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
            path = journal_path(self._root)
            journal = Journal.open(path, self._source, sync=destination.check_alive)
            self._journal = self._stack.enter_context(closing(journal))
        return self._journal
