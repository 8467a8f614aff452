"""What `verify` has found goes on record: a damaged file is no longer done, so that the next run fetches it.

The digests stay in its row: `verify` finds the damage again until it is mended, by whatever means.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from s3haul.diagnose.reasons import DAMAGED
from s3haul.disk import Destination
from s3haul.errors import S3HaulError
from s3haul.journal import Journal, SourceIdentity
from s3haul.models import Outcome, State, Verdict


class DamageRecorder:
    """The journal is opened, under the lock of a run, once there is something to write. Where that cannot be had
    (a run is under way, the medium is read-only), `failed` is told once, and nothing is written."""

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
        with self._told():
            self._stack.close()

    def damaged(self, outcome: Outcome, detail: str) -> None:
        """The file is not what was hauled."""
        self._record(outcome._replace(state=State.FAILED, reason=DAMAGED, detail=detail, verdict=None))

    def sound(self, outcome: Outcome, verdict: Verdict) -> None:
        """The file was damaged, and is what was hauled again."""
        self._record(outcome._replace(state=State.DONE, reason=None, detail=None, verdict=verdict))

    def _record(self, outcome: Outcome) -> None:
        with self._told():
            if self._usable:
                self._open().record(outcome)

    @contextmanager
    def _told(self) -> Iterator[None]:
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
