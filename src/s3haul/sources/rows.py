"""What a list says of one object, and all rows of a list in the order of their keys, on disk.

A list comes in any order and in any size; the engine needs keys in the order of S3. So rows go into a temporary
database without a name, which SQLite sorts within bounded memory and removes with the process (TMPDIR says where).
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
    """One object as a list names it. What the list does not tell is None, or "": then S3 is asked.

    `version_id` is given only where this very version is wanted. `etag` has its quotes.
    """

    key: str
    version_id: str = ""
    size: int | None = None
    etag: str = ""
    last_modified: float = 0.0
    storage_class: str = ""

    @property
    def complete(self) -> bool:
        """Whether it says all that a listing says."""
        return self.size is not None and bool(self.etag and self.storage_class and self.last_modified)


def wrong(where: str, what: str, *, hint: str | None = None) -> SourceError:
    """A list that cannot be used: in which file and line, and why."""
    return SourceError(
        f"{where}: {what}.", hint=hint or "s3haul help sources tells what a list looks like", id="S3H-S3-23"
    )


class SortedRows:
    """Take all rows, then give them back in pages. For one thread at a time."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{_CACHE}"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.execute("CREATE TABLE rows (key, version_id, size, etag, last_modified, class)")

    def close(self) -> None:
        """Remove what is on disk."""
        self._connection.close()

    def extend(self, rows: Iterable[ObjectRow]) -> None:
        """Raises `SourceError` where there is no room for them."""
        with _told():
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def pages(self, size: int = PAGE) -> Iterator[list[ObjectRow]]:
        """By key, each row once; of rows that say the same of a key, the last one."""
        with _told():
            found = self._connection.execute("SELECT * FROM rows ORDER BY key, version_id, rowid")
            held: ObjectRow | None = None
            page: list[ObjectRow] = []
            for row in map(ObjectRow._make, found):
                if held is not None and (held.key, held.version_id) != (row.key, row.version_id):
                    page.append(held)
                    if len(page) == size:
                        yield page
                        page = []
                held = row
            if held is not None:
                page.append(held)
            if page:
                yield page


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SourceError(
            f"The list of objects could not be sorted: {error}.",
            hint="set TMPDIR to a directory with more space",
            id="S3H-S3-23",
        ) from None
