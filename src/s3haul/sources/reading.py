"""Opens the file of a list and returns its rows: the interface between the parsers here and the engine.

Rows are returned in chunks, each read in a thread, so that a run can end before all are read.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Protocol

from s3haul.concurrency import in_thread
from s3haul.errors import SourceError
from s3haul.options import ListForm, ObjectList
from s3haul.sources import haul_manifest, key_list
from s3haul.sources.rows import ObjectRow

CHUNK = 10_000


@dataclass(slots=True)
class Unread:
    """The numbers of rows that are not copied: keys outside the source's prefix, delete markers, old versions, failed
    tasks of a report."""

    outside: int = 0
    delete_markers: int = 0
    old_versions: int = 0
    failed_tasks: int = 0


class RowSource(Protocol):
    """A list. `unread` grows while it is read."""

    @property
    def unread(self) -> Unread: ...

    @property
    def name(self) -> str:
        """Its name in messages."""
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
                return key_list.report_rows(file, self.name, bucket, self._failed)
            case ListForm.MANIFEST:
                return haul_manifest.rows(file, self.name)
            case ListForm.PLAN:
                return haul_manifest.plan_rows(file, self.name, bucket, self._prefix)
            case ListForm.INVENTORY:
                raise AssertionError("an inventory has several files")

    def _failed(self) -> None:
        self.unread.failed_tasks += 1


def chunked(rows: Iterator[ObjectRow]) -> Callable[[], list[ObjectRow]]:
    """A function that returns the next chunk of rows at each call; an empty one at the end."""
    return lambda: list(islice(rows, CHUNK))
