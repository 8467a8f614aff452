"""One row of a list, and all rows of a list in the order of their keys, on disk.

A list may have any order and any size; the engine needs the keys in the order of S3. So the rows are stored in a
temporary database in TMPDIR, which SQLite sorts in bounded memory and removes at the end of the process.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from s3haul.errors import SourceError

PAGE = 1000
_CACHE = 16 << 10  # KiB
LONGEST_KEY = 1024  # bytes of UTF-8; S3 allows no more


class ObjectRow(NamedTuple):
    """One object of a list. Properties that the list does not have are None or "": then they are requested from S3.

    `version_id` is set only if this version is requested. `etag` has its quotes.
    """

    key: str
    version_id: str = ""
    size: int | None = None
    etag: str = ""
    last_modified: float = 0.0
    storage_class: str = ""

    @property
    def complete(self) -> bool:
        """Whether it has all properties that a listing has."""
        return self.size is not None and bool(self.etag and self.storage_class and self.last_modified)


def list_error(where: str, what: str, *, hint: str | None = None) -> SourceError:
    """The error for a list that cannot be used: `where` is its file and line."""
    return SourceError(
        f"{where}: {what}.", hint=hint or "s3haul help sources describes the forms of lists", id="S3H-S3-23"
    )


class SortedRows:
    """Stores all rows, then returns them in pages. For one thread at a time."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{_CACHE}"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.execute("CREATE TABLE rows (key, version_id, size, etag, last_modified, class)")

    def close(self) -> None:
        """Remove the database."""
        self._connection.close()

    def extend(self, rows: Iterable[ObjectRow]) -> None:
        """Add rows. Raises `SourceError` if the disk is full."""
        with _sqlite_errors():
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def pages(self, size: int = PAGE) -> Iterator[list[ObjectRow]]:
        """Pages in the order of the keys. Of several rows of the same key and version, only the last one."""
        with _sqlite_errors():
            found = self._connection.execute("SELECT * FROM rows ORDER BY key, version_id, rowid")
            last: ObjectRow | None = None
            page: list[ObjectRow] = []
            for row in map(ObjectRow._make, found):
                if last is not None and (last.key, last.version_id) != (row.key, row.version_id):
                    page.append(last)
                    if len(page) == size:
                        yield page
                        page = []
                last = row
            if last is not None:
                page.append(last)
            if page:
                yield page


@contextlib.contextmanager
def _sqlite_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SourceError(
            f"The list of objects could not be sorted: {error}.",
            hint="set TMPDIR to a directory with more space",
            id="S3H-S3-23",
        ) from None
