"""The objects of a list: the fields of a row, parsed and checked,
and all rows in the order of their keys, on disk.

Parsers raise ValueError; what reads the file adds its name and the line. A list may have any order and any
size; the engine needs the keys in the order of S3. So the rows are stored in a temporary database in TMPDIR,
which SQLite sorts in bounded memory and removes at the end of the process.
"""

import contextlib
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from s3haul.errors import SourceError

PAGE = 1000
CHUNK = 10_000
LONGEST_KEY = 1024  # bytes of UTF-8; S3 allows no more
_CACHE = 16 << 10  # KiB
_MOST_DIGITS = 15
_TIMES = (0.0, 253402300800.0)  # up to the year 10000


class ObjectRow(NamedTuple):
    """One object of a list. Properties that the list does not have are None or "":
    then they are requested from S3.

    `version_id` is set only if this version is requested. `etag` has its quotes.
    """

    key: str
    version_id: str = ""
    size: int | None = None
    etag: str = ""
    last_modified: float = 0.0
    storage_class: str = ""
    checksum_type: str = ""

    @property
    def complete(self) -> bool:
        """Whether it has all properties that a listing has."""
        return self.size is not None and bool(self.etag and self.storage_class and self.last_modified)


@dataclass(slots=True)
class Unread:
    """The numbers of rows that are not copied: keys outside the source's prefix, delete markers, old
    versions, failed tasks of a report. And of those that name their object by a URL."""

    outside: int = 0
    delete_markers: int = 0
    old_versions: int = 0
    failed_tasks: int = 0
    as_urls: int = 0


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


def chunked(rows: Iterator[ObjectRow]) -> Callable[[], list[ObjectRow]]:
    """A function that returns the next chunk of rows at each call (in a thread, so that a run can end before
    all are read); an empty one at the end."""
    return lambda: list(islice(rows, CHUNK))


def list_error(where: str, what: str, *, hint: str | None = None) -> SourceError:
    """The error for a list that cannot be used: `where` is its file, or also the line."""
    return SourceError(
        f"{where}: {what}.", hint=hint or "s3haul help sources describes the forms of lists", id="S3H-S3-23"
    )


def check_bucket(named: str, bucket: str) -> None:
    """Refuses a row of another bucket."""
    if named != bucket:
        raise ValueError(f"it names the bucket {named[:80]!a}, and the source is {bucket}")


def parse_key(text: str, *, encoded: bool) -> str:
    """A key. If `encoded`, it is URL-encoded as in lists of S3, where + is a space."""
    found = text
    if encoded and ("%" in text or "+" in text):
        try:
            found = unquote_to_bytes(text.replace("+", " ")).decode()
        except UnicodeDecodeError:
            raise ValueError(f"the key {text[:80]!a} is not UTF-8 text after decoding") from None
    if not found:
        raise ValueError("the key is empty")
    try:
        size = len(found.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the key {found[:80]!a} is not UTF-8 text") from None
    if size > LONGEST_KEY:
        raise ValueError(f"the key {found[:80]!a}... has more than {LONGEST_KEY:,} bytes")
    return found


def parse_size(value: object) -> int | None:
    """Bytes; None if the field is empty."""
    if value is None or value == "":
        return None
    text = str(value)
    if isinstance(value, bool) or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text[:40]!a} is not a size")
    return int(text)


def parse_etag(value: object) -> str:
    """With its quotes; "" if the field is empty."""
    text = "" if value is None else str(value).strip('"')
    if len(text) > 200 or not text.isascii() or not text.isprintable() or '"' in text:
        raise ValueError(f"{text[:40]!a} is not an ETag")
    return f'"{text}"' if text else ""


def parse_time(value: object) -> float:
    """Epoch seconds of a number, of an ISO 8601 text (UTC if it has no time zone) or of a datetime;
    0.0 if the field is empty."""
    if value is None or value == "":
        return 0.0
    try:
        if isinstance(value, int | float):
            seconds = float(value)
        else:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{str(value)[:40]!a} is not a time") from None
    if not _TIMES[0] <= seconds < _TIMES[1]:
        raise ValueError(f"{str(value)[:40]!a} is not the time of an object")
    return seconds


def short_text(value: object, what: str) -> str:
    """A short printable text, such as a storage class or a version; "" if the field is empty."""
    text = "" if value is None else str(value)
    if len(text) > 1024 or not text.isascii() or not text.isprintable():
        raise ValueError(f"{text[:40]!a} is not a {what}")
    return text


class SortedRows:
    """Stores all rows, then returns them in pages. For one thread at a time."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{_CACHE}"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.execute(
            "CREATE TABLE rows (key, version_id, size, etag, last_modified, class, type)"
        )

    def close(self) -> None:
        """Remove the database."""
        self._connection.close()

    def extend(self, rows: Iterable[ObjectRow]) -> None:
        """Add rows. Raises `SourceError` if the disk is full."""
        with _sqlite_errors():
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def pages(self, size: int = PAGE) -> Iterator[list[ObjectRow]]:
        """Pages in the order of the keys. Of several rows of the same key and version, only the last one."""
        with _sqlite_errors():
            found = self._connection.execute("SELECT * FROM rows ORDER BY key, version_id, rowid")
            versions = groupby(map(ObjectRow._make, found), key=itemgetter(0, 1))
            rows = (row for _, same in versions for row in deque(same, maxlen=1))
            while page := list(islice(rows, size)):
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
