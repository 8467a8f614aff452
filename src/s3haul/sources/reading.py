"""From a list's file to rows: the seam between the readers here and the engine that asks for rows.

Rows come in chunks, each read in one hop to a thread, so that a run can end while millions are still to come.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Protocol

from s3haul.errors import SourceError
from s3haul.options import ListForm, ObjectList
from s3haul.sources import batch_report, haul_manifest, key_list
from s3haul.sources.rows import ObjectRow
from s3haul.threads import in_thread

CHUNK = 10_000


@dataclass(slots=True)
class Unread:
    """Rows of a list that name nothing to copy, counted: keys that lie elsewhere than below the source, delete
    markers, versions that are not the latest, tasks of a report that failed."""

    outside: int = 0
    delete_markers: int = 0
    old_versions: int = 0
    failed_tasks: int = 0


class RowSource(Protocol):
    """Some list, opened. `unread` counts on while it is read."""

    @property
    def unread(self) -> Unread: ...

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def chunks(self) -> AsyncIterator[Sequence[ObjectRow]]:
        """All rows whose keys begin with the source's prefix, in any order. Raises `SourceError`."""
        ...


class KeyLists:
    """A list in one local file."""

    def __init__(self, objects: ObjectList, bucket: str, prefix: str) -> None:
        self.unread = Unread()
        self.name = objects.name or objects.location
        self._objects, self._bucket, self._prefix = objects, bucket, prefix

    async def chunks(self) -> AsyncIterator[Sequence[ObjectRow]]:
        try:
            file: BinaryIO = await in_thread(None, open, self._objects.location, "rb")
        except OSError as error:
            raise SourceError(
                f"Cannot read {self.name}: {error.strerror}.", hint="check the name", id="S3H-S3-23"
            ) from None
        with file:
            following = chunked(self._below(file))
            while chunk := await in_thread(None, following):
                yield chunk

    def _below(self, file: BinaryIO) -> Iterator[ObjectRow]:
        for row in self._rows(file):
            if row.key.startswith(self._prefix):
                yield row
            else:
                self.unread.outside += 1

    def _rows(self, file: BinaryIO) -> Iterator[ObjectRow]:
        objects, bucket = self._objects, self._bucket
        match objects.form:
            case ListForm.KEYS:
                return key_list.lines(file, self.name, encoded=bool(objects.encoded))
            case ListForm.CSV:
                return key_list.table(file, self.name, bucket, encoded=objects.encoded is not False)
            case ListForm.BATCH_REPORT:
                return batch_report.rows(file, self.name, bucket, self._failed)
            case ListForm.MANIFEST:
                return haul_manifest.rows(file, self.name)
            case ListForm.PLAN:
                return haul_manifest.plan_rows(file, self.name, bucket, self._prefix)
            case ListForm.INVENTORY:
                raise AssertionError("an inventory is no single file")

    def _failed(self) -> None:
        self.unread.failed_tasks += 1


def chunked(rows: Iterator[ObjectRow]) -> Callable[[], list[ObjectRow]]:
    """The next rows, a chunk at a call; none at the end."""
    return lambda: list(islice(rows, CHUNK))
